"""What every format needs: messages and texts from a row that anybody may have written.

A reader parses one row into a `ParsedRow`, or raises `RowError` with the reason in plain words.
Nothing is guessed: tool calls, images and other message parts are refused, because learning a reply
from half of its conversation is worse than not learning it.
"""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypedDict

from data.formats.row_error import RowError as RowError
from data.formats.row_marks import judgement, to_learn
from data.formats.transcripts import parse_transcript
from data.thoughts import THOUGHT_KINDS
from store.i18n import _
from store.records import (
    ChatMessage,
    ImportedConversation,
    Instruction,
    Origin,
    Record,
    Role,
    Verdict,
)

Messages = tuple[ChatMessage, ...]
Row = dict[str, Any]

_ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "bot": "assistant",
    "model": "assistant",
    "ai": "assistant",
}
_ROLE_KEYS = ("role", "from")
_CONTENT_KEYS = ("content", "value")
_CREATED_KEYS = ("created", "created_at", "timestamp")
_MILLISECONDS = 1e11
"""Unix times above this are in milliseconds (in seconds it would be the year 5138)."""


@dataclass(frozen=True)
class ParsedRow:
    records: tuple[Record, ...] = ()
    conversations: tuple[ImportedConversation, ...] = ()
    """Whole conversations: kept to be read, rated and corrected, not learned as they are."""
    refused: tuple[str, ...] = ()
    """Why parts of the row were left out."""
    incomplete: frozenset[str] = frozenset()
    """Ids of replies that depend on something left out, and so must not be learned."""
    thoughts: bool = False
    """Whether a model's thoughts were left out."""
    number: tuple[str, str] | None = None
    """The label, if it is a number: its key and value. Only all rows together tell a thumb from a
    score or a class."""


@dataclass(frozen=True)
class Format:
    name: str
    matches: Callable[[Row], bool]
    """Whether a row is of this format, judging by its keys."""
    read: Callable[[Row, Origin], ParsedRow]
    """Parses a matching row, or raises `RowError`."""
    write: Callable[[Record], Row | None] | None = None
    """Returns the row of a record, or None if it cannot hold it. If None itself: only read."""


class Provenance(TypedDict, total=False):
    """The fields of a record that say where it comes from."""

    origin: Origin
    conversation_id: str
    created: datetime


def provenance(row: Row, origin: Origin, prompt: Messages) -> Provenance:
    """Return the origin, time and conversation of a row's records.

    Rows of one conversation are held out together. The conversation is the one the row names, or
    else a hash of everything up to the first question: the rows of one chat share its opening, and
    rows with the same prompt must not be on both sides of the hold-out split.
    """
    model = row.get("model")
    if isinstance(model, str) and model:
        origin = origin.model_copy(update={"model": checked_text(model, "model")})
    about = Provenance(
        origin=origin, conversation_id=_conversation(row.get("conversation_id"), prompt)
    )
    created = next((row[key] for key in _CREATED_KEYS if row.get(key)), None)
    if (when := parse_time(created)) is not None:
        about["created"] = when
    return about


def _conversation(given: object, prompt: Messages) -> str:
    if isinstance(given, str) and given:
        return stable_id("conversation", given)
    last = next(index for index, message in enumerate(prompt) if message.role == "user")
    return stable_id(*(f"{message.role}:{message.content}" for message in prompt[: last + 1]))


def stable_id(*parts: str) -> str:
    """Return an id that depends only on the parts, so that importing twice adds nothing."""
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:12]


def parse_time(value: object) -> datetime | None:
    """Parse ISO 8601, or seconds or milliseconds since 1970; None for anything else."""
    try:
        if isinstance(value, str):
            parsed = datetime.fromisoformat(value)
            return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)
        if isinstance(value, int | float) and not isinstance(value, bool):
            seconds = value / 1000 if value > _MILLISECONDS else value
            return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return None


def checked_prompt(messages: Messages) -> Messages:
    """Check that the messages end with something to reply to."""
    questions = [message for message in messages if message.role == "user"]
    if not questions:
        raise RowError(_("no user message"))
    if not all(question.content.strip() for question in questions):
        raise RowError(_("empty user message"))
    if messages[-1].role != "user":
        raise RowError(_("the message before the reply is not the user's"))
    return messages


def checked_reply(reply: str) -> str:
    if not reply.strip():
        raise RowError(_("empty reply"))
    return reply


def checked_pair(chosen: str, rejected: str) -> tuple[str, str]:
    """Check two replies of which the first is preferred."""
    if chosen.strip() == rejected.strip():
        raise RowError(_("chosen equals rejected"))
    return checked_reply(chosen), checked_reply(rejected)


def parse_conversation(row: Row, key: str) -> Messages:
    """Return the messages under a key, after the row's system prompt if they have none."""
    messages = parse_messages(row[key], key)
    system = row.get("system")
    if not system or messages[0].role == "system":
        return messages
    return (ChatMessage(role="system", content=checked_text(system, "system")), *messages)


