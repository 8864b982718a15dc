"""RL must make rewarded replies likelier, compare replies as TRL does, and know when to stop."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from core.config import RLTuning, Tuning
from core.events import Event, RolloutReport
from core.models.folder import ModelFolder
from core.models.loading import load_model
from core.runtime.scheduler import Cancelled
from core.training import rloo
from core.training.rollout import Rollout
from core.training.run_control import RunControl
from data.tokenization import encode_prompt
from store.errors import TuteeError
from store.records import ChatMessage
from tests.core.training.conftest import QUESTIONS, trainable

SETTINGS = Tuning(
    rl=RLTuning(steps=3, prompts=2, generations=4, max_new_tokens=8, learning_rate=5e-3)
)


def with_rl(**changes: Any) -> Tuning:
    return SETTINGS.model_copy(update={"rl": SETTINGS.rl.model_copy(update=changes)})


@pytest.fixture
def prompts(tokenizer: Any) -> list[rloo.Prompt]:
    return [
        tuple(encode_prompt(tokenizer, [ChatMessage(role="user", content=question)]))
        for question in QUESTIONS
    ]


@pytest.fixture
def ends_anywhere(monkeypatch: pytest.MonkeyPatch, tokenizer: Any) -> None:
    """A random model hardly ever ends; here every other token ends a reply."""
    stop = frozenset(range(0, len(tokenizer), 2))
    monkeypatch.setattr("core.training.rloo_trainer.stop_ids", lambda tokenizer: stop)


def short(rollouts: Sequence[Rollout]) -> list[float]:
    return [-float(len(r.sample.input_ids) - r.sample.reply_start) for r in rollouts]


@pytest.mark.usefixtures("ends_anywhere")
def test_the_reward_rises(
    tiny_folder: ModelFolder, tokenizer: Any, prompts: list[rloo.Prompt]
) -> None:
    events: list[Event] = []
    settings = with_rl(steps=25, prompts=6, learning_rate=2e-2, kl_limit=99.0)
    run_control = RunControl(emit=events.append)
    trained = rloo.train(
        tiny_folder, tokenizer, None, prompts, prompts, short, settings, run_control
    )
    rewards = trained.metrics["rewards"]
    assert sum(rewards[-5:]) / 5 > sum(rewards[:5]) / 5
    assert trained.metrics["kl"][-1] > trained.metrics["kl"][0]
    assert trained.metrics["holdout_reward"] >= trained.metrics["holdout_reward_before"]
    reports = [event for event in events if isinstance(event, RolloutReport)]
    assert [report.step for report in reports] == list(range(1, trained.steps + 1))
    assert all(report.reply for report in reports)


@pytest.mark.usefixtures("ends_anywhere")
def test_the_log_probabilities_are_those_of_the_padded_batch(
    tiny_folder: ModelFolder, tokenizer: Any, prompts: list[rloo.Prompt]
) -> None:
    trainer = rloo.build(tiny_folder, tokenizer, None, prompts, short, SETTINGS, RunControl())
    replies = [[5, 6, 7], [8], [9, 10]]
    width = max(map(len, prompts))
    ids = torch.tensor(
        [
            [*[0] * (width - len(prompt)), *prompt, *reply, *[0] * (3 - len(reply))]
            for prompt, reply in zip(prompts, replies, strict=False)
        ]
    )
    mask = torch.tensor(
        [
            [0] * (width - len(prompt)) + [1] * (len(prompt) + len(reply)) + [0] * (3 - len(reply))
            for prompt, reply in zip(prompts, replies, strict=False)
        ]
    )
    with torch.no_grad():
        logps, entropies, _ = trainer._get_per_token_logps_and_entropies(
            trainer.model, ids, mask, 3, batch_size=2, compute_entropy=True
        )
    model = load_model(tiny_folder)
    for row, (prompt, reply) in enumerate(zip(prompts, replies, strict=False)):
        with torch.inference_mode():
            scores = model(torch.tensor([[*prompt, *reply]])).logits[0].log_softmax(-1)
        wanted = [scores[len(prompt) - 1 + i, token].item() for i, token in enumerate(reply)]
        assert logps[row].tolist() == pytest.approx([*wanted, *[0] * (3 - len(reply))], abs=1e-3)
        first = scores[len(prompt) - 1]
        assert entropies[row, 0].item() == pytest.approx(
            -(first.exp() * first).sum().item(), rel=1e-3
        )


@pytest.mark.usefixtures("ends_anywhere")
def test_advantages_leave_one_out(
    tiny_folder: ModelFolder, tokenizer: Any, prompts: list[rloo.Prompt]
) -> None:
    """A group's advantages add up to nothing, and replies that were cut off have none."""

    def by_place(rollouts: Sequence[Rollout]) -> list[float]:
        return [float(place) for place in range(len(rollouts))]

    trainer = rloo.build(tiny_folder, tokenizer, None, prompts, by_place, SETTINGS, RunControl())
    rows = [{"prompt": str(i)} for i in (0, 0, 0, 0, 1, 1, 1, 1)]
    trainer.model.train()
    output = trainer._generate_and_score_completions(rows)
    groups = output["advantages"].view(2, 4)
    assert groups.abs().max() > 0
    torch.testing.assert_close(groups.sum(-1), torch.zeros(2), atol=1e-4, rtol=0)
    for row in range(8):
        cut_off = not output["completion_mask"][row].any()
        assert not (cut_off and output["advantages"][row])


