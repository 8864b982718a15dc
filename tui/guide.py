"""The first steps, one line at a time, told by what the person has done so far.

Nothing is remembered of the steps themselves: what is kept says which is next, so they go on after
a restart. Done or skipped, they are not shown again.
"""

from store.repository import Counts

SKIP = "/skip hides this"


def next_step(counts: Counts, *, answered: bool, trained: bool, ready: int) -> str:
    """What to do next, in one line; empty once there is nothing left to show.

    Args:
        counts: What was taught so far.
        answered: A reply was given.
        trained: There is a version.
        ready: Instructions from which a run is ready.
    """
    if trained:
        return ""
    if not answered:
        return "1 of 3  Ask something and press Enter. Ctrl+O chooses another model."
    missing = ready - counts.instructions
    if not counts.instructions:
        return "2 of 3  Not what you wanted? F4 says it better. Good? F2 keeps it."
    if missing > 0:
        more = "one more reply" if missing == 1 else f"{missing} more replies"
        return f"2 of 3  Kept. Teach {more} with F2 or F4, or take examples with Ctrl+T."
    return "3 of 3  Press F5 and Enter: the model learns it, and you chat on meanwhile."
