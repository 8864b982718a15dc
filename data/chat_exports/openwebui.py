"""Open WebUI's chats: a tree of messages under `chat.history`, with thumbs as annotations.

Read are the messages and the chat's own system prompt. A reply's reasoning is cut out; so is tool
output, which makes the reply incomplete, as does relying on documents or on the web. The list of
messages that old versions stored instead of a tree is read as well.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

from data.chat_exports.fields import FILE, TOOL_CALL, items, key, mapping, name, parts, plain, title
from data.chat_exports.message_tree import SourceConversation, SourceMessage, identity, read_tree
from data.chat_exports.ratings import Thumb, thumb
from data.formats.common import Format, ParsedRow, Row, RowError, parse_time
from store.i18n import N_, _
from store.records import Origin, Role

PROGRAM = "openwebui"

_DETAILS = re.compile(r"<details\b[^<>]*>|</details>")
_TYPE = re.compile(r"""\btype=["']([^"']*)["']""")
_SOURCES = N_("the sources it is based on")
_ROLES = ("system", "user", "assistant")


def _matches(row: Row) -> bool:
    chat = mapping(row.get("chat"))
    return bool({"history", "messages"} & chat.keys()) or "messages" in mapping(row.get("history"))


def _read(row: Row, origin: Origin) -> ParsedRow:
    chat = mapping(row.get("chat")) or row
    messages = read_messages(chat)
    if not messages:
        raise RowError(_("the chat has no messages"))
    return read_tree(conversation_of(row, chat, origin, messages), messages)


def conversation_of(
    row: Mapping[str, Any], chat: Mapping[str, Any], origin: Origin, messages: list[SourceMessage]
) -> SourceConversation:
    """Return the conversation of a chat; `row` is the object that contains the chat."""
    return SourceConversation(
        program=PROGRAM,
        id=key(row.get("id")) or key(chat.get("id")) or identity(messages),
        origin=origin,
        title=title(row.get("title")) or title(chat.get("title")),
        created=parse_time(row.get("created_at")) or parse_time(chat.get("timestamp")),
        updated=parse_time(row.get("updated_at")),
        current=key(mapping(chat.get("history")).get("currentId")),
        system=plain(chat.get("system")) or plain(mapping(chat.get("params")).get("system")),
    )


def read_messages(chat: Mapping[str, Any]) -> list[SourceMessage]:
    """Return the messages of a chat, or of a snapshot of one."""
    kept = mapping(chat.get("history")).get("messages") or chat.get("messages")
    if isinstance(kept, dict):
        return [_message(given or "?", message, None) for given, message in kept.items()]
    messages: list[SourceMessage] = []
    for index, message in enumerate(items(kept)):
        given = key(mapping(message).get("id")) or f"#{index}"
        messages.append(_message(given, message, messages[-1].id if messages else None))
    return messages


def _message(given: str, message: object, before: str | None) -> SourceMessage:
    if not isinstance(message, dict):
        return SourceMessage(given, before, None, lacks=N_("it is not a message"))
    role = message.get("role")
    content, lacks = parts(message.get("content"))
    thought = False
    if role == "assistant":
        content, kinds = _without_blocks(content)
        thought = "reasoning" in kinds
        lacks = lacks or (TOOL_CALL if kinds - {"reasoning"} else "") or _rests_on(message)
    elif role not in _ROLES:
        lacks = N_("it has no known role")
    return SourceMessage(
        id=given,
        parent=key(message["parentId"]) if "parentId" in message else before,
        role=cast(Role, role) if role in _ROLES else None,
        content=content,
        created=parse_time(message.get("timestamp")),
        model=name(message.get("model")),
        stopped=message.get("done") is False,
        thumb=_thumb(message.get("annotation")),
        lacks=lacks or (FILE if message.get("files") else ""),
        failed=N_("an error") if message.get("error") else "",
        thought=thought,
    )


def _rests_on(message: Row) -> str:
    if message.get("sources") or message.get("citations"):
        return _SOURCES
    called = any(
        mapping(one).get("type") == "function_call" for one in items(message.get("output"))
    )
    return TOOL_CALL if called or message.get("code_executions") else ""


def _thumb(annotation: object) -> Thumb | None:
    given = mapping(annotation)
    label = rating_label(given.get("rating"))
    if label is None:
        return None
    return thumb(label, given.get("reason"), given.get("comment"))


def rating_label(rating: object) -> bool | None:
    """Return the label for a rating of 1 or -1, which some versions store as text."""
    if isinstance(rating, bool):
        return None
    return True if rating in (1, "1") else False if rating in (-1, "-1") else None


def _without_blocks(content: str) -> tuple[str, set[str]]:
    """A reply without the blocks that the program folds into it, and the types of those."""
    texts: list[str] = []
    kinds: set[str] = set()
    end = 0
    for kind, start, stop in _blocks(content):
        texts.append(content[end:start])
        end = stop
        kinds.add(kind)
    texts.append(content[end:])
    return "".join(texts).strip() if end else content, kinds


def _blocks(content: str) -> Iterator[tuple[str, int, int]]:
    """The outermost `<details>` with a type; those without a type are the model's own."""
    opened: list[tuple[str, int]] = []
    typed = 0
    for tag in _DETAILS.finditer(content):
        if not tag[0].startswith("</"):
            given = _TYPE.search(tag[0])
            opened.append((given[1] if given else "", tag.start()))
            typed += bool(opened[-1][0])
        elif opened:
            kind, start = opened.pop()
            typed -= bool(kind)
            if kind and not typed:
                yield kind, start, tag.end()


OPENWEBUI = Format("openwebui", _matches, _read)
