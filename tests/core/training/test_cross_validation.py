"""Each pair is ranked by a model that has seen neither it nor any pair of its group."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.config import RewardTuning, Tuning
from core.events import Event, StepReport
from core.models.folder import ModelFolder
from core.runtime.scheduler import Cancelled
from core.training import cross_validation, reward
from core.training.run_control import RunControl
from data.tokenization import Sample

SETTINGS = Tuning(epochs=12, batch_size=4, reward=RewardTuning(learning_rate=5e-3))
QUESTIONS = ["the quick fox", "hello world", "a lazy dog", "jumps over", "Paris 42"]


@pytest.fixture
def pairs(sample: Callable[[str, str], Sample]) -> list[reward.Pair]:
    return [
        (sample(f"{q} {n}", "a helpful answer"), sample(f"{q} {n}", "negative 42"))
        for q in QUESTIONS
        for n in range(2)
    ]


@given(st.lists(st.integers(0, 12), max_size=40), st.integers(0, 3))
def test_folds_keep_groups_whole_and_cover_every_pair_once(groups: list[int], seed: int) -> None:
    folds = cross_validation.split(groups, seed)
    if len(set(groups)) < 2:
        assert folds == []
        return
    assert len(folds) == min(5, len(set(groups)))
    assert sorted(index for fold in folds for index in fold) == list(range(len(groups)))
    owners = [{groups[index] for index in fold} for fold in folds]
    assert sum(map(len, owners)) == len(set(groups))
    largest = max(map(groups.count, groups))
    assert max(map(len, folds)) - min(map(len, folds)) <= largest


def train(
    folder: ModelFolder, tokenizer: Any, pairs: list[reward.Pair], run_control: RunControl
) -> Any:
    groups = [index // 2 for index in range(len(pairs))]
    folds = cross_validation.split(groups, SETTINGS.seed)
    return cross_validation.train(
        folder, tokenizer, None, pairs, [], groups, folds, SETTINGS, run_control
    )


def test_no_model_ranks_what_it_was_trained_on(
    tiny_folder: ModelFolder,
    tokenizer: Any,
    pairs: list[reward.Pair],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trained_on: list[list[reward.Pair]] = []
    scored: list[tuple[int, list[reward.Pair]]] = []
    build, score = reward.build, reward.score_pairs

    def building(*arguments: Any) -> Any:
        trained_on.append(arguments[3])
        return build(*arguments)

    def scoring(model: Any, of: list[reward.Pair], *rest: Any) -> Any:
        scored.append((len(trained_on) - 1, list(of)))
        return score(model, of, *rest)

    monkeypatch.setattr(reward, "build", building)
    monkeypatch.setattr(reward, "score_pairs", scoring)
    metrics = train(tiny_folder, tokenizer, pairs, RunControl()).metrics
    assert trained_on[-1] == pairs, "the final model has all"
    assert sum(len(of) for _, of in scored) == len(pairs)
    for model, of in scored:
        for pair in of:
            twin = pairs[pairs.index(pair) ^ 1]
            assert pair not in trained_on[model]
            assert twin not in trained_on[model]
    assert (metrics["holdout_pairs"], metrics["holdout_groups"], metrics["folds"]) == (10, 5, 5)
    assert metrics["holdout_accuracy"] == 1.0


def test_a_fold_ends_when_its_pairs_are_learned_and_progress_never_goes_back(
    tiny_folder: ModelFolder, tokenizer: Any, pairs: list[reward.Pair]
) -> None:
    reports: list[StepReport] = []

    def emit(event: Event) -> None:
        if isinstance(event, StepReport):
            reports.append(event)

    trained = train(tiny_folder, tokenizer, pairs, RunControl(emit=emit))
    own = 3 * 12
    total = 5 * 2 * 12 + own
    assert len(trained.losses) == own
    assert own + 5 <= trained.steps < total, "folds ended when their pairs were learned"
    assert {report.steps for report in reports} == {total}
    steps = [report.step for report in reports]
    assert steps == sorted(steps)
    assert steps[-1] == total
    assert {report.loss for report in reports if report.step <= total - own} == {None}
    assert all(report.eta_seconds >= 0 for report in reports)


def test_folds_that_are_done_are_not_trained_again(
    tiny_folder: ModelFolder,
    tokenizer: Any,
    pairs: list[reward.Pair],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = train(tiny_folder, tokenizer, pairs, RunControl())
    run_control = RunControl(checkpoints=tmp_path / "reward")

    def stop_in_the_third_fold(event: Event) -> None:
        if isinstance(event, StepReport) and event.step > 2 * 24:
            run_control.cancel()

    run_control.emit = stop_in_the_third_fold
    with pytest.raises(Cancelled):
        train(tiny_folder, tokenizer, pairs, run_control)
    built: list[int] = []
    build = reward.build

    def building(*arguments: Any) -> Any:
        built.append(len(arguments[3]))
        return build(*arguments)

    monkeypatch.setattr(reward, "build", building)
    resumed = train(tiny_folder, tokenizer, pairs, RunControl(checkpoints=tmp_path / "reward"))
    assert built == [8, 8, 8, 10]
    assert resumed.metrics == whole.metrics
    assert (resumed.losses, resumed.steps) == (whole.losses, whole.steps)
    assert resumed.tokens == whole.tokens
