"""One message a row: the web UI of llama.cpp and Unsloth Studio; a row about the chat may precede.

Rows of this kind say nothing alone, so `gather` makes one row of those of a conversation. The older
export of llama.cpp, an object with `conv` and `messages`, holds the same messages.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from data.chat_exports.fields import FILE, TOOL_CALL, TOOL_OUTPUT, items, key, mapping, name, parts
from data.chat_exports.fields import title as one_line
from data.chat_exports.message_tree import SourceConversation, SourceMessage, identity, read_tree
from data.formats.common import Format, ParsedRow, Row, RowError, parse_time
from store.i18n import N_, _
from store.records import Origin, Role

_GATHERED = "\ufdd0messages"
"""Key of the rows that were gathered; it begins with a character that no file has."""
_ROLES: dict[str, Role] = {
    **{"system": "system", "developer": "system", "user": "user", "human": "user"},
    **{"assistant": "assistant", "model": "assistant"},
}
_HEADERS = ("session", "session_header", "session_meta", "conversation", "header")


def gather(rows: Iterable[tuple[int, object]]) -> Iterator[tuple[int, object]]:
    """Yield the rows with their lines, those of each conversation as one at the line of its first.

    Rows that are no messages are yielded as they are, and end a conversation.
    """
    begun: tuple[int, dict[str, Any]] | None = None
    for line, row in rows:
        if _is_header(row):
            if begun:
                yield begun
            begun = (line, {"conv": row, _GATHERED: []})
        elif _is_message(row):
            begun = begun or (line, {"conv": {}, _GATHERED: []})
            begun[1][_GATHERED].append(_inner(row))
        else:
            if begun:
                yield begun
            begun = None
            yield line, row
    if begun:
        yield begun


def _inner(row: object) -> Mapping[str, Any]:
    """The message; some programs put it beside its ids."""
    outer = mapping(row)
    inner = mapping(outer.get("message"))
    return {**outer, **inner} if outer.get("type") == "message" and inner else outer


def _is_message(row: object) -> bool:
    message = _inner(row)
    return isinstance(message.get("role"), str) and "content" in message


def _is_header(row: object) -> bool:
    return mapping(row).get("type") in _HEADERS and "role" not in mapping(row)


def _matches(row: Row) -> bool:
    return _GATHERED in row or ("conv" in row and isinstance(row.get("messages"), list))


def _read(row: Row, origin: Origin) -> ParsedRow:
    conversation = mapping(row["conv"])
    given = items(row.get(_GATHERED)) or items(row.get("messages"))
    if not given:
        raise RowError(_("the conversation has no messages"))
    linked = all("parent" in mapping(one) or "parentId" in mapping(one) for one in given)
    messages: list[SourceMessage] = []
    for index, one in enumerate(given):
        before = messages[-1].id if messages else None
        messages.append(_message(f"#{index}", mapping(one), before, linked))
    about = SourceConversation(
        program="llama.cpp",
        id=key(conversation.get("id")) or identity(messages),
        origin=origin,
        title=one_line(conversation.get("name")) or one_line(conversation.get("title")),
        created=parse_time(conversation.get("timestamp") or conversation.get("created_at")),
        updated=parse_time(conversation.get("lastModified")),
        current=key(conversation.get("currNode")),
    )
    return read_tree(about, messages)


def _message(
    given: str, message: Mapping[str, Any], before: str | None, linked: bool
) -> SourceMessage:
    told = message.get("role")
    role = _ROLES.get(told.strip().lower()) if isinstance(told, str) else None
    content, lacks = parts(message.get("content"))
    if told == "tool":
        lacks = TOOL_OUTPUT
    elif role is None:
        lacks = N_("it has no known role")
    elif message.get("tool_calls") or message.get("toolCalls"):
        lacks = TOOL_CALL
    parent = message.get("parent", message.get("parentId"))
    return SourceMessage(
        id=(key(message.get("id")) or given) if linked else given,
        parent=key(parent) if linked else before,
        role=None if message.get("type") == "root" else role,
        content=content,
        created=parse_time(message.get("timestamp") or message.get("created_at")),
        model=name(message.get("model")),
        lacks=lacks or (FILE if message.get("extra") else ""),
    )


MESSAGE_LINES = Format("message-lines", _matches, _read)
