"""What every format needs: turns and texts out of a row that anybody may have written.

A reader turns one row into what is `Found` in it, or raises `RowError` with the reason in plain
words. Nothing is guessed at: tool calls, images and other message parts are refused, because
learning a reply from half of its conversation is worse than not learning it.
"""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypedDict

from store.i18n import _
from store.records import ChatMessage, ImportedConversation, Instruction, Origin, Record, Role

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
}
_ROLE_KEYS = ("role", "from")
_CONTENT_KEYS = ("content", "value")
_WEIGHT_KEYS = ("weight", "train", "training")
"""OpenAI's, and what Axolotl's users call theirs."""
_CREATED_KEYS = ("created", "created_at", "timestamp")
_MILLISECONDS = 1e11
"""Unix times above this are in milliseconds (in seconds it would be the year 5138)."""


class RowError(ValueError):
    """A row that cannot be used; its text is the reason, in plain words."""


@dataclass(frozen=True)
class ParsedRow:
    """What a row holds."""

    records: tuple[Record, ...] = ()
    chats: tuple[ImportedConversation, ...] = ()
    """Whole conversations: kept to be read, rated and corrected, not to be learned as they are."""
    refused: tuple[str, ...] = ()
    """Why parts of the row were left out."""
    incomplete: frozenset[str] = frozenset()
    """Ids of replies in `chats` that rest on something left out: not to be learned as they are."""


@dataclass(frozen=True)
class Format:
    """A kind of row."""

    name: str
    matches: Callable[[Row], bool]
    """Whether a row is of this format, told by its keys."""
    read: Callable[[Row, Origin], ParsedRow]
    """Reads a row that matches, or raises `RowError`."""
    write: Callable[[Record], Row | None] | None = None
    """The row of a record; None where this format cannot carry it. Absent: only read."""


class Provenance(TypedDict, total=False):
    """The fields of a record that tell where it comes from."""

    origin: Origin
    conversation_id: str
    created: datetime


def provenance(row: Row, origin: Origin, asked: Messages) -> Provenance:
    """Where the records of a row come from: what the row tells of it, and its conversation.

    Rows of one conversation are held out together. The conversation is the one the row names, or
    else whatever begins with the same words: the rows of one chat share its opening, and rows with
    the same prompt must not be on both sides of the hold-out.
    """
    model = row.get("model")
    if isinstance(model, str) and model:
        origin = origin.model_copy(update={"model": text(model, "model")})
    about = Provenance(
        origin=origin, conversation_id=_conversation(row.get("conversation_id"), asked)
    )
    created = next((row[key] for key in _CREATED_KEYS if row.get(key)), None)
    if (when := moment(created)) is not None:
        about["created"] = when
    return about


def _conversation(given: object, asked: Messages) -> str:
    if isinstance(given, str) and given:
        return stable_id("conversation", given)
    last = next(index for index, turn in enumerate(asked) if turn.role == "user")
    return stable_id(*(f"{turn.role}:{turn.content}" for turn in asked[: last + 1]))


