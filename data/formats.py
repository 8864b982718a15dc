"""Rows of other programs' files ↔ records: one reader and one writer a format, nothing else.

    messages     {"messages": [{"role", "content"}, …]}              OpenAI; SFT
    preference   {"prompt": […], "chosen": […], "rejected": […]}     TRL; reward model
    verdict      {"prompt": […], "completion": […], "label": true}   TRL (KTO)

Writers give exactly these shapes. Readers also take what TRL takes: plain strings for the prompt
and the replies, and a preference without a prompt whose two sides are whole conversations.

Left out on purpose: tool calls, images and other message parts. Such rows are refused, because
learning a reply from half of its conversation is worse than not learning it.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from store.records import Instruction, Origin, Preference, Record, Role, Turn, Verdict

_ROLES: dict[str, Role] = {"system": "system", "user": "user", "assistant": "assistant"}

Turns = tuple[Turn, ...]


class RowError(ValueError):
    """A row that cannot be used; its text is the reason, in plain words."""


class Format(NamedTuple):
    """A kind of row: its name, the keys that tell it, and its reader."""

    name: str
    keys: frozenset[str]
    read: Callable[[dict[str, Any], Origin], Record]


# -- reading -------------------------------------------------------------------------------------


def read(row: object, origin: Origin) -> tuple[str, Record]:
    """Turn a row into a record; its format is told by its keys.

    Returns:
        The name of the format, and the record.

    Raises:
        RowError: it has no known format, or cannot be used.
    """
    if not isinstance(row, dict):
        raise RowError("not a JSON object")
    for known in FORMATS:
        if known.keys <= row.keys():
            return known.name, known.read(row, origin)
    expected = ", or ".join(" + ".join(sorted(known.keys)) for known in FORMATS)
    raise RowError(f"no known format (expected the keys {expected})")


def _read_messages(row: dict[str, Any], origin: Origin) -> Record:
    if "label" in row:
        raise RowError("messages with a label; a verdict needs prompt, completion and label")
    turns = _turns(row["messages"], "messages")
    if turns[-1].role != "assistant":
        raise RowError("the last message is not the assistant's")
    return Instruction(
        origin=origin, prompt=_prompt(turns[:-1]), completion=_not_empty(turns[-1].content)
    )


def _read_preference(row: dict[str, Any], origin: Origin) -> Record:
    if row.get("prompt") is None:
        prompt, chosen, rejected = _split(row["chosen"], row["rejected"])
    else:
        prompt = _turns(row["prompt"], "prompt")
        chosen = _reply(row["chosen"], "chosen", prompt)
        rejected = _reply(row["rejected"], "rejected", prompt)
    if chosen == rejected:
        raise RowError("chosen equals rejected")
    return Preference(
        origin=origin,
        prompt=_prompt(prompt),
        chosen=_not_empty(chosen),
        rejected=_not_empty(rejected),
    )


def _read_verdict(row: dict[str, Any], origin: Origin) -> Record:
    label = row["label"]
    if not isinstance(label, bool):
        raise RowError("label is not true or false")
    if row.get("prompt") is None:
        raise RowError("no prompt")
    prompt = _turns(row["prompt"], "prompt")
    completion = _reply(row["completion"], "completion", prompt)
    return Verdict(
        origin=origin, prompt=_prompt(prompt), completion=_not_empty(completion), label=label
    )


FORMATS = (
    Format("messages", frozenset({"messages"}), _read_messages),
    Format("preference", frozenset({"chosen", "rejected"}), _read_preference),
    Format("verdict", frozenset({"completion", "label"}), _read_verdict),
)


def _split(chosen: object, rejected: object) -> tuple[Turns, str, str]:
    """Take the prompt that two whole conversations share, and the reply each ends with."""
    if isinstance(chosen, str) or isinstance(rejected, str):
        raise RowError("no prompt")
    one, other = _turns(chosen, "chosen"), _turns(rejected, "rejected")
    if one[:-1] != other[:-1]:
        raise RowError("chosen and rejected differ in more than the last message")
    return one[:-1], _reply(chosen, "chosen", one[:-1]), _reply(rejected, "rejected", one[:-1])


def _reply(value: object, key: str, prompt: Turns) -> str:
    """The text of a reply: a string, one assistant message, or that message after the prompt."""
    if isinstance(value, str):
        return _text(value, key)
    turns = _turns(value, key)
    if turns[-1].role != "assistant":
        raise RowError(f"the last message of {key} is not the assistant's")
    if turns[:-1] not in ((), prompt):
        raise RowError(f"{key} is more than one reply to the prompt")
    return turns[-1].content


def _prompt(turns: Turns) -> Turns:
    """Check that there is something to reply to."""
    spoken = [turn for turn in turns if turn.role == "user"]
    if not spoken:
        raise RowError("no user message")
    if not all(turn.content.strip() for turn in spoken):
        raise RowError("empty user message")
    if turns[-1].role != "user":
        raise RowError("the message before the reply is not the user's")
    return turns


def _not_empty(reply: str) -> str:
    if not reply.strip():
        raise RowError("empty reply")
    return reply


def _turns(value: object, key: str) -> Turns:
    if isinstance(value, str):
        return (Turn(role="user", content=_text(value, key)),)
    if not isinstance(value, list):
        raise RowError(f"{key} is not a list of messages")
    if not value:
        raise RowError(f"{key} has no messages")
    return tuple(_turn(message) for message in value)


def _turn(message: object) -> Turn:
    if not isinstance(message, dict):
        raise RowError("a message is not an object with role and content")
    if message.get("tool_calls") or message.get("function_call"):
        raise RowError("a message calls a tool")
    role = message.get("role")
    if not isinstance(role, str) or role not in _ROLES:
        raise RowError("a message has no role" if role is None else f"unknown role {role!r}")
    return Turn(role=_ROLES[role], content=_text(message.get("content"), "content"))


def _text(value: object, key: str) -> str:
    if not isinstance(value, str):
        raise RowError(f"{key} is not text")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise RowError(f"{key} holds half of a surrogate pair") from None
    return value


# -- writing -------------------------------------------------------------------------------------


def row(record: Record) -> dict[str, Any]:
    """The row of a record, in the format of its kind."""
    prompt = [turn.model_dump() for turn in record.prompt]
    match record:
        case Instruction():
            return {"messages": [*prompt, *_said(record.completion)]}
        case Preference():
            return {
                "prompt": prompt,
                "chosen": _said(record.chosen),
                "rejected": _said(record.rejected),
            }
        case Verdict():
            return {
                "prompt": prompt,
                "completion": _said(record.completion),
                "label": record.label,
            }


def _said(reply: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": reply}]
