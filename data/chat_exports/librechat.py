"""LibreChat's export of one conversation: its messages as a list or as a tree of `children`.

Read are the texts (without thoughts), the system prompt from the options if they were exported, and
the thumbs of newer versions.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from data.chat_exports.fields import FILE, items, key, mapping, name, parts, plain, title
from data.chat_exports.message_tree import SourceConversation, SourceMessage, identity, read_tree
from data.chat_exports.ratings import Thumb, thumb
from data.formats.common import Format, ParsedRow, Row, RowError, parse_time
from store.i18n import N_, _
from store.records import Origin

_NO_PARENT = "00000000-0000-0000-0000-000000000000"
_THOUGHTS = re.compile(r":::thinking\n.*?\n:::(?:\n+|$)", re.DOTALL)
_CUT_OFF = ("incomplete", "length", "max_tokens")
_LABELS = {"thumbsUp": True, "thumbsDown": False}


def _matches(row: Row) -> bool:
    first = next(iter(items(row.get("messages"))), None)
    return "messagesTree" in row or "messageId" in mapping(first)


def _read(row: Row, origin: Origin) -> ParsedRow:
    options = mapping(row.get("options"))
    default_model = name(options.get("model"))
    exported = items(row.get("messagesTree")) or items(row.get("messages"))
    messages = [
        _message(f"#{index}", message, enclosing, default_model)
        for index, (message, enclosing) in enumerate(_flat(exported))
    ]
    if not messages:
        raise RowError(_("the conversation has no messages"))
    times = [one.created for one in messages if one.created]
    about = SourceConversation(
        program="librechat",
        id=key(row.get("conversationId")) or identity(messages),
        origin=origin,
        title=title(row.get("title")) or title(options.get("title")),
        created=min(times, default=None),
        system=plain(options.get("promptPrefix")) or plain(options.get("system")),
    )
    return read_tree(about, messages)


def _flat(messages: object) -> Iterator[tuple[Mapping[str, Any], str | None]]:
    """Each message with the id of the one that encloses it, in file order."""
    waiting: list[tuple[object, str | None]] = [(one, None) for one in reversed(items(messages))]
    while waiting:
        given, enclosing = waiting.pop()
        message = mapping(given)
        yield message, enclosing
        own = key(message.get("messageId")) or enclosing
        waiting.extend((child, own) for child in reversed(items(message.get("children"))))


def _message(
    given: str, message: Mapping[str, Any], enclosing: str | None, default_model: str | None
) -> SourceMessage:
    parent = enclosing or key(message.get("parentMessageId"))
    content, lacks = parts(message.get("content") or message.get("text"))
    by_user = message.get("isCreatedByUser") is True
    thoughts = None if by_user else _THOUGHTS.match(content)
    if thoughts:
        content = content[thoughts.end() :]
    broken = message.get("error") or "error" in (
        mapping(part).get("type") for part in items(message.get("content"))
    )
    return SourceMessage(
        id=key(message.get("messageId")) or given,
        parent=None if parent == _NO_PARENT else parent,
        role="user" if by_user else "assistant",
        content=content,
        created=parse_time(message.get("createdAt")),
        model=name(message.get("model")) or default_model,
        stopped=bool(message.get("unfinished")) or message.get("finish_reason") in _CUT_OFF,
        thumb=_thumb(message.get("feedback")),
        lacks=lacks or _files(message),
        failed=N_("an error") if broken else "",
        thought=thoughts is not None,
    )


def _files(message: Mapping[str, Any]) -> str:
    return FILE if any(map(message.get, ("files", "attachments", "image_urls"))) else ""


def _thumb(feedback: object) -> Thumb | None:
    given = mapping(feedback)
    rating = given.get("rating")
    if not isinstance(rating, str) or rating not in _LABELS:
        return None
    tag = given.get("tag")
    return thumb(_LABELS[rating], mapping(tag).get("key") or tag, given.get("text"))


LIBRECHAT = Format("librechat", _matches, _read)
