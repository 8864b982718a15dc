"""What an import would bring to a home, told before anything is kept.

It says what `Repository.add_imported` would do, over copies, so it may run in any thread.
"""

from collections.abc import Collection, Iterable
from functools import cached_property

from store.feedback import dedup_key
from store.records import ImportedConversation, Record


class Deduplicator:
    """What is there already; what is told to be new counts as there from then on.

    Args:
        records: The live records of the home.
        ids: Of all its conversations, messages and records.
    """

    def __init__(self, records: Iterable[Record], ids: Collection[str]) -> None:
        self._records = records
        self._ids = set(ids)

    @cached_property
    def _said(self) -> set[object]:
        # Not at once, so that whoever has the records can leave the work to a thread.
        return set(map(dedup_key, self._records))

    def holds(self, item_id: str) -> bool:
        """Whether a conversation, a message or a record of this id is there."""
        return item_id in self._ids

    def new_records(self, records: Iterable[Record]) -> tuple[Record, ...]:
        """Those that are not there, nor say what another one says."""
        new = []
        for record in records:
            if dedup_key(record) not in self._said and record.id not in self._ids:
                self._said.add(dedup_key(record))
                self._ids.add(record.id)
                new.append(record)
        return tuple(new)

    def new_chats(self, chats: Iterable[ImportedConversation]) -> tuple[ImportedConversation, ...]:
        """Those that have messages that are not there, with these alone."""
        new = []
        for chat in chats:
            messages = tuple(message for message in chat.messages if message.id not in self._ids)
            if messages:
                self._ids.update(message.id for message in messages)
                new.append(ImportedConversation(chat.conversation, messages))
        return tuple(new)
