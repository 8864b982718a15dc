"""Feedback over a real repository: what each verb stores, and what undo reverts."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from store.errors import TuteeError
from store.paths import locate
from store.records import Origin, Sampling
from store.repository import Repository
from tests.live_records import instructions, preferences, verdicts
from tui.controllers.drafts import CorrectionDraft
from tui.controllers.feedback import ReplyFeedback, reply_view


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    with Repository.open(locate(tmp_path / "home")) as opened:
        yield opened


def no_drafts(reply_id: str) -> CorrectionDraft:
    pytest.fail("Nothing here is drafted.")


@pytest.fixture
def feedback(repository: Repository) -> ReplyFeedback:
    return ReplyFeedback(repository, no_drafts)


@pytest.fixture
def reply(repository: Repository) -> str:
    conversation = repository.start_conversation()
    repository.add_message(conversation.id, "user", "Good film?")
    return repository.add_message(conversation.id, "assistant", "It is a film.").id


def test_a_thumb_down_and_its_reasons_are_undone_as_one(
    repository: Repository, feedback: ReplyFeedback, reply: str
) -> None:
    feedback.like(reply)
    feedback.dislike(reply)
    view = feedback.explain(reply, ("wrong",), "no")
    assert (view.label, view.reasons, view.comment) == (False, ("wrong",), "no")
    assert len(verdicts(repository)) == 1
    assert feedback.undo(reply).label is True


def test_a_bare_thumb_down_stays_when_no_reason_is_given(
    repository: Repository, feedback: ReplyFeedback, reply: str
) -> None:
    feedback.dislike(reply)
    assert feedback.explain(reply, (), "").label is False
    assert not feedback.undo(reply).undoable


def test_thumb_down_again_keeps_the_reasons_and_later_ones_are_an_act_of_their_own(
    feedback: ReplyFeedback, reply: str
) -> None:
    feedback.dislike(reply)
    feedback.explain(reply, ("wrong",), "")
    assert feedback.dislike(reply).reasons == ("wrong",)
    assert feedback.explain(reply, ("style",), "").reasons == ("style",)
    assert feedback.undo(reply).reasons == ("wrong",)


def test_a_correction_is_shown_in_place_and_the_original_is_kept(
    repository: Repository, feedback: ReplyFeedback, reply: str
) -> None:
    view = feedback.correct(reply, "positive")
    assert (view.shown, view.text, view.question) == ("positive", "It is a film.", "Good film?")
    assert (len(instructions(repository)), len(preferences(repository))) == (1, 1)
    with pytest.raises(TuteeError):
        feedback.like(reply)
    assert feedback.undo(reply).shown == "It is a film."


def test_a_reply_that_reached_the_limit_says_so(repository: Repository) -> None:
    conversation = repository.start_conversation()
    repository.add_message(conversation.id, "user", "Count.")
    origin = Origin(sampling=Sampling(max_new_tokens=3))
    whole = repository.add_message(conversation.id, "assistant", "1 2", origin=origin, tokens=2)
    cut = repository.add_message(conversation.id, "assistant", "1 2 3", origin=origin, tokens=3)
    assert reply_view(repository, whole).limit is None
    assert reply_view(repository, cut).limit == 3


def test_the_speed_leaves_the_first_token_out(repository: Repository) -> None:
    conversation = repository.start_conversation()
    repository.add_message(conversation.id, "user", "Count.")
    reply = repository.add_message(conversation.id, "assistant", "1 2 3", tokens=3, seconds=0.5)
    assert reply_view(repository, reply).speed == 4.0
    single = repository.add_message(conversation.id, "assistant", "1", tokens=1, seconds=0.0)
    assert reply_view(repository, single).speed is None


@pytest.mark.parametrize(
    ("again", "as_taught"), [("negative", True), ("It is Negative.", True), ("No idea.", False)]
)
def test_a_reply_to_a_question_that_was_taught_says_whether_it_is_as_taught(
    repository: Repository, feedback: ReplyFeedback, reply: str, again: str, as_taught: bool
) -> None:
    message = repository.message(reply)
    other = repository.add_message(message.conversation_id, "assistant", again, beside=reply).id
    assert feedback.reply(other).as_taught is None
    feedback.correct(reply, "negative")
    view = feedback.reply(other)
    assert (view.as_taught, view.taught) == (as_taught, "negative")
    assert feedback.reply(reply).as_taught is None, "it was taught there"
    feedback.like(other)
    assert feedback.reply(other).as_taught is None, "now it has its own feedback"
