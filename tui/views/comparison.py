"""One of two replies to the same prompt, as shown side by side."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ComparedReply:
    title: str
    text: str
    note: str = ""
    """How the reply ended."""
    complete: bool = False
    good: bool | None = None
    """The user's choice, once made."""
