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
    provenance,
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
    if "label" in values:
        good = _label(values["label"])
        return ParsedRow((Verdict(**about, prompt=prompt, completion=completion, label=good),))
    return ParsedRow((Instruction(**about, prompt=prompt, completion=completion),))


def _prompt(row: Row, values: dict[str, Any]) -> Messages:
    system = checked_text(values.get("system") or "", "system")
    question = checked_text(values["prompt"], "prompt")
    rest = row.get("input")
    if isinstance(rest, str) and rest.strip() and rest != question:
        question = f"{question}\n{rest}"
    message = ChatMessage(role="user", content=question)
    return (ChatMessage(role="system", content=system), message) if system else (message,)


def _label(value: object) -> bool:
    answer = str(value).strip().lower()
    if answer in _YES:
        return True
    if answer in _NO:
        return False
    raise RowError(_("label {value!r:.60} is not yes or no").format(value=value))


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