def read_replies(row: Row, key: str, origin: Origin) -> ParsedRow:
    """Make a record of each reply in a conversation that is not marked as not to be learned: a
    verdict if the message says how good it is, an instruction otherwise.

    A reply that cannot be used is refused alone, since the others are complete without it; without
    any other, its RowError is raised.
    """
    if not isinstance(row[key], list):
        raise RowError(_("{key} is not a list of messages").format(key=key))
    messages = parse_conversation(row, key)
    system = len(messages) - len(row[key])  # the row's system prompt may come first
    records: list[Record] = []
    refused = []
    for index, given in enumerate(row[key], start=system):
        if messages[index].role != "assistant":
            continue
        try:
            if to_learn(given):
                records.append(_reply(row, given, messages[: index + 1], origin))
        except RowError as error:
            refused.append(str(error))
    if not records:
        raise RowError(refused[0] if refused else _("no reply to learn"))
    return ParsedRow(tuple(records), refused=tuple(refused))


def _reply(row: Row, given: Row, messages: Messages, origin: Origin) -> Record:
    prompt, reply = checked_prompt(messages[:-1]), checked_reply(messages[-1].content)
    about = provenance(row, origin, prompt)
    good = judgement(given)
    if good is None:
        return Instruction(**about, prompt=prompt, completion=reply)
    return Verdict(**about, prompt=prompt, completion=reply, label=good)


def parse_history(value: object) -> Messages:
    """Parse earlier questions and replies in pairs."""
    if value and not isinstance(value, list):
        raise RowError(_("history is not a list of pairs"))
    messages = []
    for pair in value if isinstance(value, list) else ():
        if not isinstance(pair, list) or len(pair) != 2:
            raise RowError(_("history is not a list of pairs"))
        messages.append(ChatMessage(role="user", content=checked_text(pair[0], "history")))
        messages.append(ChatMessage(role="assistant", content=checked_text(pair[1], "history")))
    return tuple(messages)


def parse_messages(value: object, key: str) -> Messages:
    """Parse a list of messages with role and content, a transcript, or one question as text."""
    if isinstance(value, str):
        if messages := parse_transcript(checked_text(value, key)):
            return messages
        return (ChatMessage(role="user", content=checked_text(value, key)),)
    if not isinstance(value, list):
        raise RowError(_("{key} is not a list of messages").format(key=key))
    if not value:
        raise RowError(_("{key} has no messages").format(key=key))
    return tuple(parse_message(message) for message in value)


def parse_message(message: object) -> ChatMessage:
    """Parse one message with role and content, or with from and value."""
    if not isinstance(message, dict):
        raise RowError(_("a message is not an object with role and content"))
    if message.get("tool_calls") or message.get("function_call"):
        raise RowError(_("a message calls a tool"))
    role = _first(message, _ROLE_KEYS)
    if not isinstance(role, str) or role.strip().lower() not in _ROLES:
        raise RowError(
            _("a message has no role")
            if role is None
            else _("unknown role {role!r:.60}").format(role=role)
        )
    content = _content(_first(message, _CONTENT_KEYS))
    return ChatMessage(role=_ROLES[role.strip().lower()], content=content)


def _first(message: Row, keys: Iterable[str]) -> object:
    return next((message[key] for key in keys if message.get(key) is not None), None)


def _content(value: object) -> str:
    """Text, or parts that are all text, concatenated as chat templates do; without thoughts."""
    if not isinstance(value, list):
        return checked_text(value, "content")
    if not all(isinstance(part, dict) for part in value):
        raise RowError(_("a message has a part that is not text"))
    parts = [part for part in value if part.get("type") not in THOUGHT_KINDS]
    if not all(part.get("type") == "text" for part in parts):
        raise RowError(_("a message has a part that is not text"))
    return "".join(checked_text(part.get("text"), "content") for part in parts)


def checked_text(value: object, key: str) -> str:
    """Check that a value is text that every file and tokenizer can hold."""
    if not isinstance(value, str):
        raise RowError(_("{key} is not text").format(key=key))
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise RowError(_("{key} contains half of a surrogate pair").format(key=key)) from None
    return value


def parse_reply(value: object, key: str, prompt: Messages) -> str:
    """Return a reply's text: a string, one assistant message, or that message after the prompt."""
    if isinstance(value, str):
        return checked_text(value, key)
    messages = parse_messages([value] if isinstance(value, dict) else value, key)
    last = value if isinstance(value, dict) else value[-1]  # type: ignore[index]
    if not to_learn(last):
        raise RowError(_("a reply is marked as not to be learned"))
    if messages[-1].role != "assistant":
        raise RowError(_("the last message of {key} is not the assistant's").format(key=key))
    if messages[:-1] not in ((), prompt):
        raise RowError(_("{key} is more than one reply to the prompt").format(key=key))
    return messages[-1].content


def message_dicts(prompt: Messages) -> list[dict[str, str]]:
    """Return messages as plain dicts."""
    return [message.model_dump() for message in prompt]


def reply_dicts(reply: str) -> list[dict[str, str]]:
    """Return a reply as a list of one message."""
    return [{"role": "assistant", "content": reply}]
