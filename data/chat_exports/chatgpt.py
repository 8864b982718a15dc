"""ChatGPT's export: `conversations.json`, each with a `mapping` of nodes that name their parents.

Read is the text that user and model exchanged. Custom instructions, hidden messages, messages
without weight, and thoughts are left out. Tool calls and their output are skipped, and the marks
that cite them are cut out of the replies, which makes those incomplete.
"""

import re
from collections.abc import Mapping
from typing import Any

from data.chat_exports.fields import (
    FILE,
    TOOL_CALL,
    TOOL_OUTPUT,
    items,
    key,
    mapping,
    name,
    plain,
    title,
)
from data.chat_exports.message_tree import SourceConversation, SourceMessage, identity, read_tree
from data.formats.common import Format, ParsedRow, Row, RowError, parse_time
from store.i18n import N_, _
from store.records import Origin

_CITATION = re.compile(r"【\d+(?::\d+)?†[^【】]*】|\ue200(?!entity)[^\ue200\ue201]*\ue201")
_ENTITY = re.compile(
    r'\ue200entity\ue202\["[^"\ue200\ue201]*","([^"\ue200\ue201]*)"[^\ue201]*\ue201'
)
"""A name linked to what it names; the name is part of the text."""
_HIDDEN = ("thoughts", "reasoning_recap", "user_editable_context", "model_editable_context")
_RECORDINGS = ("audio_asset_pointer", "real_time_user_audio_video_asset_pointer")
_CUT_OFF = ("interrupted", "max_tokens")


def _matches(row: Row) -> bool:
    return "mapping" in row or {"conversation_id", "default_model_slug"} <= row.keys()


def _read(row: Row, origin: Origin) -> ParsedRow:
    nodes = row.get("mapping")
    if not isinstance(nodes, dict):
        raise RowError(_("the conversation has no mapping of messages"))
    default_model = name(row.get("default_model_slug"))
    messages = [_node(given or "?", mapping(node), default_model) for given, node in nodes.items()]
    about = SourceConversation(
        program="chatgpt",
        id=key(row.get("conversation_id")) or key(row.get("id")) or identity(messages),
        origin=origin,
        title=title(row.get("title")),
        created=parse_time(row.get("create_time")),
        updated=parse_time(row.get("update_time")),
        current=key(row.get("current_node")),
    )
    return read_tree(about, messages)


def _node(given: str, node: Mapping[str, Any], default_model: str | None) -> SourceMessage:
    parent = key(node.get("parent"))
    message = mapping(node.get("message"))
    role = mapping(message.get("author")).get("role")
    if role == "tool":
        return SourceMessage(given, parent, None, lacks=TOOL_OUTPUT)
    if _hidden(message):
        return SourceMessage(given, parent, None)
    if role not in ("system", "user", "assistant"):
        return SourceMessage(given, parent, None, lacks=N_("it has no known role"))
    if message.get("recipient") not in ("all", None):
        return SourceMessage(given, parent, None, lacks=TOOL_CALL)
    content, lacks = _content(mapping(message.get("content")))
    details = mapping(message.get("metadata"))
    if role == "assistant":
        content, cited = _CITATION.subn("", _ENTITY.sub(r"\1", content))
        lacks = lacks or (TOOL_OUTPUT if cited else "")
    return SourceMessage(
        id=given,
        parent=parent,
        role=role,
        content=content,
        created=parse_time(message.get("create_time")),
        model=name(details.get("model_slug")) or default_model,
        stopped=_stopped(message, details),
        lacks=lacks or (FILE if details.get("attachments") else ""),
    )


def _hidden(message: Mapping[str, Any]) -> bool:
    hidden = mapping(message.get("metadata")).get("is_visually_hidden_from_conversation")
    kind = mapping(message.get("content")).get("content_type")
    return not message or bool(hidden) or message.get("weight") == 0 or kind in _HIDDEN


def _content(content: Mapping[str, Any]) -> tuple[str, str]:
    kind = content.get("content_type")
    if kind not in ("text", "multimodal_text"):
        return "", TOOL_CALL if kind == "code" else N_("a part that is not text")
    parts = items(content.get("parts"))
    texts = [text for part in parts if (text := _text(part)) is not None]
    transcribed = any(mapping(part) for part in parts if _text(part) is not None)
    lacking = [
        part
        for part in parts
        if _text(part) is None
        and not (transcribed and mapping(part).get("content_type") in _RECORDINGS)
    ]
    return "\n".join(filter(str.strip, texts)), FILE if lacking else ""


def _text(part: object) -> str | None:
    """Typed text, or the transcription of speech."""
    if mapping(part).get("content_type") == "audio_transcription":
        part = mapping(part).get("text")
    return plain(part) if isinstance(part, str) else None


def _stopped(message: Mapping[str, Any], details: Mapping[str, Any]) -> bool:
    ended = mapping(details.get("finish_details")).get("type")
    return message.get("status") not in ("finished_successfully", None) or ended in _CUT_OFF


CHATGPT = Format("chatgpt", _matches, _read)
