"""`{"messages": [{"role", "content"}, …]}`: OpenAI's fine-tuning rows, and everybody's since.

OpenAI trains on every reply whose `weight` is not 0, so each of them is one instruction here; the
writer gives the replies inside the prompt `weight: 0`, which keeps both the meaning and the record.

Two more of OpenAI's and LLaMA-Factory's rows belong to it: `messages` with a `label` (or
`kto_tag`) judge the last reply, and a preference has `input.messages, preferred_output,
non_preferred_output`, or `messages, chosen, rejected` with one message each.
"""

from typing import Any

from data.formats.common import (
    Format,
    ParsedRow,
    Row,
    RowError,
    conversation,
    differing,
    label,
    message_dicts,
    not_empty,
    prompt,
    provenance,
    read_instructions,
    reply,
    reply_dicts,
)
from store.i18n import _
from store.records import ChatMessage, Instruction, Origin, Preference, Record, Verdict

_LABELS = ("label", "kto_tag")


def _matches(row: Row) -> bool:
    if "preferred_output" in row:
        return isinstance(row.get("input"), dict)
    # Beside lists, which hold the whole conversation or a reply to `prompt`, messages say no more.
    return "messages" in row and not isinstance(row.get("chosen"), list)


def _read(row: Row, origin: Origin) -> ParsedRow:
    if "preferred_output" in row:
        return read_preference(row["input"], "messages", origin, row, "preferred_output")
    if "chosen" in row and "rejected" in row:
        return read_preference(row, "messages", origin, row)
    return read_verdict(row, "messages", origin) or read_instructions(row, "messages", origin)


def read_verdict(row: Row, key: str, origin: Origin) -> ParsedRow | None:
    """The verdict on the last reply of a conversation; None where the row has no label."""
    tag = next((tag for tag in _LABELS if row.get(tag) is not None), None)
    if tag is None:
        return None
    spoken = conversation(row, key)
    if spoken[-1].role != "assistant":
        raise RowError(_("the last message is not the assistant's"))
    asked = prompt(spoken[:-1])
    record = Verdict(
        **provenance(row, origin, asked),
        prompt=asked,
        completion=not_empty(spoken[-1].content),
        label=label(row[tag], tag),
    )
    return ParsedRow((record,))


def read_preference(
    holder: Row, key: str, origin: Origin, row: Row, better: str = "chosen"
) -> ParsedRow:
    """The preference between two replies to a conversation."""
    worse = "rejected" if better == "chosen" else f"non_{better}"
    if key not in holder:
        raise RowError(_("no {key}").format(key=key))
    asked = prompt(conversation(holder, key))
    chosen, rejected = differing(
        reply(row[better], better, asked), reply(row.get(worse), worse, asked)
    )
    about = provenance(row, origin, asked)
    return ParsedRow((Preference(**about, prompt=asked, chosen=chosen, rejected=rejected),))


def _write(record: Record) -> Row | None:
    match record:
        case Instruction():
            asked = [_context(turn) for turn in record.prompt]
            return {"messages": [*asked, *reply_dicts(record.completion)]}
        case Verdict():
            spoken = [*message_dicts(record.prompt), *reply_dicts(record.completion)]
            return {"messages": spoken, "label": record.label}
    return None


def _context(turn: ChatMessage) -> dict[str, Any]:
    return turn.model_dump() | ({"weight": 0} if turn.role == "assistant" else {})


MESSAGES = Format("messages", _matches, _read, _write)
