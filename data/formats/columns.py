"""Plain text columns, as in spreadsheets: a question, a reply, how good it was.

`system, prompt, completion`, `system, prompt, chosen, rejected` and `system, prompt, completion,
label`, under any of their usual names. There is one question without a conversation before it, so
records with several messages cannot be written.
"""

from typing import Any

from data.formats.common import (
    Format,
    Messages,
    ParsedRow,
    Row,
    RowError,
    checked_pair,
    checked_prompt,
    checked_reply,
    checked_text,
    parse_history,
    provenance,
)
from data.formats.row_marks import judgement, thumb_of
from store.i18n import _
from store.records import ChatMessage, Instruction, Origin, Preference, Record, Verdict

_NAMES = {
    "prompt": (
        *("prompt", "instruction", "question", "query", "input", "user", "text_input", "inputs"),
    ),
    "completion": (
        *("completion", "output", "response", "answer", "reply", "assistant", "targets"),
    ),
    "chosen": ("chosen", "preferred", "response_chosen", "chosen_response", "response_j"),
    "rejected": (
        "rejected",
        "dispreferred",
        "response_rejected",
        "rejected_response",
        "response_k",
    ),
    "label": ("label", "kto_tag", "thumb", "rating"),
    "system": ("system", "system_prompt"),
}
_NUMBERS = {"1": True, "0": False, "-1": False}
_CONTEXTS = ("input", "context", "passage")
"""Columns that belong to the question."""


def columns(names: list[str]) -> dict[str, str]:
    """Map the known columns to the given names, ignoring case."""
    given = {name.strip().lower(): name for name in reversed(names)}
    return {
        column: given[name]
        for column, usual in _NAMES.items()
        for name in reversed(usual)
        if name in given
    }


def is_table(names: list[str]) -> bool:
    """Return whether the columns include a question and something to learn."""
    found = columns(names).keys()
    return "prompt" in found and ("completion" in found or {"chosen", "rejected"} <= found)


def _matches(row: Row) -> bool:
    return is_table(list(row))


def _read(row: Row, origin: Origin) -> ParsedRow:
    found = columns(list(row))
    values = {column: row[name] for column, name in found.items()}
    prompt = checked_prompt(_prompt(row, values))
    about = provenance(row, origin, prompt)
    if "chosen" in values and "rejected" in values:
        chosen, rejected = checked_pair(
            checked_text(values["chosen"], "chosen"), checked_text(values["rejected"], "rejected")
        )
        return ParsedRow((Preference(**about, prompt=prompt, chosen=chosen, rejected=rejected),))
    completion = checked_reply(checked_text(values["completion"], found["completion"]))
    label = found.get("label", "")
    others = judgement({name: value for name, value in row.items() if name != label})
    if label or others is not None:
        good, number = _label(row[label], label) if label else (bool(others), None)
        if others is not None and good != others:
            raise RowError(_("its labels contradict each other"))
        verdict = Verdict(**about, prompt=prompt, completion=completion, label=good)
        return ParsedRow((verdict,), number=number)
    return ParsedRow((Instruction(**about, prompt=prompt, completion=completion),))


def _prompt(row: Row, values: dict[str, Any]) -> Messages:
    system = checked_text(values.get("system") or "", "system")
    question = checked_text(values["prompt"], "prompt")
    for key in _CONTEXTS:
        rest = checked_text(row.get(key) or "", key)
        if rest.strip() and rest != question:
            question = f"{question}\n{rest}"
    before = (ChatMessage(role="system", content=system),) if system else ()
    message = ChatMessage(role="user", content=question)
    return (*before, *parse_history(row.get("history")), message)


def _label(value: object, key: str) -> tuple[bool, tuple[str, str] | None]:
    """A label as a thumb; with its key and value, if it is a number."""
    good = thumb_of(value)
    if good is not None:
        return good, None
    answer = str(value).strip().lower()
    reason = _("{key} {value!r:.60} is not yes or no").format(key=key, value=value)
    try:
        float(answer)
    except ValueError:
        raise RowError(reason) from None
    if answer not in _NUMBERS:
        raise RowError(reason, (key, answer))
    return _NUMBERS[answer], (key, answer)


def _write(record: Record) -> Row | None:
    match record.prompt:
        case (ChatMessage(role="user", content=question),):
            system = ""
        case (
            ChatMessage(role="system", content=system),
            ChatMessage(role="user", content=question),
        ) if system:
            pass
        case _:
            return None
    about = {"system": system, "prompt": question}
    match record:
        case Instruction():
            return {**about, "completion": record.completion}
        case Preference():
            return {**about, "chosen": record.chosen, "rejected": record.rejected}
        case Verdict():
            return {**about, "completion": record.completion, "label": str(record.label).lower()}


COLUMNS = Format("columns", _matches, _read)
"""Such rows in a JSON file."""
CSV = Format("csv", _matches, _read, _write)
