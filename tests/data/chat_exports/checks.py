"""What holds of every chat that a reader gives, whatever it was given."""

from typing import Any

from pydantic import TypeAdapter

from data.formats.common import Format, ParsedRow
from store.records import ImportedConversation, Origin, Record

ORIGIN = Origin(source="import:x")
_RECORD: TypeAdapter[Record] = TypeAdapter(Record)


def read(form: Format, row: dict[str, Any]) -> ParsedRow:
    assert form.matches(row)
    found = form.read(row, ORIGIN)
    check(found)
    return found


def chat(form: Format, row: dict[str, Any]) -> ImportedConversation:
    (only,) = read(form, row).conversations
    return only


def said(whole: ImportedConversation) -> list[tuple[str, str]]:
    """Who said what on the path of a chat."""
    by_id = {message.id: message for message in whole.messages}
    path: list[tuple[str, str]] = []
    at = whole.messages[-1].id
    while at:
        path.append((by_id[at].role, by_id[at].content))
        at = by_id[at].parent_id or ""
    return path[::-1]


def check(found: ParsedRow) -> None:
    for record in found.records:
        assert _RECORD.validate_json(record.model_dump_json()) == record
        assert record.prompt[-1].role == "user"
        assert record.origin.source == ORIGIN.source
        assert record.message_id not in found.incomplete
    for whole in found.conversations:
        check_chat(whole)
    replies = {
        m.id for whole in found.conversations for m in whole.messages if m.role == "assistant"
    }
    assert found.incomplete <= replies
    assert {record.message_id for record in found.records} - {None} <= replies
    for sentence in found.refused:
        sentence.encode()


def check_chat(whole: ImportedConversation) -> None:
    seen: dict[str | None, str] = {None: ""}
    for message in whole.messages:
        assert message.id not in seen
        assert message.role != seen[message.parent_id], "turns alternate"
        assert message.role != "system" or message.parent_id is None
        assert message.content.strip()
        assert message.conversation_id == whole.conversation.id
        assert (message.origin is not None) == (message.role == "assistant")
        message.model_dump_json().encode()
        seen[message.id] = message.role
    assert {"user", "assistant"} <= {*seen.values()}
    assert whole.conversation.source == ORIGIN.source
    whole.conversation.model_dump_json().encode()
