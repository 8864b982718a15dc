"""One reply of the teaching queue, as shown."""

from dataclasses import dataclass

from store.i18n import _, ngettext


@dataclass(frozen=True)
class QueueView:
    place: int
    """From 1; above `count` at the end."""
    count: int
    question: str = ""
    earlier: int = 0
    """Number of messages before the question."""
    reply: str = ""
    """What is written so far, while it is written."""
    adapter: str = ""
    state: str = "done"
    """`done`; `waiting` for the model; `writing`; `failed`; `end` of the queue."""


def missing_line(new: int | None, minimum: int) -> str:
    """How much is still to be taught until the next training.

    Args:
        new: Instructions to learn; None while the model loads.
        minimum: Instructions that a run needs.
    """
    if new is None:
        return ""
    missing = minimum - new
    if missing <= 0:
        return _("enough to train: {key:app.tune}")
    return ngettext(
        "{count} more good or fixed reply until you can train",
        "{count} more good or fixed replies until you can train",
        missing,
    ).format(count=missing)
