"""`{"systemInstruction": …, "contents": [{"role", "parts"}]}`: rows to tune Gemini with."""

from typing import Any

from data.formats.common import Format, ParsedRow, Row, RowError, read_replies
from data.formats.messages import read_verdict
from store.i18n import _
from store.records import Origin


def _matches(row: Row) -> bool:
    contents = row.get("contents")
    return isinstance(contents, list) and any(
        isinstance(one, dict) and "parts" in one for one in contents
    )


def _read(row: Row, origin: Origin) -> ParsedRow:
    system = row.get("systemInstruction") or row.get("system_instruction")
    messages = [_message(one) for one in row["contents"]]
    about = {**row, "messages": messages}
    if system:
        about["system"] = system if isinstance(system, str) else _text(system)
    return read_verdict(about, "messages", origin) or read_replies(about, "messages", origin)


def _message(given: object) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise RowError(_("a message is not an object with role and content"))
    marks = {key: value for key, value in given.items() if key != "parts"}
    return {"role": "user", **marks, "content": _text(given)}


def _text(given: object) -> str:
    parts = given.get("parts") if isinstance(given, dict) else None
    parts = [parts] if isinstance(parts, dict) else parts
    if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts):
        raise RowError(_("a message has a part that is not text"))
    texts = [part.get("text") for part in parts if part.get("thought") is not True]
    if not all(isinstance(text, str) for text in texts):
        raise RowError(_("a message has a part that is not text"))
    return "".join(filter(None, texts))


GEMINI = Format("gemini", _matches, _read)
