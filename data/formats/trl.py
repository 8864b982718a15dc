"""TRL's rows: `prompt, chosen, rejected` and `prompt, completion, label`.

Writers give exactly these keys with lists of messages. Readers take what TRL takes: plain strings
for the prompt and the replies, and a preference without a prompt whose two sides are whole
conversations.
"""

from data.formats.common import (
    Format,
    Found,
    Row,
    RowError,
    Turns,
    dumped,
    not_empty,
    prompt,
    said,
    text,
    turns,
)
from store.records import Origin, Preference, Record, Verdict


def _matches_preference(row: Row) -> bool:
    return {"chosen", "rejected"} <= row.keys()


def _read_preference(row: Row, origin: Origin) -> Found:
    if row.get("prompt") is None:
        asked, chosen, rejected = _split(row["chosen"], row["rejected"])
    else:
        asked = turns(row["prompt"], "prompt")
        chosen = _reply(row["chosen"], "chosen", asked)
        rejected = _reply(row["rejected"], "rejected", asked)
    if chosen == rejected:
        raise RowError("chosen equals rejected")
    record = Preference(
        origin=origin,
        prompt=prompt(asked),
        chosen=not_empty(chosen),
        rejected=not_empty(rejected),
    )
    return Found((record,))


def _write_preference(record: Record) -> Row | None:
    if not isinstance(record, Preference):
        return None
    return {
        "prompt": dumped(record.prompt),
        "chosen": said(record.chosen),
        "rejected": said(record.rejected),
    }


def _matches_verdict(row: Row) -> bool:
    return {"completion", "label"} <= row.keys()


def _read_verdict(row: Row, origin: Origin) -> Found:
    label = row["label"]
    if not isinstance(label, bool):
        raise RowError("label is not true or false")
    if row.get("prompt") is None:
        raise RowError("no prompt")
    asked = turns(row["prompt"], "prompt")
    completion = not_empty(_reply(row["completion"], "completion", asked))
    return Found(
        (Verdict(origin=origin, prompt=prompt(asked), completion=completion, label=label),)
    )


def _write_verdict(record: Record) -> Row | None:
    if not isinstance(record, Verdict):
        return None
    return {
        "prompt": dumped(record.prompt),
        "completion": said(record.completion),
        "label": record.label,
    }


def _split(chosen: object, rejected: object) -> tuple[Turns, str, str]:
    """Take the prompt that two whole conversations share, and the reply each ends with."""
    if isinstance(chosen, str) or isinstance(rejected, str):
        raise RowError("no prompt")
    one, other = turns(chosen, "chosen"), turns(rejected, "rejected")
    if one[:-1] != other[:-1]:
        raise RowError("chosen and rejected differ in more than the last message")
    return one[:-1], _reply(chosen, "chosen", one[:-1]), _reply(rejected, "rejected", one[:-1])


def _reply(value: object, key: str, asked: Turns) -> str:
    """The text of a reply: a string, one assistant message, or that message after the prompt."""
    if isinstance(value, str):
        return text(value, key)
    spoken = turns(value, key)
    if spoken[-1].role != "assistant":
        raise RowError(f"the last message of {key} is not the assistant's")
    if spoken[:-1] not in ((), asked):
        raise RowError(f"{key} is more than one reply to the prompt")
    return spoken[-1].content


PREFERENCE = Format("preference", _matches_preference, _read_preference, _write_preference)
VERDICT = Format("verdict", _matches_verdict, _read_verdict, _write_verdict)
