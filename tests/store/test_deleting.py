"""Records that are taken away for good, and put back."""

import pytest

from store.errors import TuteeError
from store.feedback import Feedback
from store.paths import Paths
from store.records import ChatMessage, Instruction, Message, Origin, Preference, Record, Verdict
from store.repository import Counts, Repository

USER = ChatMessage(role="user", content="What is the capital of France?")
NOTHING = Counts(0, 0, 0, 0, 0, 0)


def imported(text: str, **fields: str) -> Instruction:
    return Instruction(
        prompt=(USER,), completion=text, origin=Origin(source="import:a.jsonl"), **fields
    )


def ids(records: list[Record]) -> list[str]:
    return [record.id for record in records]


def test_what_an_act_had_put_aside_goes_with_its_last_record(
    repository: Repository, reply: Message, paths: Paths
) -> None:
    repository.rate(reply.id, True)
    repository.correct(reply.id, "Paris?")
    repository.correct(reply.id, "Paris")
    instruction, pair = repository.records()
    assert isinstance(pair, Preference)
    assert repository.delete_records([instruction.id]) == [instruction]
    assert repository.records() == [pair], "half of an act may stay"
    gone = repository.delete_records([pair.id])
    assert len(gone) == 5
    assert gone[-1] == pair
    assert repository.feedback(reply.id) == Feedback()
    assert repository.counts() == NOTHING
    with pytest.raises(TuteeError, match="no record"):
        repository.record(pair.id)
    with Repository.open(paths, write=False) as reader:
        assert reader.records() == []
        assert reader.feedback(reply.id) == Feedback()


def test_other_acts_on_the_reply_stay(repository: Repository, reply: Message) -> None:
    disliked = repository.rate(reply.id, False, ["wrong"])
    repository.correct(reply.id, "Paris")
    verdict, *correction = repository.records()
    repository.delete_records(ids(correction))
    assert repository.feedback(reply.id) == disliked
    repository.restore_records(correction)
    repository.delete_records([verdict.id])
    assert repository.feedback(reply.id) == Feedback(correction="Paris", undoable=True)


def test_what_was_deleted_comes_back_exactly(
    repository: Repository, reply: Message, paths: Paths
) -> None:
    repository.add_imported([imported("Paris!"), imported("Paris.")])
    repository.rate(reply.id, True)
    repository.correct(reply.id, "Paris")
    before = repository.records(), repository.counts(), repository.feedback(reply.id)
    gone = repository.delete_records(ids(repository.records()))
    assert repository.counts() == NOTHING
    for _ in range(2):  # what is there already stays as it is
        repository.restore_records(gone)
        assert (*before,) == (
            repository.records(),
            repository.counts(),
            repository.feedback(reply.id),
        )
    with Repository.open(paths, write=False) as reader:
        assert (reader.records(), reader.counts(), reader.feedback(reply.id)) == before
    assert repository.undo(reply.id) == Feedback(label=True, undoable=True)


def test_records_come_back_between_others(repository: Repository, reply: Message) -> None:
    repository.rate(reply.id, False)
    repository.correct(reply.id, "Paris")
    verdict, *_ = before = repository.records()
    gone = repository.delete_records([verdict.id])
    repository.restore_records(gone)
    assert repository.records() == before
    assert repository.undo(reply.id) == Feedback(label=False, undoable=True)


def test_an_import_of_a_judged_reply_stays_an_import(
    repository: Repository, reply: Message, paths: Paths
) -> None:
    record = imported("Paris", message_id=reply.id)
    repository.add_imported([record])
    repository.restore_records(repository.delete_records([record.id]))
    with Repository.open(paths, write=False) as reader:
        assert reader.records() == [record]
        assert reader.feedback(reply.id) == Feedback()


def test_an_unknown_record_is_an_error_and_nothing_goes(
    repository: Repository, reply: Message
) -> None:
    repository.rate(reply.id, True)
    before = repository.records()
    with pytest.raises(TuteeError, match="no record nope"):
        repository.delete_records([before[0].id, "nope"])
    assert repository.records() == before


def test_a_record_is_found_by_its_id_also_when_put_aside(
    repository: Repository, reply: Message
) -> None:
    repository.rate(reply.id, True)
    (verdict, _) = repository.records()
    assert repository.record(verdict.id) is verdict
    repository.rate(reply.id, False)
    aside = repository.record(verdict.id)
    assert isinstance(aside, Verdict)
    assert aside.superseded_by
    assert verdict.id not in ids(repository.records())


def test_what_was_deleted_can_be_imported_again(repository: Repository) -> None:
    record = imported("Paris", id="a")
    for _ in range(2):
        assert repository.add_imported([record]).records == (record,)
        repository.delete_records(["a"])
    assert repository.records() == []
