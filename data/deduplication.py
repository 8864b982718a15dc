"""Predict what an import would add to a home, before anything is stored.

This mirrors `Repository.add_imported` on copies, so it may run in any thread.
"""

from collections.abc import Collection, Iterable
from functools import cached_property

from store.feedback import dedup_key
from store.records import ImportedConversation, Record


class Deduplicator:
    """Filters out what a home has; whatever it returns as new counts as present from then on.

    Args:
        records: The live records of the home.
        ids: The ids of all its conversations, messages and records.
    """

    def __init__(self, records: Iterable[Record], ids: Collection[str]) -> None:
        self._records = records
        self._ids = set(ids)

    @cached_property
    def _keys(self) -> set[object]:
        # Lazy, so that the work happens in the thread that first needs it.
        return set(map(dedup_key, self._records))

    def holds(self, item_id: str) -> bool:
        """Return whether a conversation, message or record with this id is present."""
        return item_id in self._ids

    def new_records(self, records: Iterable[Record]) -> tuple[Record, ...]:
        """Return the records whose id and dedup key are both new."""
        new = []
        for record in records:
            key = dedup_key(record)
            if key not in self._keys and record.id not in self._ids:
                self._keys.add(key)
                self._ids.add(record.id)
                new.append(record)
        return tuple(new)

    def new_conversations(
        self, conversations: Iterable[ImportedConversation]
    ) -> tuple[ImportedConversation, ...]:
        """Return the conversations that have new messages, reduced to those messages."""
        new = []
        for conversation, messages in conversations:
            unseen = tuple(message for message in messages if message.id not in self._ids)
            if unseen:
                self._ids.update(message.id for message in unseen)
                new.append(ImportedConversation(conversation, unseen))
        return tuple(new)
