"""What thumbs and corrections do to the records of one reply."""

from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store import feedback
from store.errors import TuteeError
from store.feedback import Feedback, JudgedReply, RecordChanges
from store.records import ChatMessage, Instruction, Message, Origin, Preference, Record, Verdict

PROMPT = (ChatMessage(role="user", content="What is the capital of France?"),)
ORIGIN = Origin(model="base", adapter="v2", seed=7)
REPLY = Message(conversation_id="c", role="assistant", content="Lyon", origin=ORIGIN)


class Judged:
    """A reply on which acts are done one after the other."""

    def __init__(self, message: Message = REPLY) -> None:
        self.message = message
        self.records: tuple[Record, ...] = ()

    def do(self, act: Callable[[JudgedReply], RecordChanges]) -> None:
        change = act(JudgedReply(self.message, PROMPT, self.records))
        self.records = change.applied_to(self.records)

    def like(self) -> None:
        self.do(lambda reply: feedback.thumb(reply, True, (), ""))

    def dislike(self, *reasons: str, comment: str = "") -> None:
        self.do(lambda reply: feedback.thumb(reply, False, reasons, comment))

    def explain(self, *reasons: str, comment: str = "") -> None:
        self.do(lambda reply: feedback.explain(reply, reasons, comment))

    def correct(self, text: str) -> None:
        self.do(lambda reply: feedback.correct(reply, text))

    def undo(self) -> None:
        self.do(feedback.undo)

    @property
    def live(self) -> list[Record]:
        return JudgedReply(self.message, PROMPT, self.records).live

    @property
    def feedback(self) -> Feedback:
        return feedback.feedback_of(self.records)


def test_a_thumb_up_is_a_verdict_and_an_instruction() -> None:
    judged = Judged()
    judged.like()
    verdict, instruction = judged.live
    assert isinstance(verdict, Verdict)
    assert isinstance(instruction, Instruction)
    assert verdict.label
    assert verdict.completion == instruction.completion == "Lyon"
    assert verdict.act == instruction.act
    for record in judged.live:
        assert record.prompt == PROMPT
        assert record.origin == ORIGIN
        assert (record.conversation_id, record.message_id) == ("c", REPLY.id)
    assert judged.feedback == Feedback(label=True, undoable=True)


def test_a_thumb_down_is_a_verdict_with_its_reasons() -> None:
    judged = Judged()
    judged.dislike("wrong", "style", comment="It is Paris.")
    (verdict,) = judged.live
    assert isinstance(verdict, Verdict)
    assert not verdict.label
    assert judged.feedback == Feedback(
        label=False, reasons=("wrong", "style"), comment="It is Paris.", undoable=True
    )


def test_reasons_given_afterwards_are_part_of_the_same_act() -> None:
    judged = Judged()
    judged.like()
    judged.dislike()
    bare = judged.live
    judged.explain("wrong", comment="It is Paris.")
    (verdict,) = judged.live
    assert [verdict.id] == [record.id for record in bare]
    assert judged.feedback == Feedback(
        label=False, reasons=("wrong",), comment="It is Paris.", undoable=True
    )
    judged.undo()
    assert judged.feedback.label is True


def test_only_a_thumb_down_can_be_explained() -> None:
    judged = Judged()
    with pytest.raises(TuteeError, match="no 👎"):
        judged.explain("wrong")
    judged.like()
    with pytest.raises(TuteeError, match="no 👎"):
        judged.explain("wrong")


def test_a_correction_is_an_instruction_and_a_preference() -> None:
    judged = Judged()
    judged.correct("Paris")
    instruction, preference = judged.live
    assert isinstance(instruction, Instruction)
    assert isinstance(preference, Preference)
    assert instruction.completion == preference.chosen == "Paris"
    assert preference.rejected == "Lyon"
    assert judged.feedback == Feedback(correction="Paris", undoable=True)


def test_the_other_thumb_replaces_the_first_with_all_it_wrote() -> None:
    judged = Judged()
    judged.like()
    judged.dislike("wrong")
    assert [record.kind for record in judged.live] == ["verdict"]
    assert judged.feedback.label is False


