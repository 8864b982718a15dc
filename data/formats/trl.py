"""TRL's rows: `prompt, completion`, `prompt, chosen, rejected`, and `prompt, completion, label`.

Writers give exactly these keys with lists of messages. Readers take what TRL takes: plain strings
for the prompt and the replies, and a preference without a prompt whose two sides are whole
conversations. The last of the three is called `kto`, after the trainer that reads it.
"""

from data.formats.common import (
    Format,
    Messages,
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
    reply,
    reply_dicts,
    turns,
)
from store.i18n import _
from store.records import Instruction, Origin, Preference, Record, Verdict


def _matches(row: Row) -> bool:
    if {"chosen", "rejected"} <= row.keys():
        return "prompt" in row or not isinstance(row["chosen"], str)
    return {"prompt", "completion"} <= row.keys()


def _matches_verdict(row: Row) -> bool:
    return {"completion", "label"} <= row.keys()


def _read(row: Row, origin: Origin) -> ParsedRow:
    if "chosen" in row and "rejected" in row:
        return _read_preference(row, origin)
    return _read_reply(row, origin)


def _read_preference(row: Row, origin: Origin) -> ParsedRow:
    if row.get("prompt") is None:
        asked = _shared(row["chosen"], row["rejected"])
    else:
        asked = conversation(row, "prompt")
    chosen, rejected = differing(
        reply(row["chosen"], "chosen", asked), reply(row["rejected"], "rejected", asked)
    )
    about = provenance(row, origin, prompt(asked))
    return ParsedRow((Preference(**about, prompt=asked, chosen=chosen, rejected=rejected),))


def _read_reply(row: Row, origin: Origin) -> ParsedRow:
    judged = row.get("label") is not None
    good = judged and label(row["label"])
    if row.get("prompt") is None:
        raise RowError(_("no prompt"))
    asked = prompt(conversation(row, "prompt"))
    completion = not_empty(reply(row["completion"], "completion", asked))
    about = provenance(row, origin, asked)
    if judged:
        return ParsedRow((Verdict(**about, prompt=asked, completion=completion, label=good),))
    return ParsedRow((Instruction(**about, prompt=asked, completion=completion),))


def _shared(chosen: object, rejected: object) -> Messages:
    """The prompt that two whole conversations share."""
    if isinstance(chosen, str) or isinstance(rejected, str):
        raise RowError(_("no prompt"))
    one, other = turns(chosen, "chosen"), turns(rejected, "rejected")
    if one[:-1] != other[:-1]:
        raise RowError(_("chosen and rejected differ in more than the last message"))
    return one[:-1]


def row(record: Record) -> Row:
    """The row of a record for the trainer of its kind."""
    asked = message_dicts(record.prompt)
    match record:
        case Instruction():
            return {"prompt": asked, "completion": reply_dicts(record.completion)}
        case Preference():
            return {
                "prompt": asked,
                "chosen": reply_dicts(record.chosen),
                "rejected": reply_dicts(record.rejected),
            }
        case Verdict():
            return {
                "prompt": asked,
                "completion": reply_dicts(record.completion),
                "label": record.label,
            }


def _write_verdict(record: Record) -> Row | None:
    return row(record) if isinstance(record, Verdict) else None


TRL = Format("trl", _matches, _read, row)
KTO = Format("kto", _matches_verdict, _read, _write_verdict)
