"""Everything a home stores, behind one class.

Conversations (`store.conversations`) and feedback records (`store.feedback_index`) are held in
memory, so reading is cheap. Every user action is one atomic write of one small file
(`store.segments`), so a crash never leaves half of it. One process writes, guarded by a lock; any
number may read.

Left out on purpose: following the writes of another process. A reader sees the state at the moment
it opened the home.
"""

import os
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Self

from store import conversation_queries, feedback, gc_pause, migrations
from store.conversation_queries import SearchHit
from store.conversations import Conversations
from store.errors import TuteeError
from store.feedback import Comparison, Feedback, JudgedReply, Picked, RecordChanges
from store.feedback_index import Counts, FeedbackIndex
from store.i18n import _
from store.lock import WriterLock
from store.paths import Paths, ensure
from store.records import (
    ChatMessage,
    Conversation,
    ConversationTree,
    ImportedConversation,
    Message,
    Origin,
    Record,
    Role,
    Sampling,
)
from store.storage import clear_leftovers


@dataclass(frozen=True)
class Added:
    records: tuple[Record, ...] = ()
    conversations: int = 0
    messages: int = 0
    """New messages, in new conversations and in existing ones."""


class Repository:
    """The conversations and feedback of one home; open it with `Repository.open`."""

    def __init__(self, paths: Paths, lock: WriterLock | None) -> None:
        write = lock is not None
        self._lock = lock
        with gc_pause.paused(), migrations.up_to_date(paths, write=write) as backups:
            self._conversations = Conversations(backups)
            self._index = FeedbackIndex(backups)
        if lock is not None:
            backups.check = lock.check
            backups.take(date.today())
        self.notices = tuple(backups.notices)
        """What the user must be told after opening: what was damaged, and what replaced it."""

    @classmethod
    def open(cls, paths: Paths, *, write: bool = True) -> Self:
        """Open a home. Create it if needed, and migrate it from an older schema.

        Args:
            write: Take the lock that keeps other writers out; without it, nothing can be changed.

        Raises:
            TuteeError: Another process is writing, the home was written by a newer Tutee, or it
                cannot be read or written.
        """
        if not write:
            return cls(paths, None)
        ensure(paths)
        lock = WriterLock(paths.lock, os.getpid())
        try:
            _clear_leftovers(paths)
            return cls(paths, lock)
        except BaseException:
            lock.release()
            raise

    def close(self) -> None:
        """Release the lock; everything is on disk already."""
        if self._lock is not None:
            self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ids(self) -> frozenset[str]:
        """Return the ids of all conversations, messages and records, superseded ones included."""
        return frozenset((*self._conversations.ids(), *self._index.ids()))

    def add_imported(
        self, records: Iterable[Record], conversations: Iterable[ImportedConversation] = ()
    ) -> Added:
        """Store imported records and conversations that are not here yet.

        Skip records whose id exists or whose content equals a live record's; of an existing
        conversation, add only the new messages. So repeating an import adds nothing, and one that
        the disk refused half-way can simply be repeated.
        """
        with gc_pause.paused():
            new = self._conversations.add_imported(conversations)
            return Added(self._index.add(records), *new)

    # -- conversations ---------------------------------------------------------------------------

    def start_conversation(self, system_prompt: str = "") -> Conversation:
        """Begin a conversation; only its first message writes it to disk, so none stays empty."""
        return self._conversations.start(system_prompt)

    def conversations(self) -> list[Conversation]:
        """Return the conversations in which the user has written something, newest first."""
        return self._conversations.spoken()

    def conversation(self, conversation_id: str) -> Conversation:
        return self._conversations.tree(conversation_id).conversation

    def answered(self) -> bool:
        """Return whether any conversation has a reply."""
        return self._conversations.answered()

    def asked(self, count: int) -> list[str]:
        """Return the user's latest `count` different questions, oldest first."""
        return conversation_queries.latest_questions(self._conversations, count)

    def search(self, text: str) -> list[SearchHit]:
        """Return the conversations with `text` in their title or any message, newest first."""
        return conversation_queries.search(self._conversations, text)

    def rename_conversation(self, conversation_id: str, title: str) -> Conversation:
        """Set a conversation's title; an empty one restores the title from its first question."""
        return self._conversations.rename(conversation_id, title)

    def pin_conversation(self, conversation_id: str, pinned: bool) -> Conversation:
        return self._conversations.change(conversation_id, pinned=pinned)

    def set_chat(
        self,
        conversation_id: str,
        *,
        system_prompt: str,
        sampling: Sampling | None,
        recall: bool | None = None,
    ) -> Conversation:
        """Set how a conversation continues.

        Args:
            system_prompt: Replaces the one it began with; empty restores that one.
            sampling: Overrides the settings; None restores them.
            recall: Likewise.
        """
        return self._conversations.change(
            conversation_id, system_prompt=system_prompt, sampling=sampling, recall=recall
        )

    def delete_conversation(self, conversation_id: str) -> ConversationTree:
        """Delete a conversation but not the feedback given in it; return it for
        `restore_conversation`."""
        return self._conversations.delete(conversation_id)

    def restore_conversation(self, tree: ConversationTree) -> None:
        self._conversations.restore(tree)

    # -- messages --------------------------------------------------------------------------------

    def message(self, message_id: str) -> Message:
        return self._conversations.message(message_id)

    def messages(self, conversation_id: str) -> list[Message]:
        """Return the conversation's current path, first message first."""
        return self._conversations.path(self._conversations.tip(conversation_id))

    def children(self, message_id: str) -> list[Message]:
        """Return what follows a message directly, on every branch, oldest first."""
        return self._conversations.children(message_id)

    def path(self, message_id: str | None) -> list[Message]:
        """Return the messages that lead to one, itself included, first message first."""
        return self._conversations.path(message_id)

    def siblings(self, conversation_id: str) -> dict[str, tuple[str, ...]]:
        """Map each message to all versions of it, itself included, oldest first."""
        return self._conversations.siblings(conversation_id)

    def choose(self, message_id: str) -> None:
        """Make the conversation's path go through a message, to its newest descendant."""
        self._conversations.choose(message_id)

    def add_message(
        self,
        conversation_id: str,
        role: Role,
        content: str,
        *,
        parent_id: str | None = None,
        beside: str | None = None,
        origin: Origin | None = None,
        tokens: int = 0,
        seconds: float = 0.0,
        thoughts: str = "",
        thought_seconds: float = 0.0,
    ) -> Message:
        """Store a message and make it the end of the conversation's path.

        Args:
            content: Its text; the user's first message gives the conversation its title.
            parent_id: The message it follows; by default the end of the path.
            beside: Instead of `parent_id`, the message it is another version of; a reply then
                records that message's system prompt as its own.
            tokens: Length of a reply in tokens.
            seconds: Time it took to generate.
            thoughts: What the model thought before a reply.
        """
        system_prompt = self.conversation(conversation_id).system_prompt
        for neighbor in filter(None, (parent_id, beside)):
            if self.message(neighbor).conversation_id != conversation_id:
                raise TuteeError(
                    _("Message {known} is not in this conversation.").format(known=neighbor)
                )
        parent_id = parent_id or self._conversations.tip(conversation_id)
        if beside:
            parent_id = self.message(beside).parent_id
            system_prompt = self.message(beside).system_prompt
        message = Message(
            conversation_id=conversation_id,
            parent_id=parent_id,
            role=role,
            content=content,
            origin=origin,
            system_prompt=system_prompt if role == "assistant" else "",
            tokens=tokens,
            seconds=seconds,
            thoughts=thoughts,
            thought_seconds=thought_seconds,
        )
        self._conversations.add(message)
        return message

    def prompt_for(self, message_id: str) -> tuple[ChatMessage, ...]:
        """Return everything before a message, corrections replacing what they correct."""
        message = self.message(message_id)
        return self._corrected(self.path(message.parent_id), message.system_prompt)

    def turns(self, conversation_id: str, end: str | None = None) -> tuple[ChatMessage, ...]:
        """Return the path (the current one, or that to `end`) as the model is to see it next,
        corrections included."""
        path = self.path(end) if end else self.messages(conversation_id)
        return self._corrected(path, self.conversation(conversation_id).system_prompt)

    def _corrected(self, path: Iterable[Message], system_prompt: str) -> tuple[ChatMessage, ...]:
        """A path with corrections applied; a `system_prompt` replaces the one it begins with."""
        system = (ChatMessage(role="system", content=system_prompt),) if system_prompt else ()
        messages = (
            ChatMessage(role=m.role, content=self.feedback(m.id).correction or m.content)
            for m in path
            if not (system and m.role == "system")
        )
        return (*system, *messages)

    # -- feedback --------------------------------------------------------------------------------

    def feedback(self, message_id: str) -> Feedback:
        """Return the current feedback on a message; an empty one if there is none."""
        return feedback.feedback_of(self._index.about(message_id))

    def counts(self) -> Counts:
        return self._index.counts()

    def rate(
        self, message_id: str, label: bool, reasons: Sequence[str] = (), comment: str = ""
    ) -> Feedback:
        """Give a reply a 👍 or 👎; repeating the same thumb changes nothing.

        Raises:
            TuteeError: The message is not a reply, is empty, or is corrected and given a 👍.
        """
        change = feedback.thumb(self._reply(message_id), label, tuple(reasons), comment)
        return self._apply(message_id, change)

    def explain(self, message_id: str, reasons: Sequence[str], comment: str = "") -> Feedback:
        """Add reasons to the current 👎, undone together with it; raise TuteeError without one."""
        change = feedback.explain(self._reply(message_id), tuple(reasons), comment)
        return self._apply(message_id, change)

    def correct(self, message_id: str, text: str, why: str = "") -> Feedback:
        """Record what a reply should have been, and why.

        Raises:
            TuteeError: The message is not a reply, or the correction is empty or unchanged.
        """
        return self._apply(message_id, feedback.correct(self._reply(message_id), text, why))

    def prefer(self, message_id: str, others: Sequence[str]) -> Feedback:
        """Record that a reply was picked over `others` to the same prompt.

        Raises:
            TuteeError: The message is not a reply, is empty, or there are no others.
        """
        return self._apply(message_id, feedback.prefer(self._reply(message_id), others))

    def exclude(self, message_id: str, excluded: bool) -> Feedback:
        """Keep feedback on a reply out of training, or let it in; raise TuteeError without any."""
        live = [r for r in self._index.about(message_id) if r.superseded_by is None]
        if not live:
            raise TuteeError(
                _("This reply has no feedback to train on."), _("Rate or correct it first.")
            )
        self.exclude_records([record.id for record in live], excluded)
        return self.feedback(message_id)

    def undo(self, message_id: str) -> Feedback:
        """Undo the latest feedback on a reply; raise TuteeError if there is none."""
        return self._apply(message_id, feedback.undo(self._reply(message_id)))

    def pick(self, comparison: Comparison, picked: Picked) -> tuple[Record, ...]:
        """Record which of two replies is good; a repeated choice changes nothing.

        Returns:
            The records it added; `delete_records` undoes them.

        Raises:
            TuteeError: A reply is empty, or one is preferred over the same text.
        """
        return self._index.add(feedback.pick(comparison, picked))

    def _reply(self, message_id: str) -> JudgedReply:
        message = self.message(message_id)
        if message.role != "assistant":
            raise TuteeError(_("Only the model's replies can be rated or corrected."))
        return JudgedReply(message, self.prompt_for(message_id), self._index.about(message_id))

    def _apply(self, message_id: str, change: RecordChanges) -> Feedback:
        if change != RecordChanges():
            self._index.keep(message_id, change.applied_to(self._index.about(message_id)))
        return self.feedback(message_id)

    # -- records ---------------------------------------------------------------------------------

    def records(self) -> list[Record]:
        """Return all live records, imported ones included, oldest first."""
        return self._index.live()

    def trainable(self) -> list[Record]:
        """Return the live records that are not excluded from training, oldest first."""
        return [record for record in self.records() if not record.excluded]

    def record(self, record_id: str) -> Record:
        """Return one record, live or superseded; raise TuteeError for an unknown id."""
        return self._index.record(record_id)

    def exclude_records(self, ids: Collection[str], excluded: bool) -> list[Record]:
        """Keep records out of training, or let them in, and return those that changed; they stay
        stored and visible. Raise TuteeError for an unknown id."""
        changed = [
            record.model_copy(update={"excluded": excluded})
            for record in map(self.record, ids)
            if record.excluded != excluded
        ]
        self._index.replace(changed)
        return changed

    def delete_records(self, ids: Collection[str]) -> list[Record]:
        """Delete records for good, together with what they superseded.

        What a piece of feedback superseded goes with the last of its records, so that nothing
        comes back to life as it does on undo. The backups keep deleted records for some days.

        Returns:
            All deleted records, oldest first, for `restore_records`.

        Raises:
            TuteeError: There is no record with one of these ids (then nothing is deleted), or the
                disk refused (then what was deleted before that stays deleted, in memory too).
        """
        return self._index.delete(ids)

    def restore_records(self, records: Iterable[Record]) -> None:
        """Restore deleted records exactly; existing ones are left unchanged."""
        self._index.restore(records)


def _clear_leftovers(paths: Paths) -> None:
    """Remove temporary files of killed writers, of the kinds that one lock holder writes."""
    clear_leftovers(paths.config_file.parent, {paths.config_file.name})
    clear_leftovers(paths.records, {"schema.json"})
    for model in paths.models.glob("*/"):
        clear_leftovers(model, {"active.json", "labels.json"})