def test_the_same_thumb_again_is_no_act() -> None:
    judged = Judged()
    judged.dislike("wrong")
    before = judged.records
    judged.dislike("wrong")
    assert judged.records == before
    judged.dislike("wrong", "style")
    assert judged.feedback.reasons == ("wrong", "style")
    assert len(judged.live) == 1


def test_a_correction_replaces_a_thumb_up_and_keeps_a_thumb_down() -> None:
    liked, disliked = Judged(), Judged()
    liked.like()
    liked.correct("Paris")
    assert liked.feedback == Feedback(correction="Paris", undoable=True)
    disliked.dislike("wrong")
    disliked.correct("Paris")
    assert disliked.feedback == Feedback(
        label=False, reasons=("wrong",), correction="Paris", undoable=True
    )


def test_a_second_correction_replaces_the_first() -> None:
    judged = Judged()
    judged.correct("Paris?")
    judged.correct("Paris")
    assert [record.kind for record in judged.live] == ["instruction", "preference"]
    assert judged.feedback.correction == "Paris"
    judged.undo()
    assert judged.feedback.correction == "Paris?"


def test_the_same_correction_again_is_no_act() -> None:
    judged = Judged()
    judged.correct("Paris")
    before = judged.records
    judged.correct("Paris")
    assert judged.records == before


def test_a_corrected_reply_takes_no_thumb_up_but_a_thumb_down() -> None:
    judged = Judged()
    judged.correct("Paris")
    with pytest.raises(TuteeError, match="already corrected"):
        judged.like()
    judged.dislike()
    assert judged.feedback.label is False
    assert judged.feedback.correction == "Paris"


@pytest.mark.parametrize("text", ["", " \n\t"])
def test_an_empty_correction_is_refused(text: str) -> None:
    with pytest.raises(TuteeError):
        Judged().correct(text)


def test_an_empty_reply_can_be_corrected_but_not_rated() -> None:
    judged = Judged(REPLY.model_copy(update={"content": " \n"}))
    with pytest.raises(TuteeError, match="empty"):
        judged.like()
    judged.correct("Paris")
    assert [record.kind for record in judged.live] == ["instruction"]
    assert judged.feedback.correction == "Paris"


def test_nothing_to_undo_is_an_error() -> None:
    with pytest.raises(TuteeError, match="nothing to undo"):
        Judged().undo()


ACT = st.one_of(
    st.just(("like",)),
    st.tuples(st.just("dislike"), st.sampled_from(["wrong", "style"])),
    st.tuples(st.just("correct"), st.sampled_from(["Paris", "Paris!", "It is Paris."])),
    st.just(("undo",)),
)


@given(st.lists(ACT, max_size=20))
def test_undo_restores_exactly_what_was_there(steps: list[tuple[str, ...]]) -> None:
    judged = Judged()
    history = [judged.records]
    for name, *arguments in steps:
        try:
            getattr(judged, name)(*arguments)
        except TuteeError:
            assert judged.records == history[-1]
            continue
        if name == "undo":
            history.pop()
            assert judged.records == history[-1]
        elif judged.records != history[-1]:
            history.append(judged.records)
        verdicts = [record for record in judged.live if isinstance(record, Verdict)]
        pairs = [record for record in judged.live if isinstance(record, Preference)]
        assert len(verdicts) <= 1
        assert len(pairs) <= 1
        assert judged.feedback.undoable == (len(history) > 1)


@given(st.lists(ACT, max_size=12), st.sets(st.integers(0, 5)))
def test_a_deletion_brings_nothing_to_life_and_can_be_taken_back(
    steps: list[tuple[str, ...]], chosen: set[int]
) -> None:
    judged = Judged()
    for name, *arguments in steps:
        with suppress(TuteeError):
            getattr(judged, name)(*arguments)
    live = judged.live
    ids = {record.id for number, record in enumerate(live) if number in chosen}
    change = feedback.deletion(judged.records, ids)
    left = change.applied_to(judged.records)
    assert [r for r in left if r.superseded_by is None] == [r for r in live if r.id not in ids]
    there = {record.act for record in left}
    assert all(record.superseded_by in there | {None} for record in left), "what holds it is there"
    assert feedback.restored(left, change.removed) == judged.records
    assert feedback.restored(judged.records, change.removed) == judged.records
