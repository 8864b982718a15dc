"""Two replies to one prompt, side by side."""

from dataclasses import dataclass


@dataclass(frozen=True)
class AnswerView:
    """One of two replies that are compared."""

    title: str
    text: str
    note: str = ""
    """How it ended."""
    whole: bool = False
    good: bool | None = None
    """What was chosen, once something was."""
