"""Plain columns of text, as spreadsheets have them: a question, a reply, how good it was.

`system, prompt, completion`, `system, prompt, chosen, rejected` and `system, prompt, completion,
label`, under any of the names that are usual for them. There is one question and no conversation
before it, so records with several turns cannot be written.
"""

from typing import Any

from data.formats.common import (
    Format,
    Messages,
    ParsedRow,
    Row,
    RowError,
    differing,
    not_empty,
    prompt,
    provenance,
    text,
)
from store.i18n import _
from store.records import ChatMessage, Instruction, Origin, Preference, Record, Verdict

_NAMES = {
    "prompt": ("prompt", "instruction", "question", "query", "input", "user"),
    "completion": ("completion", "output", "response", "answer", "reply", "assistant"),
    "chosen": ("chosen", "preferred"),
    "rejected": ("rejected", "dispreferred"),
    "label": ("label", "kto_tag", "thumb", "rating"),
    "system": ("system", "system_prompt"),
}
_YES = ("true", "1", "yes", "y", "up", "good", "👍")
_NO = ("false", "0", "-1", "no", "n", "down", "bad", "👎")


def columns(names: list[str]) -> dict[str, str]:
    """Which of the names is which column, whatever their case."""
    given = {name.strip().lower(): name for name in reversed(names)}
    return {
        column: given[name]
        for column, usual in _NAMES.items()
        for name in reversed(usual)
        if name in given
    }


def is_table(names: list[str]) -> bool:
    """Whether there is a question and something to learn among the columns."""
    found = columns(names).keys()
    return "prompt" in found and ("completion" in found or {"chosen", "rejected"} <= found)


def _matches(row: Row) -> bool:
    return is_table(list(row))


def _read(row: Row, origin: Origin) -> ParsedRow:
    found = columns(list(row))
    values = {column: row[name] for column, name in found.items()}
    asked = prompt(_prompt(row, values))
    about = provenance(row, origin, asked)
    if "chosen" in values and "rejected" in values:
        chosen, rejected = differing(
            text(values["chosen"], "chosen"), text(values["rejected"], "rejected")
        )
        return ParsedRow((Preference(**about, prompt=asked, chosen=chosen, rejected=rejected),))
    completion = not_empty(text(values["completion"], found["completion"]))
    if "label" in values:
        good = _label(values["label"])
        return ParsedRow((Verdict(**about, prompt=asked, completion=completion, label=good),))
    return ParsedRow((Instruction(**about, prompt=asked, completion=completion),))


def _prompt(row: Row, values: dict[str, Any]) -> Messages:
    system = text(values.get("system") or "", "system")
    question = text(values["prompt"], "prompt")
    rest = row.get("input")
    if isinstance(rest, str) and rest.strip() and rest != question:
        question = f"{question}\n{rest}"
    asked = ChatMessage(role="user", content=question)
    return (ChatMessage(role="system", content=system), asked) if system else (asked,)


def _label(value: object) -> bool:
    told = str(value).strip().lower()
    if told in _YES:
        return True
    if told in _NO:
        return False
    raise RowError(_("label {value!r:.60} is not yes or no").format(value=value))


def _write(record: Record) -> Row | None:
    match record.prompt:
        case (ChatMessage(role="user", content=asked),):
            system = ""
        case (
            ChatMessage(role="system", content=system),
            ChatMessage(role="user", content=asked),
        ) if system:
            pass
        case _:
            return None
    about = {"system": system, "prompt": asked}
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
