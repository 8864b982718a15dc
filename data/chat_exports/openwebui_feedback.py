"""Open WebUI's feedback: one rating, with a snapshot of the chat it was given in.

The snapshot comes in several shapes: the chat as exported, its history alone, or (if the server was
told to keep none) nothing, which cannot be learned from. The conversation is kept besides the
verdict, with the same ids as in an export of the chats.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from data.chat_exports.fields import key, mapping
from data.chat_exports.message_tree import SourceMessage, read_tree
from data.chat_exports.openwebui import conversation_of, rating_label, read_messages
from data.chat_exports.ratings import thumb
from data.formats.common import Format, ParsedRow, Row, RowError, parse_time
from store.i18n import _
from store.records import Origin


def _matches(row: Row) -> bool:
    return "data" in row and ("snapshot" in row or "rating" in mapping(row["data"]))


def _read(row: Row, origin: Origin) -> ParsedRow:
    data, meta = mapping(row["data"]), mapping(row.get("meta"))
    label = rating_label(data.get("rating"))
    if label is None:
        raise RowError(_("the rating is neither 1 nor -1"))
    whole = mapping(mapping(row.get("snapshot")).get("chat"))
    chat, messages = next(_snapshots(mapping(row.get("snapshot"))), ({}, []))
    if not messages:
        raise RowError(_("the snapshot of the chat is empty"))
    rated = key(meta.get("message_id")) or _rated(chat, key(row.get("id")))
    if rated not in {one.id for one in messages}:
        raise RowError(_("the rated message is not in the snapshot"))
    given = thumb(label, data.get("reason"), data.get("comment"), parse_time(row.get("created_at")))
    messages = [replace(one, thumb=given if one.id == rated else None) for one in messages]
    about = conversation_of(whole, chat, origin, messages)
    return read_tree(replace(about, id=key(meta.get("chat_id")) or about.id), messages)


def _snapshots(
    snapshot: Mapping[str, Any],
) -> Iterator[tuple[Mapping[str, Any], list[SourceMessage]]]:
    chat = mapping(snapshot.get("chat"))
    for shape in (mapping(chat.get("chat")), chat, snapshot):
        if messages := read_messages(shape):
            yield shape, messages


def _rated(chat: Mapping[str, Any], feedback: str | None) -> str | None:
    kept = mapping(mapping(chat.get("history")).get("messages"))
    named = (one for one, message in kept.items() if mapping(message).get("feedbackId") == feedback)
    return next(named, None) if feedback else None


OPENWEBUI_FEEDBACK = Format("openwebui-feedback", _matches, _read)