def stable_id(*parts: str) -> str:
    """An id that is the same wherever the parts are, so that importing twice adds nothing."""
    joined = "\x1f".join(parts)
    return hashlib.sha256(joined.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def moment(value: object) -> datetime | None:
    """A time written as ISO 8601, or as seconds or milliseconds since 1970; None for the rest."""
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


def prompt(turns: Messages) -> Messages:
    """Check that there is something to reply to."""
    spoken = [turn for turn in turns if turn.role == "user"]
    if not spoken:
        raise RowError(_("no user message"))
    if not all(turn.content.strip() for turn in spoken):
        raise RowError(_("empty user message"))
    if turns[-1].role != "user":
        raise RowError(_("the message before the reply is not the user's"))
    return turns


def not_empty(reply: str) -> str:
    if not reply.strip():
        raise RowError(_("empty reply"))
    return reply


def differing(chosen: str, rejected: str) -> tuple[str, str]:
    """Check two replies of which the first is preferred."""
    if chosen == rejected:
        raise RowError(_("chosen equals rejected"))
    return not_empty(chosen), not_empty(rejected)


def label(value: object, key: str = "label") -> bool:
    if not isinstance(value, bool):
        raise RowError(_("{key} is not true or false").format(key=key))
    return value


def conversation(row: Row, key: str) -> Messages:
    """The messages under a key, after the row's own system prompt where they have none."""
    spoken = turns(row[key], key)
    system = row.get("system")
    if not system or spoken[0].role == "system":
        return spoken
    return (ChatMessage(role="system", content=text(system, "system")), *spoken)


def read_instructions(row: Row, key: str, origin: Origin) -> ParsedRow:
    """An instruction for each reply of a conversation that is not marked with `weight: 0`.

    A reply that cannot be used is refused alone, as the others are whole without it.

    Raises:
        RowError: there is no reply that can be used.
    """
    if not isinstance(row[key], list):
        raise RowError(_("{key} is not a list of messages").format(key=key))
    spoken = conversation(row, key)
    weights = [_weight(message) for message in row[key]]
    weights = [0, *weights][-len(spoken) :]  # a system prompt of the row may stand in front
    records, refused = [], []
    for index, (turn, weight) in enumerate(zip(spoken, weights, strict=True)):
        if turn.role != "assistant" or not weight:
            continue
        try:
            asked, reply = prompt(spoken[:index]), not_empty(turn.content)
        except RowError as error:
            refused.append(str(error))
        else:
            about = provenance(row, origin, asked)
            records.append(Instruction(**about, prompt=asked, completion=reply))
    if not records:
        raise RowError(refused[0] if refused else _("no reply to learn"))
    return ParsedRow(tuple(records), refused=tuple(refused))


def _weight(message: Row) -> float:
    weight = _first(message, _WEIGHT_KEYS)
    if weight is None:
        return 1
    if not isinstance(weight, int | float):
        raise RowError(_("the weight of a message is not a number"))
    return weight


def turns(value: object, key: str) -> Messages:
    """A list of messages with role and content, or one question as plain text."""
    if isinstance(value, str):
        return (ChatMessage(role="user", content=text(value, key)),)
    if not isinstance(value, list):
        raise RowError(_("{key} is not a list of messages").format(key=key))
    if not value:
        raise RowError(_("{key} has no messages").format(key=key))
    return tuple(turn(message) for message in value)


def turn(message: object) -> ChatMessage:
    """One message with role and content, or with from and value."""
    if not isinstance(message, dict):
        raise RowError(_("a message is not an object with role and content"))
    if message.get("tool_calls") or message.get("function_call"):
        raise RowError(_("a message calls a tool"))
    role = _first(message, _ROLE_KEYS)
    if not isinstance(role, str) or role not in _ROLES:
        raise RowError(
            _("a message has no role")
            if role is None
            else _("unknown role {role!r:.60}").format(role=role)
        )
    return ChatMessage(role=_ROLES[role], content=_content(_first(message, _CONTENT_KEYS)))


def _first(message: Row, keys: Iterable[str]) -> object:
    return next((message[key] for key in keys if message.get(key) is not None), None)


def _content(value: object) -> str:
    """Text, or parts that are all text, put together as chat templates do."""
    if not isinstance(value, list):
        return text(value, "content")
    if not all(isinstance(part, dict) and part.get("type") == "text" for part in value):
        raise RowError(_("a message has a part that is not text"))
    return "".join(text(part.get("text"), "content") for part in value)


def text(value: object, key: str) -> str:
    """Text that every file and tokenizer can hold."""
    if not isinstance(value, str):
        raise RowError(_("{key} is not text").format(key=key))
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise RowError(_("{key} holds half of a surrogate pair").format(key=key)) from None
    return value


def reply(value: object, key: str, asked: Messages) -> str:
    """The text of a reply: a string, one assistant message, or that message after the prompt."""
    if isinstance(value, str):
        return text(value, key)
    spoken = turns([value] if isinstance(value, dict) else value, key)
    if spoken[-1].role != "assistant":
        raise RowError(_("the last message of {key} is not the assistant's").format(key=key))
    if spoken[:-1] not in ((), asked):
        raise RowError(_("{key} is more than one reply to the prompt").format(key=key))
    return spoken[-1].content


def message_dicts(prompt: Messages) -> list[dict[str, str]]:
    """As plain messages."""
    return [turn.model_dump() for turn in prompt]


def reply_dicts(reply: str) -> list[dict[str, str]]:
    """A reply as a list of one message."""
    return [{"role": "assistant", "content": reply}]
