"""The feedback records: what each reply was given, what came from elsewhere, and how much there is.

Two folders, because they grow differently: the records about one reply are one document of
`feedback` (so an act is one write), each imported record is one of `imports`. What is asked often
(the live records in order, the counts) is kept up to date document by document.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from store import feedback as acts
from store.backups import Backups
from store.errors import TuteeError
from store.feedback import feedback_of, said
from store.i18n import _
from store.records import Judged, Record
from store.segments import Segments
from store.time_ordered import ByTime


@dataclass(frozen=True)
class Counts:
    """How much there is; the first three count replies judged in the chat."""

    liked: int
    disliked: int
    corrected: int
    instructions: int
    preferences: int
    verdicts: int


class Ledger:
    """All records of a home.

    Args:
        backups: See `Segments`.
    """

    def __init__(self, backups: Backups) -> None:
        self._records: dict[str, Record] = {}
        self._live: ByTime[Record] = ByTime(lambda record: record.created)
        self._counts: Counter[str] = Counter()
        self._said: Counter[object] = Counter()
        """How often live records say each thing."""
        self._feedback = Segments("feedback", Judged, backups, self._reply_changed)
        self._imports = Segments("imports", Judged, backups, self._changed)

    # -- what there is ---------------------------------------------------------------------------

    def about(self, message_id: str) -> tuple[Record, ...]:
        """All records about a reply, oldest first, also those put aside."""
        judged = self._feedback.documents.get(message_id)
        return judged.records if judged else ()

    def live(self) -> list[Record]:
        """All live records, oldest first."""
        return self._live.all()

    def record(self, record_id: str) -> Record:
        """A record, live or put aside.

        Raises:
            TuteeError: there is none of that id.
        """
        try:
            return self._records[record_id]
        except KeyError:
            raise TuteeError(
                _("There is no record {record_id}.").format(record_id=record_id)
            ) from None

    def ids(self) -> Iterable[str]:
        """Of all records, live or put aside."""
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
        """Make these the records about a reply, in one write."""
        self._feedback.put({message_id: _judged(records)})

    def add(self, records: Iterable[Record]) -> tuple[Record, ...]:
        """Keep records from elsewhere, but those that are there or say what a live one says.

        Returns:
            Those that were new.
        """
        new: dict[str, Record] = {}
        newly_said: set[object] = set()
        for record in records:
            says = said(record)
            fresh = not self._said[says] and says not in newly_said
            if fresh and record.id not in self._records:
                newly_said.add(says)
                new[record.id] = record
        self._imports.put({record.id: _judged((record,)) for record in new.values()})
        return tuple(new.values())

    def replace(self, records: Iterable[Record]) -> None:
        """Put records in the places of those with their ids."""
        imports: dict[str, Judged | None] = {}
        replies: dict[str, list[Record]] = {}
        for record in records:
            if record.id in self._imports.documents:
                imports[record.id] = _judged((record,))
            else:
                replies.setdefault(record.message_id or "", []).append(record)
        self._imports.put(imports)
        self._feedback.put(
            {
                message_id: _judged(
                    acts.Change(updated=tuple(new)).applied_to(self.about(message_id))
                )
                for message_id, new in replies.items()
            }
        )

    def delete(self, ids: Collection[str]) -> list[Record]:
        """Take records away for good; see `acts.delete`.

        Returns:
            All that went.

        Raises:
            TuteeError: there is no record of such an id.
        """
        wanted = {record_id: self.record(record_id) for record_id in ids}
        imports = {i: record for i, record in wanted.items() if i in self._imports.documents}
        gone = list(imports.values())
        replies: dict[str, Judged | None] = {}
        for message_id in {wanted[i].message_id or "" for i in wanted.keys() - imports.keys()}:
            records = self.about(message_id)
            change = acts.delete(records, wanted.keys())
            gone += change.removed
            replies[message_id] = _judged(change.applied_to(records))
        self._feedback.put(replies)
        self._imports.put(dict.fromkeys(imports))
        return sorted(gone, key=lambda record: record.created)

    def restore(self, records: Iterable[Record]) -> None:
        """Put deleted records back in their places."""
        imports: dict[str, Judged | None] = {}
        replies: dict[str, list[Record]] = {}
        for record in records:
            if record.message_id is None or self._imports.held(record.id):
                imports[record.id] = _judged((record,))
            else:
                replies.setdefault(record.message_id, []).append(record)
        self._imports.put(imports)
        self._feedback.put(
            {
                message_id: _judged(acts.restored(self.about(message_id), back))
                for message_id, back in replies.items()
            }
        )

    # -- kept up to date -------------------------------------------------------------------------

    def _reply_changed(self, before: Judged | None, after: Judged | None) -> None:
        self._counts.subtract(_tally(before))
        self._counts.update(_tally(after))
        self._changed(before, after)

    def _changed(self, before: Judged | None, after: Judged | None) -> None:
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
        self._said[said(record)] += number


def _judged(records: Sequence[Record]) -> Judged | None:
    return Judged(records=tuple(records)) if records else None


def _tally(judged: Judged | None) -> list[str]:
    """What stands about a reply, as the counts name it."""
    if judged is None:
        return []
    feedback = feedback_of(judged.records)
    label = {True: ["liked"], False: ["disliked"], None: []}[feedback.label]
    return [*label, "corrected"] if feedback.correction is not None else label
