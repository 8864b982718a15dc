"""The exam gives the figures plain transformers gives, and asks again what may have changed."""

from pathlib import Path
from typing import Any

import pytest
import torch

from core.config import Tuning
from core.events import StageReport
from core.models.folder import ModelFolder
from core.models.loading import load_model
from core.runtime.scheduler import Cancelled
from core.training import base_replies, lora
from core.training.exam import (
    MARGIN,
    PROBE_TOKENS,
    Answer,
    Exam,
    Examiner,
    ExamQuestion,
    ExamText,
    Figures,
    mean_loss,
)
from core.training.run_control import RunControl
from data.tokenization import Sample, encode, encode_prompt
from store.records import ChatMessage
from tests.core.training.conftest import QUESTIONS, sample, samples, tokenizer  # noqa: F401


@pytest.fixture
def model(tiny_folder: ModelFolder) -> Any:
    """One that says something else than its base."""
    made = lora.with_lora(load_model(tiny_folder), Tuning(), task_type="CAUSAL_LM")
    with torch.no_grad():
        for name, weight in made.named_parameters():
            if "lora_B" in name:
                weight.normal_()
    return made


@pytest.fixture
def exam(tokenizer: Any, samples: list[Sample], tmp_path: Path) -> Exam:  # noqa: F811
    def question(text: str, wanted: str = "", original: str = "") -> ExamQuestion:
        turns = (ChatMessage(role="user", content=text),)
        return ExamQuestion(
            text,
            tuple(encode_prompt(tokenizer, turns)),
            wanted,
            encode(tokenizer, turns, wanted) if wanted else None,
            language="en",
            original=original,
        )

    return Exam(
        tokenizer=tokenizer,
        probes=tuple(map(question, QUESTIONS[:2])),
        general=tuple(map(question, QUESTIONS[2:])),
        texts=tuple(ExamText(one, "en") for one in samples),
        held_out=(question("hello", "Paris"),),
        taught=(question("fox", "dog"), question("dog", "fox", original="42")),
        directory=tmp_path,
        key="this base",
    )


def test_the_loss_is_plain_cross_entropy_of_the_replies(model: Any, samples: list[Sample]) -> None:  # noqa: F811
    total, tokens = 0.0, 0
    for one in samples:
        ids = torch.tensor([one.input_ids])
        with torch.inference_mode():
            logps = model(ids).logits.log_softmax(-1)[0, :-1].gather(-1, ids[0, 1:, None])
        total -= logps[one.reply_start - 1 :].sum().item()
        tokens += len(one.input_ids) - one.reply_start
    assert mean_loss(model, samples, RunControl()) == pytest.approx(total / tokens, rel=1e-4)


def test_no_samples_have_no_loss(model: Any) -> None:
    assert mean_loss(model, [], RunControl()) is None


def test_everything_is_asked(model: Any, exam: Exam) -> None:
    figures = Examiner(exam, RunControl()).after(model)
    assert [answer.prompt for answer in figures.probes] == QUESTIONS[:2]
    assert [answer.wanted for answer in figures.holdout] == ["Paris"]
    assert [(a.prompt, a.wanted) for a in figures.taught] == [("fox", "dog"), ("dog", "fox")]
    assert figures.holdout_loss is not None
    assert len(figures.holdout_losses) == len(exam.held_out)
    assert 0 <= (figures.similarity or 0) <= 1
    assert len(figures.drifts) == len(exam.general)
    assert figures.drift is not None
    assert figures.drift > 0.01
    losses = [text.nats for text in figures.losses]
    expected = [mean_loss(model, [text.sample], RunControl()) for text in exam.texts]
    assert losses == pytest.approx(expected, rel=1e-4)


def test_the_base_has_not_drifted_and_speaks_without_the_adapter(model: Any, exam: Exam) -> None:
    examiner = Examiner(exam, RunControl())
    before, after = examiner.before(model), examiner.after(model)
    assert before.drift == 0
    assert [a.reply for a in before.probes] != [a.reply for a in after.probes]
    assert [text.nats for text in before.losses] != [text.nats for text in after.losses]
    assert examiner.base(model) == Figures(probes=before.probes, key=exam.key)


def test_the_reply_that_was_corrected_is_the_one_before(model: Any, exam: Exam) -> None:
    before = Examiner(exam, RunControl()).before(model).taught
    assert [answer.reply == "42" for answer in before] == [False, True]
    assert Examiner(exam, RunControl()).after(model).taught[1].reply != "42"


def test_it_leaves_the_model_as_it_was(model: Any, exam: Exam) -> None:
    for training in (True, False):
        model.train(training)
        Examiner(exam, RunControl()).after(model)
        assert model.training == training


