"""Google AI Studio's prompts, as it stores them on Drive: `chunkedPrompt`, with `runSettings`."""

from collections.abc import Mapping
from typing import Any

from data.chat_exports.fields import FILE, items, mapping, name, plain
from data.chat_exports.message_tree import SourceConversation, SourceMessage, identity, read_tree
from data.formats.common import Format, ParsedRow, Row, parse_time
from store.i18n import N_
from store.records import Origin, Role

_ROLES: dict[object, Role] = {"user": "user", "model": "assistant"}
_FILES = ("driveImage", "driveDocument", "driveVideo", "driveAudio", "inlineImage", "inlineFile")


def _matches(row: Row) -> bool:
    return isinstance(mapping(row.get("chunkedPrompt")).get("chunks"), list)


def _read(row: Row, origin: Origin) -> ParsedRow:
    model = name(mapping(row.get("runSettings")).get("model"))
    chunks = mapping(row["chunkedPrompt"])["chunks"]
    messages = [_message(index, mapping(chunk), model) for index, chunk in enumerate(chunks)]
    system = mapping(row.get("systemInstruction"))
    about = SourceConversation(
        program="aistudio",
        id=identity(messages),
        origin=origin,
        system=plain(system.get("text")) or _text(items(system.get("parts"))),
    )
    return read_tree(about, messages)


def _message(index: int, chunk: Mapping[str, Any], model: str | None) -> SourceMessage:
    told = chunk.get("role")
    role = _ROLES.get(told) if isinstance(told, str) else None
    thought = chunk.get("isThought") is True
    return SourceMessage(
        id=f"#{index}",
        parent=f"#{index - 1}" if index else None,
        role=None if thought else role,
        content=plain(chunk.get("text")) or _text(items(chunk.get("parts"))),
        created=parse_time(chunk.get("createTime")),
        model=model,
        stopped=chunk.get("finishReason") not in (None, "STOP"),
        lacks=(FILE if any(map(chunk.get, _FILES)) else "")
        or ("" if role else N_("it has no known role")),
        thought=thought,
    )


def _text(parts: Any) -> str:
    given = map(mapping, parts)
    return "".join(plain(part.get("text")) for part in given if part.get("thought") is not True)


AISTUDIO = Format("aistudio", _matches, _read)
