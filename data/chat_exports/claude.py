"""Claude's export: `conversations.json`, each chat with its `chat_messages`."""

from collections.abc import Mapping
from typing import Any

from data.chat_exports.fields import FILE, items, key, mapping, name, parts, title
from data.chat_exports.message_tree import SourceConversation, SourceMessage, identity, read_tree
from data.formats.common import Format, ParsedRow, Row, parse_time
from store.i18n import N_
from store.records import Origin, Role

_ROLES: dict[object, Role] = {"human": "user", "assistant": "assistant"}
_NO_PARENT = "00000000-0000-4000-8000-000000000000"


def _matches(row: Row) -> bool:
    return isinstance(row.get("chat_messages"), list)


def _read(row: Row, origin: Origin) -> ParsedRow:
    model = name(row.get("model"))
    messages: list[SourceMessage] = []
    for index, given in enumerate(row["chat_messages"]):
        before = messages[-1].id if messages else None
        messages.append(_message(f"#{index}", mapping(given), before, model))
    about = SourceConversation(
        program="claude",
        id=key(row.get("uuid")) or identity(messages),
        origin=origin,
        title=title(row.get("name")),
        created=parse_time(row.get("created_at")),
        updated=parse_time(row.get("updated_at")),
        current=key(row.get("current_leaf_message_uuid")),
    )
    return read_tree(about, messages)


def _message(
    given: str, message: Mapping[str, Any], before: str | None, model: str | None
) -> SourceMessage:
    content, lacks = parts(message.get("content") or message.get("text"))
    if not content.strip():  # older exports have the text beside the parts
        content = parts(message.get("text"))[0]
    sender = message.get("sender")
    role = _ROLES.get(sender) if isinstance(sender, str) else None
    parent = key(message.get("parent_message_uuid")) or before
    return SourceMessage(
        id=key(message.get("uuid")) or given,
        parent=None if parent == _NO_PARENT else parent,
        role=role,
        content=content,
        created=parse_time(message.get("created_at")),
        model=model,
        lacks=lacks
        or ("" if role else N_("it has no known role"))
        or (FILE if items(message.get("attachments")) or items(message.get("files")) else ""),
    )


CLAUDE = Format("claude", _matches, _read)
