"""All feedback records of a home, and what is asked of them often, kept up to date.

There are two folders because they grow differently: `feedback` has one document per rated reply (so
giving feedback is one write), `imports` has one document per imported record. The list of live
records, the counts and the dedup keys are updated document by document.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from store.backups import Backups
from store.errors import TuteeError
from store.feedback import RecordChanges, dedup_key, deletion, feedback_of, restored
from store.i18n import _
from store.records import FeedbackDocument, Record
from store.segments import Segments
from store.time_ordered import TimeOrdered


@dataclass(frozen=True)
class Counts:
    """How many records there are; the first three count replies rated in the chat."""

    liked: int
    disliked: int
    corrected: int
    instructions: int
    preferences: int
    verdicts: int


class FeedbackIndex:
    """All feedback records of a home."""

    def __init__(self, backups: Backups) -> None:
        self._records: dict[str, Record] = {}
        self._live: TimeOrdered[Record] = TimeOrdered(lambda record: record.created)
        self._counts: Counter[str] = Counter()
        self._dedup_keys: Counter[object] = Counter()
        """Number of live records with each dedup key."""
        self._feedback = Segments("feedback", FeedbackDocument, backups, self._reply_changed)
        self._imports = Segments("imports", FeedbackDocument, backups, self._changed)

    # -- what there is ---------------------------------------------------------------------------

    def about(self, message_id: str) -> tuple[Record, ...]:
        """Return all records about a reply, superseded ones included, oldest first."""
        document = self._feedback.documents.get(message_id)
        return document.records if document else ()

    def live(self) -> list[Record]:
        """Return all live records, oldest first."""
        return self._live.all()

    def record(self, record_id: str) -> Record:
        """Return a record, live or superseded; raise TuteeError for an unknown id."""
        try:
            return self._records[record_id]
        except KeyError:
            raise TuteeError(
                _("There is no record {record_id}.").format(record_id=record_id)
            ) from None

    def ids(self) -> Iterable[str]:
        """Return the ids of all records, live or superseded."""
        return self._records.keys()

    def counts(self) -> Counts:
        return Counts(
            liked=self._counts["liked"],
            disliked=self._counts["disliked"],
            corrected=self._counts["corrected"],
            instructions=self._counts["instruction"],
            preferences=self._counts["preference"],
            verdicts=self._counts["verdict"],
        )

    # -- changes ---------------------------------------------------------------------------------

    def keep(self, message_id: str, records: Sequence[Record]) -> None:
        """Replace the records about a reply, in one write."""
        self._feedback.put({message_id: _document(records)})

    def add(self, records: Iterable[Record]) -> tuple[Record, ...]:
        """Store the imported records whose id and dedup key are both new, and return them."""
        new: dict[str, Record] = {}
        new_keys: set[object] = set()
        for record in records:
            key = dedup_key(record)
            fresh = not self._dedup_keys[key] and key not in new_keys
            if fresh and record.id not in self._records:
                new_keys.add(key)
                new[record.id] = record
        self._imports.put({record.id: _document((record,)) for record in new.values()})
        return tuple(new.values())

    def replace(self, records: Iterable[Record]) -> None:
        """Replace the records with the same ids."""
        self._merge(records, lambda old, new: RecordChanges(updated=tuple(new)).applied_to(old))

    def delete(self, ids: Collection[str]) -> list[Record]:
        """Delete records as `feedback.deletion` says, and return all deleted ones, oldest first;
        raise TuteeError for an unknown id."""
        wanted = {record_id: self.record(record_id) for record_id in ids}
        imports = {i: record for i, record in wanted.items() if i in self._imports.documents}
        gone = list(imports.values())
        replies: dict[str, FeedbackDocument | None] = {}
        for message_id in {wanted[i].message_id or "" for i in wanted.keys() - imports.keys()}:
            records = self.about(message_id)
            change = deletion(records, wanted.keys())
            gone += change.removed
            replies[message_id] = _document(change.applied_to(records))
        self._feedback.put(replies)
        self._imports.put(dict.fromkeys(imports))
        return sorted(gone, key=lambda record: record.created)

    def restore(self, records: Iterable[Record]) -> None:
        """Put deleted records back in their places."""
        self._merge(records, restored)

    def _merge(
        self,
        records: Iterable[Record],
        merged: Callable[[Sequence[Record], Sequence[Record]], tuple[Record, ...]],
    ) -> None:
        """Write records to their documents; `merged` combines those of one reply."""
        imports: dict[str, FeedbackDocument | None] = {}
        replies: dict[str, list[Record]] = {}
        for record in records:
            if record.message_id is None or self._imports.held(record.id):
                imports[record.id] = _document((record,))
            else:
                replies.setdefault(record.message_id, []).append(record)
        self._imports.put(imports)
        self._feedback.put(
            {reply: _document(merged(self.about(reply), new)) for reply, new in replies.items()}
        )

    # -- kept up to date -------------------------------------------------------------------------

    def _reply_changed(
        self, before: FeedbackDocument | None, after: FeedbackDocument | None
    ) -> None:
        self._counts.subtract(_tally(before))
        self._counts.update(_tally(after))
        self._changed(before, after)

    def _changed(self, before: FeedbackDocument | None, after: FeedbackDocument | None) -> None:
        for record in before.records if before else ():
            self._records.pop(record.id, None)
            if record.superseded_by is None:
                self._live.discard(record.id)
                self._count(record, -1)
        for record in after.records if after else ():
            self._records[record.id] = record
            if record.superseded_by is None:
                self._live.put(record.id, record)
                self._count(record, 1)

    def _count(self, record: Record, number: int) -> None:
        self._counts[record.kind] += number
        self._dedup_keys[dedup_key(record)] += number


def _document(records: Sequence[Record]) -> FeedbackDocument | None:
    return FeedbackDocument(records=tuple(records)) if records else None


def _tally(document: FeedbackDocument | None) -> list[str]:
    if document is None:
        return []
    feedback = feedback_of(document.records)
    label = {True: ["liked"], False: ["disliked"], None: []}[feedback.label]
    return [*label, "corrected"] if feedback.correction is not None else label
