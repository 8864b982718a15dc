"""What every format needs: turns and texts out of a row that anybody may have written.

A reader turns one row into what is `Found` in it, or raises `RowError` with the reason in plain
words. Nothing is guessed at: tool calls, images and other message parts are refused, because
learning a reply from half of its conversation is worse than not learning it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from store.records import Chat, Origin, Record, Role, Turn

Turns = tuple[Turn, ...]
Row = dict[str, Any]

_ROLES: dict[str, Role] = {"system": "system", "user": "user", "assistant": "assistant"}


class RowError(ValueError):
    """A row that cannot be used; its text is the reason, in plain words."""


@dataclass(frozen=True)
class Found:
    """What a row holds."""

    records: tuple[Record, ...] = ()
    chats: tuple[Chat, ...] = ()
    """Whole conversations: kept to be read, rated and corrected, not to be learned as they are."""
    refused: tuple[str, ...] = ()
    """Why parts of the row were left out."""


@dataclass(frozen=True)
class Format:
    """A kind of row."""

    name: str
    matches: Callable[[Row], bool]
    """Whether a row is of this format, told by its keys."""
    read: Callable[[Row, Origin], Found]
    """Reads a row that matches, or raises `RowError`."""
    write: Callable[[Record], Row | None] | None = None
    """The row of a record; None where this format cannot carry it. Absent: only read."""


def prompt(turns: Turns) -> Turns:
    """Check that there is something to reply to."""
    spoken = [turn for turn in turns if turn.role == "user"]
    if not spoken:
        raise RowError("no user message")
    if not all(turn.content.strip() for turn in spoken):
        raise RowError("empty user message")
    if turns[-1].role != "user":
        raise RowError("the message before the reply is not the user's")
    return turns


def not_empty(reply: str) -> str:
    if not reply.strip():
        raise RowError("empty reply")
    return reply


def turns(value: object, key: str) -> Turns:
    """A list of messages with role and content, or one question as plain text."""
    if isinstance(value, str):
        return (Turn(role="user", content=text(value, key)),)
    if not isinstance(value, list):
        raise RowError(f"{key} is not a list of messages")
    if not value:
        raise RowError(f"{key} has no messages")
    return tuple(turn(message) for message in value)


def turn(message: object) -> Turn:
    """One message with role and content."""
    if not isinstance(message, dict):
        raise RowError("a message is not an object with role and content")
    if message.get("tool_calls") or message.get("function_call"):
        raise RowError("a message calls a tool")
    role = message.get("role")
    if not isinstance(role, str) or role not in _ROLES:
        raise RowError("a message has no role" if role is None else f"unknown role {role!r}")
    return Turn(role=_ROLES[role], content=text(message.get("content"), "content"))


def text(value: object, key: str) -> str:
    """Text that every file and tokenizer can hold."""
    if not isinstance(value, str):
        raise RowError(f"{key} is not text")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise RowError(f"{key} holds half of a surrogate pair") from None
    return value


def dumped(prompt: Turns) -> list[dict[str, str]]:
    """Turns as messages."""
    return [turn.model_dump() for turn in prompt]


def said(reply: str) -> list[dict[str, str]]:
    """A reply as a list of one message."""
    return [{"role": "assistant", "content": reply}]
