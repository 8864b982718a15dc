"""Picking between two replies: what is kept of it, and that it can be taken back."""

import pytest

from store.errors import TuteeError
from store.feedback import Comparison, Picked, pick
from store.paths import Paths
from store.records import ChatMessage, Message, Origin, Preference, Verdict
from store.repository import Repository
from tests.live_records import preferences

PROMPT = (ChatMessage(role="user", content="Say hello."),)
ORIGINS = (Origin(source="compare", adapter="v2"), Origin(source="compare", adapter="base"))


def comparison(first: str = "Hello!", second: str = "Go away.") -> Comparison:
    return Comparison(PROMPT, (first, second), ORIGINS, "talk")


@pytest.mark.parametrize(
    ("picked", "chosen", "rejected", "adapter"),
    [("first", "Hello!", "Go away.", "v2"), ("second", "Go away.", "Hello!", "base")],
)
def test_the_better_one_is_preferred(
    picked: Picked, chosen: str, rejected: str, adapter: str
) -> None:
    (record,) = pick(comparison(), picked)
    assert isinstance(record, Preference)
    assert (record.chosen, record.rejected) == (chosen, rejected)
    assert record.origin.adapter == adapter
    assert record.prompt == PROMPT
    assert record.conversation_id == "talk"
    assert record.message_id is None


@pytest.mark.parametrize(("picked", "label"), [("both", True), ("neither", False)])
def test_where_neither_is_better_each_gets_a_thumb(picked: Picked, label: bool) -> None:
    first, second = pick(comparison(), picked)
    assert isinstance(first, Verdict)
    assert isinstance(second, Verdict)
    assert (first.completion, second.completion) == ("Hello!", "Go away.")
    assert first.label is second.label is label
    assert [first.origin.adapter, second.origin.adapter] == ["v2", "base"]
    assert first.act == second.act


def test_the_same_words_are_rated_once_and_never_preferred() -> None:
    (verdict,) = pick(comparison("Hi.", "Hi."), "both")
    assert isinstance(verdict, Verdict)
    for picked in ("first", "second"):
        with pytest.raises(TuteeError, match="the same"):
            pick(comparison("Hi.", "Hi. "), picked)


@pytest.mark.parametrize("replies", [("", "Hello!"), ("Hello!", " \n")])
@pytest.mark.parametrize("picked", ["first", "second", "both", "neither"])
def test_an_empty_reply_is_not_compared(replies: tuple[str, str], picked: Picked) -> None:
    with pytest.raises(TuteeError, match="empty"):
        pick(comparison(*replies), picked)


def test_a_pick_is_kept_once_and_can_be_taken_back(paths: Paths) -> None:
    with Repository.open(paths) as repository:
        (kept,) = repository.pick(comparison(), "first")
        assert repository.pick(comparison(), "first") == ()
        assert len(repository.pick(comparison("Hm.", "Oh."), "both")) == 2
    with Repository.open(paths) as repository:
        assert [record.kind for record in repository.records()] == [
            "preference",
            "verdict",
            "verdict",
        ]
        assert repository.record(kept.id) == kept
        repository.delete_records([kept.id])
        assert preferences(repository) == []
        repository.restore_records([kept])
        assert preferences(repository) == [kept]


def test_the_reply_that_was_picked_makes_a_pair_with_each_other_one(
    repository: Repository, reply: Message
) -> None:
    others = ["Worse.", reply.content, "Worse.", " ", "Bad."]
    assert repository.prefer(reply.id, others).undoable
    pairs = preferences(repository)
    assert [(pair.chosen, pair.rejected) for pair in pairs] == [
        (reply.content, "Worse."),
        (reply.content, "Bad."),
    ]
    assert {pair.message_id for pair in pairs} == {reply.id}
    repository.rate(reply.id, True)
    assert len(preferences(repository)) == 2
    repository.undo(reply.id)
    assert not repository.undo(reply.id).undoable
    assert repository.records() == []


def test_there_must_be_another_reply_to_prefer_one_over(
    repository: Repository, reply: Message
) -> None:
    with pytest.raises(TuteeError, match="nothing to prefer"):
        repository.prefer(reply.id, [reply.content, ""])
