"""The exam gives the figures plain transformers gives, and asks again what may have changed."""

from typing import Any

import pytest
import torch

from core.models.folder import ModelFolder
from core.models.loading import load_model
from core.runtime.scheduler import Cancelled
from core.training.exam import Answer, Exam, Examiner, ExamQuestion, Figures, mean_loss
from core.training.run_control import RunControl
from data.tokenization import Sample, encode, encode_prompt
from store.records import ChatMessage
from tests.core.training.conftest import QUESTIONS, sample, samples, tokenizer  # noqa: F401


@pytest.fixture
def model(tiny_folder: ModelFolder) -> Any:
    return load_model(tiny_folder)


@pytest.fixture
def exam(tokenizer: Any, samples: list[Sample]) -> Exam:  # noqa: F811
    def question(text: str, wanted: str = "") -> ExamQuestion:
        turns = (ChatMessage(role="user", content=text),)
        return ExamQuestion(
            text,
            tuple(encode_prompt(tokenizer, turns)),
            wanted,
            encode(tokenizer, turns, wanted) if wanted else None,
        )

    return Exam(
        tokenizer=tokenizer,
        probes=tuple(map(question, QUESTIONS[:2])),
        reference=tuple(samples),
        held_out=(question("hello", "Paris"),),
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
    figures = Examiner(exam, RunControl()).before(model)
    assert [answer.prompt for answer in figures.probes] == QUESTIONS[:2]
    assert figures.exam == exam.fingerprint
    assert figures.probe_loss == pytest.approx(mean_loss(model, exam.reference, RunControl()))
    assert [answer.wanted for answer in figures.holdout] == ["Paris"]
    assert figures.holdout_loss is not None
    assert len(figures.holdout_losses) == len(exam.held_out)
    assert 0 <= (figures.similarity or 0) <= 1


def test_it_leaves_the_model_as_it_was(model: Any, exam: Exam) -> None:
    for training in (True, False):
        model.train(training)
        Examiner(exam, RunControl()).after(model)
        assert model.training == training


def test_what_is_known_is_taken_over_only_before_and_only_from_the_same_exam(
    model: Any, exam: Exam
) -> None:
    known = Figures(exam=exam.fingerprint, probe_loss=7.0)
    examiner = Examiner(exam, RunControl(), known)
    assert examiner.before(model).probe_loss == 7.0
    assert examiner.before(model).holdout_loss is not None
    assert examiner.after(model).probe_loss != 7.0
    other = Figures(exam="another", probe_loss=7.0)
    assert Examiner(exam, RunControl(), other).before(model).probe_loss != 7.0


def test_it_can_be_cancelled(model: Any, exam: Exam) -> None:
    run_control = RunControl()
    run_control.cancel()
    with pytest.raises(Cancelled):
        Examiner(exam, run_control).before(model)


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
