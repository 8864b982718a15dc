"""LM Studio's `*.conversation.json`: each message in versions, a reply in steps.

Read is the selected version of each message; the others are earlier attempts.
"""

from collections.abc import Mapping
from typing import Any, cast

from data.chat_exports.fields import TOOL_CALL, items, mapping, name, parts, plain, title
from data.chat_exports.message_tree import SourceConversation, SourceMessage, identity, read_tree
from data.formats.common import Format, ParsedRow, Row, parse_time
from store.i18n import N_
from store.records import Origin, Role


def _matches(row: Row) -> bool:
    first = next(iter(items(row.get("messages"))), None)
    return isinstance(mapping(first).get("versions"), list)


def _read(row: Row, origin: Origin) -> ParsedRow:
    model = name(mapping(row.get("lastUsedModel")).get("identifier"))
    messages = [
        _message(index, _selected(mapping(one)), model) for index, one in enumerate(row["messages"])
    ]
    created = parse_time(row.get("createdAt"))
    about = SourceConversation(
        program="lmstudio",
        id=str(row["createdAt"]) if created else identity(messages),
        origin=origin,
        title=title(row.get("name")),
        created=created,
        system=plain(row.get("systemPrompt")),
    )
    return read_tree(about, messages)


def _selected(message: Mapping[str, Any]) -> Mapping[str, Any]:
    versions = items(message.get("versions"))
    at = message.get("currentlySelected")
    if not isinstance(at, int) or not 0 <= at < len(versions):
        at = len(versions) - 1
    return mapping(versions[at]) if versions else {}


def _message(index: int, version: Mapping[str, Any], model: str | None) -> SourceMessage:
    role = version.get("role")
    known = role in ("system", "user", "assistant")
    steps = items(version.get("steps")) or (version,)
    texts: list[str] = []
    lacks, thought = "", False
    for step in map(mapping, steps):
        if mapping(step.get("style")).get("type") == "thinking":
            thought = True
        elif "tool" in str(step.get("type")).lower():
            lacks = TOOL_CALL
        else:
            text, missing = parts(step.get("content"))
            texts.append(text)
            lacks = lacks or missing
    sender = name(mapping(version.get("senderInfo")).get("senderName"))
    return SourceMessage(
        id=f"#{index}",
        parent=f"#{index - 1}" if index else None,
        role=cast(Role, role) if known else None,
        content="\n\n".join(filter(str.strip, texts)),
        model=sender or model,
        lacks=lacks if known else N_("it has no known role"),
        thought=thought,
    )


LMSTUDIO = Format("lmstudio", _matches, _read)