def test_what_the_parent_answered_is_asked_again_only_after(
    model: Any, exam: Exam, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = Examiner(exam, RunControl()).after(model)
    one = known.probes[0].model_copy(update={"reply": "known"})
    known = known.model_copy(update={"probes": (one, *known.probes[1:])})
    base = Examiner(exam, RunControl()).before(model)
    examiner = Examiner(exam, RunControl(), base, known, from_base=False)
    assert examiner.after(model).probes[0].reply != "known"
    monkeypatch.setattr("core.training.exam.drift", lambda *_: pytest.fail("measured again"))
    monkeypatch.setattr("core.serving.batch_generation.generate_batch", fail_but_taught(exam))
    before = examiner.before(model)
    assert before.probes[0].reply == "known"
    assert before.drifts == known.drifts
    assert examiner.base(model).probes == base.probes


def test_a_general_reply_that_is_not_brief_has_no_drift_measured_again(
    model: Any, exam: Exam, monkeypatch: pytest.MonkeyPatch
) -> None:
    brief = base_replies.brief_replies
    monkeypatch.setattr(
        "core.training.exam.brief_replies", lambda *asked: [None, *brief(*asked)[1:]]
    )
    known = Examiner(exam, RunControl()).after(model)
    assert len(known.drifts) == len(exam.general) - 1
    monkeypatch.setattr("core.training.exam.drift", lambda *_: pytest.fail("measured again"))
    before = Examiner(exam, RunControl(), None, known, from_base=False).before(model)
    assert before.drifts == known.drifts


def fail_but_taught(exam: Exam) -> Any:
    """A stand-in that answers the taught prompts and no others."""
    taught = [question.prompt for question in exam.taught]

    def generate(_: Any, prompts: list[tuple[int, ...]], *__: Any, **___: Any) -> list[list[int]]:
        assert set(prompts) <= set(taught)
        return [[1] for _ in prompts]

    return generate


def test_what_was_asked_otherwise_is_asked_again(model: Any, exam: Exam) -> None:
    known = Figures(probes=(Answer(id="other", prompt=QUESTIONS[0], reply="known", ended=True),))
    examiner = Examiner(exam, RunControl(), None, known, from_base=False)
    assert examiner.before(model).probes[0].reply != "known"


def test_what_was_found_before_is_kept_and_not_asked_again(
    model: Any, exam: Exam, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[Figures] = []
    before = Examiner(exam, RunControl(), keep=kept.append).before(model)
    (found,) = kept
    assert [answer.prompt for answer in found.taught] == ["fox"], "the other one was corrected"
    monkeypatch.setattr("core.training.exam._nats", lambda *_: [])
    monkeypatch.setattr("core.training.exam.drift", lambda *_: pytest.fail("measured again"))
    monkeypatch.setattr(
        "core.serving.batch_generation.generate_batch", lambda *_: pytest.fail("asked again")
    )
    assert Examiner(exam, RunControl(), found).before(model) == before


@pytest.mark.parametrize("known", ["base", "parent"])
def test_answers_of_another_base_are_asked_again(model: Any, exam: Exam, known: str) -> None:
    one = Examiner(exam, RunControl()).before(model)
    other = one.model_copy(
        update={"key": "other", "probes": (one.probes[0].model_copy(update={"reply": "known"}),)}
    )
    figures = {known: other, "from_base": known == "base"}
    before = Examiner(exam, RunControl(), **figures).before(model)  # type: ignore[arg-type]
    assert before.probes[0].reply != "known"
    assert before.key == exam.key


def test_an_exam_says_how_far_it_is(model: Any, exam: Exam) -> None:
    reports: list[StageReport] = []
    run_control = RunControl(lambda event: reports.append(event))  # type: ignore[arg-type]
    Examiner(exam, run_control).after(model)
    stages = [report.stage for report in reports]
    first = stages.index("after")
    assert "base" in stages[:first]
    assert "base" not in stages[first:], "what the base replies is drawn before"
    exams = [report for report in reports if report.stage == "after"]
    total = len(exam.probes) + len(exam.general) + len(exam.texts) + 1 + 2 + 0
    assert {report.total for report in exams} == {total + 1}  # a held-out reply is read, too
    assert [exams[0].done, exams[-1].done] == [0, total + 1]
    assert [one.done for one in exams] == sorted(one.done for one in exams)


def test_a_question_has_room_for_the_reply_that_was_taught(exam: Exam) -> None:
    taught = exam.taught[0]
    assert taught.sample is not None
    reply = len(taught.sample.input_ids) - taught.sample.reply_start
    assert reply < taught.tokens <= reply + MARGIN
    assert exam.probes[0].tokens == PROBE_TOKENS


def test_it_can_be_cancelled(model: Any, exam: Exam) -> None:
    run_control = RunControl()
    run_control.cancel()
    with pytest.raises(Cancelled):
        Examiner(exam, run_control).before(model)


def test_figures_gain_what_only_earlier_ones_have() -> None:
    def figures(*ids: str, reply: str) -> Figures:
        return Figures(probes=tuple(Answer(id=i, prompt=i, reply=reply, ended=True) for i in ids))

    both = figures("a", reply="new").with_items_of(figures("a", "b", reply="old"))
    assert [(a.id, a.reply) for a in both.probes] == [("a", "new"), ("b", "old")]


def answer(reply: str, wanted: str = "", language: str = "") -> Answer:
    return Answer(prompt="?", reply=reply, ended=True, wanted=wanted, language=language)


@pytest.mark.parametrize(
    ("answers", "exact"),
    [((), None), ((answer("Paris ", "Paris"), answer("Rome", "Paris")), 0.5)],
)
def test_exact_is_the_share_of_corrections_met(
    answers: tuple[Answer, ...], exact: float | None
) -> None:
    assert Figures(holdout=answers).exact == exact


def test_probes_are_judged_in_the_languages_that_are_taught() -> None:
    probes = (answer("a"), answer("b", language="zh"))
    assert Figures(probes=probes).probes_in({"zh", "ko"}) == probes[1:]
    assert Figures(probes=probes).probes_in({"ko"}) == probes


@pytest.mark.parametrize(
    ("reply", "wanted", "right"),
    [
        ("是北京。", "北京", True),
        ("Positive!", "正面|positive", True),
        ("x", "y", False),
        ("x", "", None),
    ],
)
def test_a_probe_is_right_where_it_contains_a_right_answer(
    reply: str, wanted: str, right: bool | None
) -> None:
    assert answer(reply, wanted).right is right
