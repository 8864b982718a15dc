"""Alpaca's `instruction, input, output`, with LLaMA-Factory's `system` and `history`, its
preferences (`chosen, rejected`) and its verdicts (`kto_tag`).

The prompt is the instruction, a line feed and the input, as LLaMA-Factory puts them together.
`history` is context only: LLaMA-Factory learns its replies too, but whoever writes rows with a
growing history has a row for each of them. Where a row has both an output and a preference, the
preference is taken, as it says more.
"""

import re
from typing import Any

from data.formats.common import (
    Format,
    Messages,
    ParsedRow,
    Row,
    RowError,
    differing,
    label,
    not_empty,
    prompt,
    provenance,
    text,
)
from store.i18n import _
from store.records import ChatMessage, Instruction, Origin, Preference, Record, Verdict

_NO_INPUT = re.compile(r"[`<\s]*no ?input[`>.\s]*", re.IGNORECASE)
"""What the model that wrote Alpaca's rows often put where there was no input."""


def _matches(row: Row) -> bool:
    return "instruction" in row and ("output" in row or {"chosen", "rejected"} <= row.keys())


def _read(row: Row, origin: Origin) -> ParsedRow:
    asked = prompt(_prompt(row))
    about = provenance(row, origin, asked)
    if "chosen" in row and "rejected" in row:
        chosen, rejected = differing(
            text(row["chosen"], "chosen"), text(row["rejected"], "rejected")
        )
        return ParsedRow((Preference(**about, prompt=asked, chosen=chosen, rejected=rejected),))
    reply = not_empty(text(row["output"], "output"))
    if row.get("kto_tag") is not None:
        good = label(row["kto_tag"], "kto_tag")
        return ParsedRow((Verdict(**about, prompt=asked, completion=reply, label=good),))
    return ParsedRow((Instruction(**about, prompt=asked, completion=reply),))


def _prompt(row: Row) -> Messages:
    system = text(row.get("system") or "", "system")
    asked = text(row["instruction"] or "", "instruction")
    given = text(row.get("input") or "", "input")
    if _NO_INPUT.fullmatch(given):
        given = ""
    last = "\n".join(part for part in (asked, given) if part)
    return (
        *([ChatMessage(role="system", content=system)] if system else []),
        *_history(row.get("history") or []),
        ChatMessage(role="user", content=last),
    )


def _history(value: object) -> Messages:
    if not isinstance(value, list):
        raise RowError(_("history is not a list of pairs"))
    spoken = []
    for pair in value:
        if not isinstance(pair, list) or len(pair) != 2:
            raise RowError(_("history is not a list of pairs"))
        spoken.append(ChatMessage(role="user", content=text(pair[0], "history")))
        spoken.append(ChatMessage(role="assistant", content=text(pair[1], "history")))
    return tuple(spoken)


def _write(record: Record) -> Row | None:
    asked = _asked(record.prompt)
    if asked is None:
        return None
    # Every row has every key: LLaMA-Factory looks up the ones it is told of without asking.
    about = {"system": asked.pop("system"), "history": asked.pop("history")}
    match record:
        case Instruction():
            return {**asked, "output": record.completion, **about}
        case Preference():
            return {**asked, "chosen": record.chosen, "rejected": record.rejected, **about}
        case Verdict():
            return {**asked, "output": record.completion, **about, "kto_tag": record.label}


def _asked(prompt: Messages) -> dict[str, Any] | None:
    """The prompt's keys; None where it is not a system prompt, pairs, and a question."""
    system = ""
    if prompt[0].role == "system":
        system, prompt = prompt[0].content, prompt[1:]
        if not system:
            return None
    roles = [turn.role for turn in prompt]
    if roles != ["user", *["assistant", "user"] * (len(prompt) // 2)]:
        return None
    said = [turn.content for turn in prompt]
    history = [list(pair) for pair in zip(said[:-1:2], said[1::2], strict=True)]
    return {"instruction": said[-1], "input": "", "system": system, "history": history}


ALPACA = Format("alpaca", _matches, _read, _write)
