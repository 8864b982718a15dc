"""Alpaca's `instruction, input, output`, with LLaMA-Factory's `system` and `history`, its
preferences (`chosen, rejected`) and its verdicts (`kto_tag`).

The prompt is the instruction, a newline and the input, as LLaMA-Factory joins them. `history` is
only context: LLaMA-Factory learns its replies too, but files with a growing history have a row for
each of them. A row with both an output and a preference becomes a preference, which says more.
"""

import re
from typing import Any

from data.formats.common import (
    Format,
    Messages,
    ParsedRow,
    Provenance,
    Row,
    RowError,
    checked_pair,
    checked_prompt,
    checked_reply,
    checked_text,
    parse_history,
    parse_reply,
    provenance,
)
from data.formats.row_marks import judgement
from store.i18n import _
from store.records import ChatMessage, Instruction, Origin, Preference, Record, Verdict

_NO_INPUT = re.compile(r"[`<\s]*no ?input[`>.\s]*", re.IGNORECASE)
"""What the model that generated Alpaca's rows often wrote for an empty input."""


def _matches(row: Row) -> bool:
    return "instruction" in row and ("output" in row or {"chosen", "rejected"} <= row.keys())


def _read(row: Row, origin: Origin) -> ParsedRow:
    prompt = checked_prompt(_prompt(row))
    about = provenance(row, origin, prompt)
    if "chosen" in row and "rejected" in row:
        chosen, rejected = checked_pair(
            parse_reply(row["chosen"], "chosen", prompt),
            parse_reply(row["rejected"], "rejected", prompt),
        )
        return ParsedRow((Preference(**about, prompt=prompt, chosen=chosen, rejected=rejected),))
    if isinstance(row["output"], list):
        return _ranked(row["output"], prompt, about)
    reply = checked_reply(checked_text(row["output"], "output"))
    if (good := judgement(row)) is not None:
        return ParsedRow((Verdict(**about, prompt=prompt, completion=reply, label=good),))
    return ParsedRow((Instruction(**about, prompt=prompt, completion=reply),))


def _ranked(replies: list[object], prompt: Messages, about: Provenance) -> ParsedRow:
    """LLaMA-Factory's older preferences: the better reply first."""
    if len(replies) != 2:
        raise RowError(_("output is not one reply or a pair of them"))
    chosen, rejected = checked_pair(
        checked_text(replies[0], "output"), checked_text(replies[1], "output")
    )
    return ParsedRow((Preference(**about, prompt=prompt, chosen=chosen, rejected=rejected),))


def _prompt(row: Row) -> Messages:
    system = checked_text(row.get("system") or "", "system")
    instruction = checked_text(row["instruction"] or "", "instruction")
    given = checked_text(row.get("input") or "", "input")
    if _NO_INPUT.fullmatch(given):
        given = ""
    last = "\n".join(part for part in (instruction, given) if part)
    return (
        *([ChatMessage(role="system", content=system)] if system else []),
        *parse_history(row.get("history")),
        ChatMessage(role="user", content=last),
    )


def _write(record: Record) -> Row | None:
    prompt = _prompt_keys(record.prompt)
    if prompt is None:
        return None
    # Every row has every key, because LLaMA-Factory looks up all listed columns unconditionally.
    about = {"system": prompt.pop("system"), "history": prompt.pop("history")}
    match record:
        case Instruction():
            return {**prompt, "output": record.completion, **about}
        case Preference():
            return {**prompt, "chosen": record.chosen, "rejected": record.rejected, **about}
        case Verdict():
            return {**prompt, "output": record.completion, **about, "kto_tag": record.label}


def _prompt_keys(prompt: Messages) -> dict[str, Any] | None:
    """The prompt's keys; None unless it is an optional system prompt, pairs, and a question."""
    system = ""
    if prompt[0].role == "system":
        system, prompt = prompt[0].content, prompt[1:]
        if not system:
            return None
    roles = [message.role for message in prompt]
    if roles != ["user", *["assistant", "user"] * (len(prompt) // 2)]:
        return None
    contents = [message.content for message in prompt]
    history = [list(pair) for pair in zip(contents[:-1:2], contents[1::2], strict=True)]
    return {"instruction": contents[-1], "input": "", "system": system, "history": history}


ALPACA = Format("alpaca", _matches, _read, _write)
