"""Everything that is kept, behind typed verbs.

Conversations and feedback records are held in memory (`store.conversations`,
`store.feedback_index`), so that reading is cheap; every act of the person is one atomic write of
one small file (`store.segments`), so a crash never leaves half of it. One process writes (a lock
names it), any number read.

Left out on purpose: reading along while another process writes; a reader sees what was there when
it opened.
"""

import os
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Self, TypeVar

from store import feedback, gc_pause, migrations
from store.conversation_queries import Found, Talks
from store.conversations import Conversations
from store.errors import TuteeError
from store.feedback import Comparison, Feedback, Picked, Reply
from store.feedback_index import Counts, Ledger
from store.i18n import _
from store.lock import WriterLock
from store.paths import Paths, ensure
from store.records import (
    Chat,
    Instruction,
    Preference,
    Record,
    Verdict,
)

__all__ = ["Added", "Counts", "Feedback", "Found", "Repository"]

_Kind = TypeVar("_Kind", Instruction, Preference, Verdict)


@dataclass(frozen=True)
class Added:
    """What an import brought that was not there before."""

    records: tuple[Record, ...] = ()
    chats: int = 0
    """Conversations."""
    messages: int = 0
    """Messages, in new conversations and in those that were there."""


class Repository(Talks):
    """The home of one person's conversations and records; see the module for the idea.

    Open it with `Repository.open`, and close it or use it as a context manager.
    """

    def __init__(self, paths: Paths, lock: WriterLock | None) -> None:
        write = lock is not None
        self._lock = lock
        with gc_pause.paused(), migrations.current(paths, write=write) as backups:
            self._conversations = Conversations(backups)
            self._ledger = Ledger(backups)
        if write:
            backups.take(date.today())
        self.notices = tuple(backups.notices)
        """What the opening has to tell the person: what was damaged, and what took its place."""

    @classmethod
    def open(cls, paths: Paths, *, write: bool = True) -> Self:
        """Open a home, making it if need be; an older one is brought up to date.

        Args:
            paths: Where it is.
            write: Take the lock that keeps other writers out; without it nothing can be changed.

        Raises:
            TuteeError: another process is writing, the home is newer than this program, or it
                cannot be read or written.
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

    # -- feedback --------------------------------------------------------------------------------

    def rate(
        self, message_id: str, label: bool, reasons: Sequence[str] = (), comment: str = ""
    ) -> Feedback:
        """👍 or 👎 a reply; the same thumb again changes nothing.

        Raises:
            TuteeError: it is no reply, an empty one, or a corrected one given a 👍.
        """
        change = feedback.thumb(self._reply(message_id), label, tuple(reasons), comment)
        return self._do(message_id, change)

    def explain(self, message_id: str, reasons: Sequence[str], comment: str = "") -> Feedback:
        """Give the 👎 that stands its reasons, as part of the same act.

        Raises:
            TuteeError: there is none.
        """
        change = feedback.explain(self._reply(message_id), tuple(reasons), comment)
        return self._do(message_id, change)

    def correct(self, message_id: str, text: str, why: str = "") -> Feedback:
        """Say what the reply should have been, and why.

        Raises:
            TuteeError: it is no reply, or the correction is empty or the reply itself.
        """
        return self._do(message_id, feedback.correct(self._reply(message_id), text, why))

    def prefer(self, message_id: str, others: Sequence[str]) -> Feedback:
        """Say that a reply was picked among `others` to the same prompt.

        Raises:
            TuteeError: it is no reply, an empty one, or there is no other.
        """
        return self._do(message_id, feedback.prefer(self._reply(message_id), others))

    def exclude(self, message_id: str, excluded: bool) -> Feedback:
        """Say whether what stands about a reply is trained on.

        Raises:
            TuteeError: it was never judged, so nothing of it would be.
        """
        live = [r for r in self._ledger.about(message_id) if r.superseded_by is None]
        if not live:
            raise TuteeError(
                _("Nothing of this reply is trained on."), _("Only what you rate or correct is.")
            )
        self.exclude_records([record.id for record in live], excluded)
        return self.feedback(message_id)

    def undo(self, message_id: str) -> Feedback:
        """Take back the latest act on a reply.

        Raises:
            TuteeError: there is none.
        """
        return self._do(message_id, feedback.undo(self._reply(message_id)))

    def pick(self, comparison: Comparison, picked: Picked) -> tuple[Record, ...]:
        """Say which of two replies is good; what was said before changes nothing.

        Returns:
            The records that were new; `delete_records` takes them back.

        Raises:
            TuteeError: a reply is empty, or one is to be preferred over the same words.
        """
        return self._ledger.add(feedback.pick(comparison, picked))

    def _reply(self, message_id: str) -> Reply:
        message = self.message(message_id)
        if message.role != "assistant":
            raise TuteeError(_("Only a reply of the model can be rated or corrected."))
        return Reply(message, self.prompt_for(message_id), self._ledger.about(message_id))

    def _do(self, message_id: str, change: feedback.Change) -> Feedback:
        """Keep a change, in one write."""
        if change != feedback.Change():
            self._ledger.keep(message_id, change.applied_to(self._ledger.about(message_id)))
        return self.feedback(message_id)

    # -- records ---------------------------------------------------------------------------------

    def counts(self) -> Counts:
        return self._ledger.counts()

    def ids(self) -> frozenset[str]:
        """Of all conversations, messages and records, also of those that were put aside."""
        return frozenset((*self._conversations.ids(), *self._ledger.ids()))

    def records(self) -> list[Record]:
        """All live records, oldest first, imports included."""
        return self._ledger.live()

    def trainable(self) -> list[Record]:
        """The live records that are not excluded from training, oldest first."""
        return [record for record in self.records() if not record.excluded]

    def instructions(self) -> list[Instruction]:
        """Live instruction records, oldest first, imports included."""
        return self._live(Instruction)

    def preferences(self) -> list[Preference]:
        """Live preference records, oldest first, imports included."""
        return self._live(Preference)

    def verdicts(self) -> list[Verdict]:
        """Live verdicts, oldest first, imports included."""
        return self._live(Verdict)

    def _live(self, kind: type[_Kind]) -> list[_Kind]:
        return [record for record in self._ledger.live() if isinstance(record, kind)]

    def record(self, record_id: str) -> Record:
        """One record, live or put aside by a newer act.

        Raises:
            TuteeError: there is none of that id.
        """
        return self._ledger.record(record_id)

    def exclude_records(self, ids: Collection[str], excluded: bool) -> list[Record]:
        """Say whether records are trained on; they are kept and shown either way.

        Returns:
            Those that changed.

        Raises:
            TuteeError: there is no record of such an id.
        """
        changed = [
            record.model_copy(update={"excluded": excluded})
            for record in map(self.record, ids)
            if record.excluded != excluded
        ]
        self._ledger.replace(changed)
        return changed

    def delete_records(self, ids: Collection[str]) -> list[Record]:
        """Take records away for good, with what they had put aside.

        What an act had put aside goes with the last record of that act, so that nothing comes back
        to life as it does by an undo. The backups keep the records for some days.

        Returns:
            All that went, oldest first; `restore_records` puts them back.

        Raises:
            TuteeError: there is no record of such an id (then nothing goes), or the disk refused
                (then what went before that is gone, in memory too).
        """
        return self._ledger.delete(ids)

    def restore_records(self, records: Iterable[Record]) -> None:
        """Put deleted records back exactly; those that are there stay as they are."""
        self._ledger.restore(records)

    def add_imported(self, records: Iterable[Record], chats: Iterable[Chat] = ()) -> Added:
        """Keep records and conversations from elsewhere.

        A record that says what a live one says is left out, and so is one whose id is there; of a
        conversation that is there, only the new messages are taken. So the same import again adds
        nothing, and one that the disk refused half-way can be done again.

        Returns:
            What was new.
        """
        with gc_pause.paused():
            grown = self._conversations.add_chats(chats)
            return Added(self._ledger.add(records), grown.chats, grown.messages)
