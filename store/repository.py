"""Everything that is kept, behind typed verbs.

Three files, because they change at different times and one must not rewrite the others:
conversations, the feedback given in them, and imported records. All are held in memory, so that
reading is cheap; every verb that changes something is one atomic write, so a crash never leaves
half of it. One process writes (a lock names it), any number read.

The path of a conversation is the way from its first message to the one added last.

Left out on purpose: reading along while another process writes; a reader sees what was there when
it opened.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Self, TypeVar

from pydantic import TypeAdapter

from store import acts
from store.acts import Feedback, Reply, said
from store.database import Database
from store.errors import TuteeError
from store.lock import WriterLock
from store.paths import Paths, ensure
from store.records import (
    Conversation,
    Instruction,
    Message,
    Origin,
    Preference,
    Record,
    Role,
    Turn,
    Verdict,
)
from store.storage import damaged

__all__ = ["Counts", "Feedback", "Repository"]

_CONVERSATIONS = "conversations"
_MESSAGES = "messages"
_RECORDS = "records"
_TITLE_LENGTH = 60

_RECORD: TypeAdapter[Record] = TypeAdapter(Record)

_Kind = TypeVar("_Kind", Instruction, Preference, Verdict)


@dataclass(frozen=True)
class Counts:
    """How much there is; the first three count replies judged in the chat."""

    liked: int
    disliked: int
    corrected: int
    instructions: int
    preferences: int
    verdicts: int


class Repository:
    """The home of one person's conversations and records; see the module for the idea.

    Open it with `Repository.open`, and close it or use it as a context manager.
    """

    def __init__(self, paths: Paths, lock: WriterLock | None) -> None:
        write = lock is not None
        self._lock = lock
        self._talk = Database(paths.conversations, write=write)
        self._judged = Database(paths.feedback, write=write)
        self._brought = Database(paths.imports, write=write)
        self._conversations = self._talk.load(_CONVERSATIONS, TypeAdapter(Conversation))
        self._messages = self._talk.load(_MESSAGES, TypeAdapter(Message))
        self._tips = {message.conversation_id: message.id for message in self._messages.values()}
        self._check_tree(paths)
        self._drafts: dict[str, list[Message]] = {}
        self._feedback: dict[str, tuple[Record, ...]] = {}
        for record in self._judged.load(_RECORDS, _RECORD).values():
            key = record.message_id or ""
            self._feedback[key] = (*self._feedback.get(key, ()), record)
        self._imports = list(self._brought.load(_RECORDS, _RECORD).values())

    @classmethod
    def open(cls, paths: Paths, *, write: bool = True) -> Self:
        """Open a home, making it if need be.

        Args:
            paths: Where it is.
            write: Take the lock that keeps other writers out; without it nothing can be changed.

        Raises:
            TuteeError: another process is writing, a database is damaged or newer than this
                program, or the home cannot be written.
        """
        if not write:
            return cls(paths, None)
        ensure(paths)
        lock = WriterLock(paths.lock, os.getpid())
        try:
            return cls(paths, lock)
        except BaseException:
            lock.release()
            raise

    def close(self) -> None:
        """Let other writers in; everything is on the disk already."""
        if self._lock is not None:
            self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _check_tree(self, paths: Paths) -> None:
        """Refuse messages that hang in the air; parents come first, so there is no circle."""
        seen: dict[str | None, str] = {}
        for message in self._messages.values():
            home = message.conversation_id
            if home not in self._conversations or (
                message.parent_id is not None and seen.get(message.parent_id) != home
            ):
                raise damaged(paths.conversations, f"message {message.id} has lost its place")
            seen[message.id] = home

    # -- conversations ---------------------------------------------------------------------------

    def start_conversation(self, system_prompt: str = "") -> Conversation:
        """Begin a conversation; it reaches the disk with its first message, so none stays empty."""
        conversation = Conversation()
        self._conversations[conversation.id] = conversation
        if system_prompt:
            root = Message(
                conversation_id=conversation.id, role="system", content=_clean(system_prompt)
            )
            self._drafts[conversation.id] = [root]
            self._remember(root)
        return conversation

    def conversations(self) -> list[Conversation]:
        """Those in which the person has said something, newest first."""
        spoken = {m.conversation_id for m in self._messages.values() if m.role == "user"}
        kept = [c for c in self._conversations.values() if c.id in spoken]
        return sorted(kept, key=lambda c: c.updated, reverse=True)

    def conversation(self, conversation_id: str) -> Conversation:
        try:
            return self._conversations[conversation_id]
        except KeyError:
            raise TuteeError(f"There is no conversation {conversation_id}.") from None

    def messages(self, conversation_id: str) -> list[Message]:
        """The path of the conversation, first message first."""
        self.conversation(conversation_id)
        return self._path(self._tips.get(conversation_id))

    def message(self, message_id: str) -> Message:
        try:
            return self._messages[message_id]
        except KeyError:
            raise TuteeError(f"There is no message {message_id}.") from None

    def add_message(
        self,
        conversation_id: str,
        role: Role,
        content: str,
        *,
        parent_id: str | None = None,
        origin: Origin | None = None,
        tokens: int = 0,
        seconds: float = 0.0,
    ) -> Message:
        """Keep a message; it becomes the end of the conversation's path.

        Args:
            conversation_id: The conversation it belongs to.
            role: Whose it is.
            content: Its text; the first one of the person gives the conversation its title.
            parent_id: The message it follows; the end of the path if not given.
            origin: Where a reply came from.
            tokens: Tokens of a reply.
            seconds: How long it took.
        """
        conversation = self.conversation(conversation_id)
        if parent_id and self.message(parent_id).conversation_id != conversation_id:
            raise TuteeError(f"Message {parent_id} is not in this conversation.")
        message = Message(
            conversation_id=conversation_id,
            parent_id=parent_id or self._tips.get(conversation_id),
            role=role,
            content=_clean(content),
            origin=origin,
            tokens=tokens,
            seconds=seconds,
        )
        changes: dict[str, object] = {"updated": message.created}
        if role == "user" and not conversation.title:
            changes["title"] = _title(message.content)
        conversation = conversation.model_copy(update=changes)
        with self._talk.transaction():
            self._talk.update(_CONVERSATIONS, [conversation])
            self._talk.insert(_MESSAGES, [*self._drafts.get(conversation_id, ()), message])
        self._drafts.pop(conversation_id, None)
        self._conversations[conversation_id] = conversation
        self._remember(message)
        return message

    def prompt_for(self, message_id: str) -> tuple[Turn, ...]:
        """Everything before a message, with corrections in place of what they correct."""
        return self._turns(self._path(self.message(message_id).parent_id))

    def turns(self, conversation_id: str) -> tuple[Turn, ...]:
        """The whole path as the model is to see it next, with corrections in place."""
        return self._turns(self.messages(conversation_id))

    def _turns(self, path: Iterable[Message]) -> tuple[Turn, ...]:
        return tuple(
            Turn(role=m.role, content=self.feedback(m.id).correction or m.content) for m in path
        )

    def _path(self, message_id: str | None) -> list[Message]:
        path = []
        while message_id is not None:
            message = self.message(message_id)
            path.append(message)
            message_id = message.parent_id
        return path[::-1]

    def _remember(self, message: Message) -> None:
        self._messages[message.id] = message
        self._tips[message.conversation_id] = message.id

    # -- feedback --------------------------------------------------------------------------------

    def rate(
        self, message_id: str, label: bool, reasons: Sequence[str] = (), comment: str = ""
    ) -> Feedback:
        """👍 or 👎 a reply; the same thumb again changes nothing.

        Raises:
            TuteeError: it is no reply, an empty one, or a corrected one given a 👍.
        """
        reply = self._reply(message_id)
        return self._do(message_id, acts.thumb(reply, label, tuple(reasons), _clean(comment)))

    def correct(self, message_id: str, text: str) -> Feedback:
        """Say what the reply should have been.

        Raises:
            TuteeError: it is no reply, or the correction is empty or the reply itself.
        """
        return self._do(message_id, acts.correct(self._reply(message_id), _clean(text)))

    def undo(self, message_id: str) -> Feedback:
        """Take back the latest thumb or correction on a reply.

        Raises:
            TuteeError: there is none.
        """
        return self._do(message_id, acts.undo(self._reply(message_id)))

    def feedback(self, message_id: str) -> Feedback:
        """What stands about a message; nothing for one that was never judged."""
        return acts.feedback_of(self._feedback.get(message_id, ()))

    def feedback_for(self, message_ids: Iterable[str]) -> dict[str, Feedback]:
        return {message_id: self.feedback(message_id) for message_id in message_ids}

    def _reply(self, message_id: str) -> Reply:
        message = self.message(message_id)
        if message.role != "assistant":
            raise TuteeError("Only a reply of the model can be rated or corrected.")
        return Reply(message, self.prompt_for(message_id), self._feedback.get(message_id, ()))

    def _do(self, message_id: str, change: acts.Change) -> Feedback:
        """Keep a change on the disk in one write, then in memory."""
        if change != acts.Change():
            with self._judged.transaction():
                self._judged.remove(_RECORDS, change.removed)
                self._judged.update(_RECORDS, change.updated)
                self._judged.insert(_RECORDS, change.added)
            self._feedback[message_id] = change.applied_to(self._feedback.get(message_id, ()))
        return self.feedback(message_id)

    # -- records ---------------------------------------------------------------------------------

    def counts(self) -> Counts:
        judged = [self.feedback(message_id) for message_id in self._feedback]
        return Counts(
            liked=sum(feedback.label is True for feedback in judged),
            disliked=sum(feedback.label is False for feedback in judged),
            corrected=sum(feedback.correction is not None for feedback in judged),
            instructions=len(self.instructions()),
            preferences=len(self.preferences()),
            verdicts=len(self.verdicts()),
        )

    def instructions(self) -> list[Instruction]:
        """Live instruction records, oldest first, imports included."""
        return self._live(Instruction)

    def preferences(self) -> list[Preference]:
        """Live preference records, oldest first, imports included."""
        return self._live(Preference)

    def verdicts(self) -> list[Verdict]:
        """Live verdicts, oldest first, imports included."""
        return self._live(Verdict)

    def add_imported(self, records: Sequence[Record]) -> list[Record]:
        """Keep records from elsewhere; those that say what a live record says are left out.

        Returns:
            The records that were new, in their order.
        """
        known = {said(record) for record in self._all_live()}
        new = []
        for record in records:
            if said(record) not in known:
                known.add(said(record))
                new.append(record)
        if new:
            self._brought.insert(_RECORDS, new)
            self._imports.extend(new)
        return new

    def _all_live(self) -> Iterator[Record]:
        for records in self._feedback.values():
            yield from (record for record in records if record.superseded_by is None)
        yield from self._imports

    def _live(self, kind: type[_Kind]) -> list[_Kind]:
        records = [record for record in self._all_live() if isinstance(record, kind)]
        return sorted(records, key=lambda record: record.created)


def _title(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _TITLE_LENGTH else line[: _TITLE_LENGTH - 1].rstrip() + "…"


def _clean(text: str) -> str:
    """Replace what no file or tokenizer can hold: halves of surrogate pairs from a bad paste."""
    return text.encode("utf-8", "replace").decode("utf-8")
