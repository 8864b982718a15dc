"""What the panel beside a wide chat says: what the chat has taught, and what comes of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from tui.text_format import one_line
from tui.views.chat import MessageView, ReplyView

Mark = Literal["✎", "👍", "👎", "★"]


@dataclass(frozen=True)
class Lesson:
    """What one reply teaches."""

    mark: Mark
    text: str
    """The correction, or the question of a reply that was rated."""
    excluded: bool = False


def lessons(messages: Iterable[MessageView]) -> tuple[Lesson, ...]:
    """List what the replies of a conversation teach, the newest first."""
    found = [_lesson(message) for message in messages if isinstance(message, ReplyView)]
    return tuple(reversed([lesson for lesson in found if lesson is not None]))


def recalled(messages: Iterable[MessageView]) -> tuple[str, ...]:
    """List the corrections that the last reply followed."""
    replies = [message for message in messages if isinstance(message, ReplyView)]
    found = replies[-1].recalled if replies else ()
    return tuple(f"{one_line(one.question)} → {one_line(one.reply)}" for one in found if one.reply)


def _lesson(reply: ReplyView) -> Lesson | None:
    if reply.correction is not None:
        return Lesson("✎", reply.correction, reply.excluded)
    if reply.preferred:
        return Lesson("★", reply.question, reply.excluded)
    if reply.label is None:
        return None
    return Lesson("👍" if reply.label else "👎", reply.question, reply.excluded)
