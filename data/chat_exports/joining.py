"""Merge several parts of one conversation, exported as single exchanges or as snapshots."""

from collections.abc import Iterable

from data.chat_exports.message_tree import ordered
from store.records import ImportedConversation, Message


def join(conversations: Iterable[ImportedConversation]) -> list[ImportedConversation]:
    """Return one conversation per id, in order of first appearance.

    If a message occurs several times, the last occurrence counts. A part that shares no message
    with the parts before it continues where the older of them ended (with their system prompt).
    """
    groups: dict[str, list[ImportedConversation]] = {}
    for part in conversations:
        groups.setdefault(part.conversation.id, []).append(part)
    return [_joined(group) if len(group) > 1 else group[0] for group in groups.values()]


def _joined(group: list[ImportedConversation]) -> ImportedConversation:
    group.sort(key=lambda part: part.conversation.updated)
    messages: dict[str, Message] = {}
    tip: str | None = None
    for part in group:
        follows = messages and not any(
            message.id in messages for message in part.messages if message.role != "system"
        )
        new = _following(part, tip) if follows else part.messages
        messages.update((message.id, message) for message in new)
        tip = new[-1].id if new else tip
    parents = {message.id: message.parent_id for message in messages.values()}
    begun = min(part.conversation.created for part in group)
    return ImportedConversation(
        group[-1].conversation.model_copy(update={"created": begun}),
        tuple(messages[one] for one in ordered(parents, tip)),
    )


def _following(part: ImportedConversation, tip: str | None) -> tuple[Message, ...]:
    systems = {message.id for message in part.messages if message.role == "system"}
    return tuple(
        message.model_copy(update={"parent_id": tip})
        if message.parent_id is None or message.parent_id in systems
        else message
        for message in part.messages
        if message.id not in systems
    )
