"""Open WebUI's chats: a tree of messages under `chat.history`, with thumbs as annotations.

Taken are the text that was said and the chat's own system prompt. A reply's reasoning is cut out;
what tools did is cut out too, and the reply then is incomplete, as is one that draws on documents
or on the web. The list of messages that old versions kept instead of a tree is read as well.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

from data.chat_exports.fields import (
    FILE,
    TOOL_CALL,
    items,
    key,
    mapping,
    name,
    parts,
    plain,
    title,
)
from data.chat_exports.message_tree import SourceConversation, SourceMessage, identity, parsed
from data.chat_exports.ratings import Thumb, thumb
from data.formats.common import Format, ParsedRow, Row, RowError, moment
from store.i18n import N_, _
from store.records import Origin, Role

PROGRAM = "openwebui"

_DETAILS = re.compile(r"<details\b[^<>]*>|</details>")
_TYPE = re.compile(r"""\btype=["']([^"']*)["']""")
_SOURCES = N_("the sources it draws on")
_ROLES = ("system", "user", "assistant")


def _matches(row: Row) -> bool:
    chat = mapping(row.get("chat"))
    return bool({"history", "messages"} & chat.keys()) or "messages" in mapping(row.get("history"))


def _read(row: Row, origin: Origin) -> ParsedRow:
    chat = mapping(row.get("chat")) or row
    said = messages(chat)
    if not said:
        raise RowError(_("the chat has no messages"))
    return parsed(source(row, chat, origin, said), said)


def source(
    row: Mapping[str, Any], chat: Mapping[str, Any], origin: Origin, said: list[SourceMessage]
) -> SourceConversation:
    """The conversation of a chat; `row` is what the chat is kept in."""
    return SourceConversation(
        program=PROGRAM,
        id=key(row.get("id")) or key(chat.get("id")) or identity(said),
        origin=origin,
        title=title(row.get("title")) or title(chat.get("title")),
        created=moment(row.get("created_at")) or moment(chat.get("timestamp")),
        updated=moment(row.get("updated_at")),
        current=key(mapping(chat.get("history")).get("currentId")),
        system=plain(chat.get("system")) or plain(mapping(chat.get("params")).get("system")),
    )


def messages(chat: Mapping[str, Any]) -> list[SourceMessage]:
    """The messages of a chat, or of a snapshot of one."""
    kept = mapping(chat.get("history")).get("messages") or chat.get("messages")
    if isinstance(kept, dict):
        return [_said(given or "?", message, None) for given, message in kept.items()]
    said: list[SourceMessage] = []
    for index, message in enumerate(items(kept)):
        given = key(mapping(message).get("id")) or f"#{index}"
        said.append(_said(given, message, said[-1].id if said else None))
    return said


def _said(given: str, message: object, before: str | None) -> SourceMessage:
    if not isinstance(message, dict):
        return SourceMessage(given, before, None, lacks=N_("it is no message"))
    role = message.get("role")
    content, lacks = parts(message.get("content"))
    if role == "assistant":
        content, used = _spoken(content)
        lacks = lacks or used or _rests_on(message)
    elif role not in _ROLES:
        lacks = N_("it has no known role")
    return SourceMessage(
        id=given,
        parent=key(message["parentId"]) if "parentId" in message else before,
        role=cast(Role, role) if role in _ROLES else None,
        content=content,
        created=moment(message.get("timestamp")),
        model=name(message.get("model")),
        stopped=message.get("done") is False,
        thumb=_thumb(message.get("annotation")),
        lacks=lacks or (FILE if message.get("files") else ""),
        failed=N_("an error") if message.get("error") else "",
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
    label = liked(given.get("rating"))
    if label is None:
        return None
    return thumb(label, given.get("reason"), given.get("comment"))


def liked(rating: object) -> bool | None:
    """A rating of 1 or -1, which some versions keep as text."""
    if isinstance(rating, bool):
        return None
    return True if rating in (1, "1") else False if rating in (-1, "-1") else None


def _spoken(content: str) -> tuple[str, str]:
    """A reply without the blocks that the program folds into it, and what they were."""
    texts: list[str] = []
    lacks = ""
    end = 0
    for kind, start, stop in _blocks(content):
        texts.append(content[end:start])
        end = stop
        if kind != "reasoning":
            lacks = TOOL_CALL
    texts.append(content[end:])
    return "".join(texts).strip() if end else content, lacks


def _blocks(content: str) -> Iterator[tuple[str, int, int]]:
    """Outermost `<details>` with a type; those without are the model's own."""
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