@pytest.mark.usefixtures("ends_anywhere")
def test_the_same_seed_gives_the_identical_adapter(
    tiny_folder: ModelFolder, tokenizer: Any, prompts: list[rloo.Prompt]
) -> None:
    one, other = (
        trainable(
            rloo.train(
                tiny_folder, tokenizer, None, prompts, [], short, SETTINGS, RunControl()
            ).model
        )
        for _ in range(2)
    )
    assert all(torch.equal(weight, other[name]) for name, weight in one.items())


@pytest.mark.usefixtures("ends_anywhere")
def test_it_stops_once_it_is_too_far_from_the_base(
    tiny_folder: ModelFolder, tokenizer: Any, prompts: list[rloo.Prompt]
) -> None:
    settings = with_rl(steps=30, kl_limit=1e-4, beta=0.0001)
    trained = rloo.train(tiny_folder, tokenizer, None, prompts, [], short, settings, RunControl())
    assert trained.steps < 30
    assert "further from the base" in trained.metrics["stopped_because"]


@pytest.mark.usefixtures("ends_anywhere")
def test_what_was_far_from_the_base_before_is_no_drift(
    tiny_folder: ModelFolder, tokenizer: Any, prompts: list[rloo.Prompt], tmp_path: Path
) -> None:
    settings = with_rl(kl_limit=99.0, learning_rate=2e-2)
    far = rloo.train(tiny_folder, tokenizer, None, prompts, [], short, settings, RunControl())
    far.save(tmp_path)
    settings = with_rl(kl_limit=0.5, learning_rate=1e-6)
    on = rloo.train(tiny_folder, tokenizer, tmp_path, prompts, [], short, settings, RunControl())
    assert min(on.metrics["kl"]) > 0.5
    assert on.steps == settings.rl.steps
    assert not on.metrics["stopped_because"]


@pytest.mark.parametrize(
    ("truncated", "share"),
    [
        ([0.2] * 5 + [0.9], 0.0),  # a single step says nothing
        ([0.2] * 5 + [0.4] * 5, 0.0),  # not more than it may rise
        ([0.2] * 5 + [0.5] * 5, 0.5),
        ([0.0] * 5 + [0.25] * 5, 0.0),
        ([0.6] * 10, 0.0),  # as it began
        ([0.6] * 5 + [0.9] * 5, 0.9),
        ([1.0] * 3, 0.0),
    ],
)
def test_it_stops_once_replies_no_longer_end(truncated: list[float], share: float) -> None:
    from core.training.rloo_trainer import excessive_truncation

    assert excessive_truncation(truncated) == pytest.approx(share)


def test_replies_that_never_end_are_an_error_that_says_what_to_do(
    tiny_folder: ModelFolder,
    tokenizer: Any,
    prompts: list[rloo.Prompt],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        "core.training.rloo_trainer.stop_ids", lambda tokenizer: frozenset({100_000})
    )
    with pytest.raises(TuteeError, match="No reply ended") as caught:
        rloo.train(tiny_folder, tokenizer, None, prompts, [], short, SETTINGS, RunControl())
    assert "`max_new_tokens` under [tuning.rl]" in str(caught.value.hint)


@pytest.mark.usefixtures("ends_anywhere")
def test_rewards_that_are_all_alike_are_an_error(
    tiny_folder: ModelFolder, tokenizer: Any, prompts: list[rloo.Prompt]
) -> None:
    def same(rollouts: Sequence[Rollout]) -> list[float]:
        return [1.0] * len(rollouts)

    with pytest.raises(TuteeError, match="same reward"):
        rloo.train(tiny_folder, tokenizer, None, prompts, [], same, SETTINGS, RunControl())


@pytest.mark.usefixtures("ends_anywhere")
def test_it_can_be_cancelled_in_the_middle_of_the_rollouts(
    tiny_folder: ModelFolder, tokenizer: Any, prompts: list[rloo.Prompt]
) -> None:
    run_control = RunControl()

    def cancel(rollouts: Sequence[Rollout]) -> list[float]:
        run_control.cancel()
        return short(rollouts)

    with pytest.raises(Cancelled):
        rloo.train(tiny_folder, tokenizer, None, prompts, [], cancel, SETTINGS, run_control)
