"""The guide for new users: the next step, one line at a time.

The step follows from what the home holds, so the guide needs no state of its own and continues
after a restart. Once finished or skipped, it is not shown again.
"""

from store.i18n import N_, _
from store.repository import Counts

SKIP = N_("/skip hides this")


def next_step(counts: Counts, *, answered: bool, trained: bool, ready: int) -> str:
    """Return the next step in a line of at most 58 cells; empty once the guide is finished.

    Args:
        answered: The model has replied at least once.
        trained: There is a version.
        ready: Number of instructions that a run needs.
    """
    if trained:
        return ""
    if not answered:
        return _("1 of 3  Ask something, then Enter. {key:app.models}: other models.")
    missing = ready - counts.instructions
    if not counts.instructions:
        return _("2 of 3  Wrong? {key:chat.correct} corrects it. Good? {key:chat.like} keeps it.")
    if missing > 0:
        return _(
            "2 of 3  Kept. Teach {count} more: {{key:chat.correct}}, {{key:chat.like}} or"
            " {{key:app.starter}}."
        ).format(count=missing)
    return _("3 of 3  {key:app.tune}, then Enter: it learns while you chat.")
