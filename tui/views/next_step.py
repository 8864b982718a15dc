"""The first steps, one line at a time, told by what the person has done so far.

Nothing is remembered of the steps themselves: what is kept says which is next, so they go on after
a restart. Done or skipped, they are not shown again.
"""

from store.i18n import N_, _
from store.repository import Counts

SKIP = N_("/skip hides this")


def next_step(counts: Counts, *, answered: bool, trained: bool, ready: int) -> str:
    """What to do next, in one line of 58 cells at most; empty once there is nothing left to show.

    Args:
        counts: What was taught so far.
        answered: A reply was given.
        trained: There is a version.
        ready: Instructions from which a run is ready.
    """
    if trained:
        return ""
    if not answered:
        return _("1 of 3  Ask something, Enter. Ctrl+O has other models.")
    missing = ready - counts.instructions
    if not counts.instructions:
        return _("2 of 3  Wrong? F4 says it better. Good? F2 keeps it.")
    if missing > 0:
        return _("2 of 3  Kept. Teach {count} more with F4 or F2, or Ctrl+T.").format(count=missing)
    return _("3 of 3  F5, then Enter: it learns while you chat on.")
