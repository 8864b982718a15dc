"""TRL's rows: `prompt, completion`, `prompt, chosen, rejected`, and `prompt, completion, label`.

Writers produce exactly these keys, with lists of messages. Readers accept what TRL accepts: plain
strings for the prompt and the replies, and a preference without a prompt whose two sides are whole
conversations, also as transcripts (Anthropic's hh-rlhf). The third type is called `kto`, after the
trainer that reads it.
"""

from data.formats.common import (
    Format,
    Messages,
    ParsedRow,
    Row,
    RowError,
    checked_pair,
    checked_prompt,
    checked_reply,
    message_dicts,
    parse_conversation,
    parse_messages,
    parse_reply,
    provenance,
    reply_dicts,
)
from data.formats.row_marks import judgement
from data.formats.transcripts import parse_transcript
from store.i18n import _
from store.records import Instruction, Origin, Preference, Record, Verdict


def _matches(row: Row) -> bool:
    if {"chosen", "rejected"} <= row.keys():
        chosen = row["chosen"]
        return "prompt" in row or not isinstance(chosen, str) or bool(parse_transcript(chosen))
    return {"prompt", "completion"} <= row.keys()


def _matches_verdict(row: Row) -> bool:
    return {"completion", "label"} <= row.keys()


def _read(row: Row, origin: Origin) -> ParsedRow:
    if "chosen" in row and "rejected" in row:
        return _read_preference(row, origin)
    return _read_reply(row, origin)


def _read_preference(row: Row, origin: Origin) -> ParsedRow:
    if row.get("prompt") is None:
        prompt = _shared(row["chosen"], row["rejected"])
    else:
        prompt = parse_conversation(row, "prompt")
    chosen, rejected = checked_pair(
        parse_reply(_side(row, "chosen"), "chosen", prompt),
        parse_reply(_side(row, "rejected"), "rejected", prompt),
    )
    about = provenance(row, origin, checked_prompt(prompt))
    return ParsedRow((Preference(**about, prompt=prompt, chosen=chosen, rejected=rejected),))


def _side(row: Row, key: str) -> object:
    """A side of a preference; without a prompt beside it, a text is a transcript."""
    side = row[key]
    if row.get("prompt") is None and isinstance(side, str):
        return message_dicts(parse_messages(side, key))
    return side


def _read_reply(row: Row, origin: Origin) -> ParsedRow:
    good = judgement(row)
    if row.get("prompt") is None:
        raise RowError(_("no prompt"))
    prompt = checked_prompt(parse_conversation(row, "prompt"))
    completion = checked_reply(parse_reply(row["completion"], "completion", prompt))
    about = provenance(row, origin, prompt)
    if good is not None:
        return ParsedRow((Verdict(**about, prompt=prompt, completion=completion, label=good),))
    return ParsedRow((Instruction(**about, prompt=prompt, completion=completion),))


def _shared(chosen: object, rejected: object) -> Messages:
    if any(isinstance(side, str) and not parse_transcript(side) for side in (chosen, rejected)):
        raise RowError(_("no prompt"))
    one, other = parse_messages(chosen, "chosen"), parse_messages(rejected, "rejected")
    if one[:-1] != other[:-1]:
        raise RowError(_("chosen and rejected differ in more than the last message"))
    return one[:-1]


def row(record: Record) -> Row:
    """Return the row of a record for the trainer of its kind."""
    prompt = message_dicts(record.prompt)
    match record:
        case Instruction():
            return {"prompt": prompt, "completion": reply_dicts(record.completion)}
        case Preference():
            return {
                "prompt": prompt,
                "chosen": reply_dicts(record.chosen),
                "rejected": reply_dicts(record.rejected),
            }
        case Verdict():
            return {
                "prompt": prompt,
                "completion": reply_dicts(record.completion),
                "label": record.label,
            }


def _write_verdict(record: Record) -> Row | None:
    return row(record) if isinstance(record, Verdict) else None


TRL = Format("trl", _matches, _read, row)
KTO = Format("kto", _matches_verdict, _read, _write_verdict)
