"""`{"messages": [{"role", "content"}, …]}`: OpenAI's fine-tuning rows, and by now everybody's.

OpenAI trains on every reply whose `weight` is not 0, so each of them is one instruction here; the
writer gives the replies inside the prompt `weight: 0`, which preserves both the meaning and the
record.

Two more row types of OpenAI and LLaMA-Factory belong here: `messages` with a `label` (or `kto_tag`)
rate the last reply, and a preference has `input.messages, preferred_output, non_preferred_output`,
or `messages, chosen, rejected` with one message each.
"""

from typing import Any

from data.formats.common import (
    Format,
    ParsedRow,
    Row,
    RowError,
    checked_pair,
    checked_prompt,
    checked_reply,
    message_dicts,
    parse_conversation,
    parse_reply,
    provenance,
    read_replies,
    reply_dicts,
)
from data.formats.row_marks import judgement, to_learn
from store.i18n import _
from store.records import ChatMessage, Instruction, Origin, Preference, Record, Verdict


def _matches(row: Row) -> bool:
    if "preferred_output" in row:
        return isinstance(row.get("input"), dict)
    # If `chosen` is a list, it holds the whole conversation or a reply to `prompt` (TRL's format).
    return "messages" in row and not isinstance(row.get("chosen"), list)


def _read(row: Row, origin: Origin) -> ParsedRow:
    if "preferred_output" in row:
        return read_preference(row["input"], "messages", origin, row, "preferred_output")
    if "chosen" in row and "rejected" in row:
        return read_preference(row, "messages", origin, row)
    if row.get("rejected_response") is not None:
        return _read_correction(row, origin)
    return read_verdict(row, "messages", origin) or read_replies(row, "messages", origin)


def read_verdict(row: Row, key: str, origin: Origin) -> ParsedRow | None:
    """Return the verdict on the last reply of a conversation; None if the row has no label."""
    good = judgement(row)
    if good is None:
        return None
    messages = parse_conversation(row, key)
    if messages[-1].role != "assistant":
        raise RowError(_("the last message is not the assistant's"))
    if not to_learn(row[key][-1]):
        raise RowError(_("a reply is marked as not to be learned"))
    prompt = checked_prompt(messages[:-1])
    record = Verdict(
        **provenance(row, origin, prompt),
        prompt=prompt,
        completion=checked_reply(messages[-1].content),
        label=good,
    )
    return ParsedRow((record,))


def _read_correction(row: Row, origin: Origin) -> ParsedRow:
    """ms-swift's preferences: the conversation ends with the better reply, the worse is beside."""
    messages = parse_conversation(row, "messages")
    if messages[-1].role != "assistant":
        raise RowError(_("the last message is not the assistant's"))
    prompt = checked_prompt(messages[:-1])
    chosen, rejected = checked_pair(
        messages[-1].content, parse_reply(row["rejected_response"], "rejected_response", prompt)
    )
    about = provenance(row, origin, prompt)
    return ParsedRow((Preference(**about, prompt=prompt, chosen=chosen, rejected=rejected),))


def read_preference(
    holder: Row, key: str, origin: Origin, row: Row, better: str = "chosen"
) -> ParsedRow:
    """Return the preference between two replies to a conversation."""
    worse = "rejected" if better == "chosen" else f"non_{better}"
    if key not in holder:
        raise RowError(_("no {key}").format(key=key))
    prompt = checked_prompt(parse_conversation(holder, key))
    chosen, rejected = checked_pair(
        parse_reply(row[better], better, prompt), parse_reply(row.get(worse), worse, prompt)
    )
    about = provenance(row, origin, prompt)
    return ParsedRow((Preference(**about, prompt=prompt, chosen=chosen, rejected=rejected),))


def _write(record: Record) -> Row | None:
    match record:
        case Instruction():
            prompt = [_context(message) for message in record.prompt]
            return {"messages": [*prompt, *reply_dicts(record.completion)]}
        case Verdict():
            messages = [*message_dicts(record.prompt), *reply_dicts(record.completion)]
            return {"messages": messages, "label": record.label}
    return None


def _context(message: ChatMessage) -> dict[str, Any]:
    return message.model_dump() | ({"weight": 0} if message.role == "assistant" else {})


MESSAGES = Format("messages", _matches, _read, _write)
