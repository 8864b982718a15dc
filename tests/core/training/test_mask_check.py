"""The proof must hold for what is really trained on, and fail for every way a mask can be wrong."""

from collections.abc import Callable
from typing import Any

import pytest

from core.events import Event, MaskProof
from core.runtime.scheduler import Cancelled
from core.training import mask_check
from core.training.micro_batches import MICRO_BATCH_TOKENS
from core.training.packing import IGNORED
from core.training.run_control import RunControl
from data.tokenization import Sample, encode
from store.errors import TuteeError
from store.records import ChatMessage

Spoil = Callable[[dict[str, Any]], None]


def check_loss_mask(tokenizer: Any, samples: list[Sample], name: str = "sft") -> MaskProof:
    groups = [(sample,) for sample in samples]
    return mask_check.check_loss_mask(name, tokenizer, groups, 6, MICRO_BATCH_TOKENS, RunControl())  # type: ignore[arg-type]


def test_it_counts_and_shows_what_is_learned(tokenizer: Any, samples: list[Sample]) -> None:
    events: list[Event] = []
    run_control = RunControl(emit=events.append)
    groups = [(s,) for s in samples]
    found = mask_check.check_loss_mask("sft", tokenizer, groups, 6, MICRO_BATCH_TOKENS, run_control)
    assert events == [found]
    assert found.samples == len(samples)
    assert found.trained == sum(len(s.input_ids) - s.reply_start for s in samples)
    assert found.padding == 0
    assert found.packed_tokens < found.tokens == sum(len(s.input_ids) for s in samples)
    assert len(found.shown) == 3
    for shown in found.shown:
        assert "".join(p.text for p in shown if p.trained) == "positive<|im_end|>"
        assert "".join(p.text for p in shown if not p.trained).endswith("assistant\n")


def test_a_reward_model_learns_from_the_end_of_a_reply(
    tokenizer: Any, pairs: list[tuple[Sample, Sample]]
) -> None:
    found = mask_check.check_loss_mask(
        "reward", tokenizer, pairs, 2, MICRO_BATCH_TOKENS, RunControl()
    )
    assert found.samples == found.trained == 2 * len(pairs)
    assert ["".join(p.text for p in shown if p.trained) for shown in found.shown] == [
        "<|im_end|>"
    ] * 3


def _prompt_learned(row: dict[str, Any]) -> None:
    row["labels"][0, 0] = row["input_ids"][0, 1]


def _reply_not_learned(row: dict[str, Any]) -> None:
    row["labels"][0, (row["labels"][0] != IGNORED).nonzero()[0]] = IGNORED


def _stop_not_learned(row: dict[str, Any]) -> None:
    row["labels"][0, (row["labels"][0] != IGNORED).nonzero()[-1]] = IGNORED


def _other_sample_seen(row: dict[str, Any]) -> None:
    row["attention_mask"][0, 0, row["ends"][0]] = 0


def _out_of_place(row: dict[str, Any]) -> None:
    row["position_ids"] += 1


def _owned_by_another(row: dict[str, Any]) -> None:
    row["owners"] += 1


def _stray_token_learned(row: dict[str, Any]) -> None:
    import torch

    row["labels"] = torch.cat([row["labels"], torch.tensor([[7]])], dim=1)


@pytest.mark.parametrize(
    "spoil",
    [
        _prompt_learned,
        _reply_not_learned,
        _stop_not_learned,
        _other_sample_seen,
        _out_of_place,
        _owned_by_another,
        _stray_token_learned,
    ],
)
def test_a_row_that_would_teach_something_else_is_refused(
    spoil: Spoil, tokenizer: Any, samples: list[Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = mask_check.packed_row

    def spoilt(*arguments: Any) -> dict[str, Any]:
        row = real(*arguments)
        spoil(row)
        return row

    check_loss_mask(tokenizer, samples)
    monkeypatch.setattr(mask_check, "packed_row", spoilt)
    with pytest.raises(TuteeError, match="check before training failed"):
        check_loss_mask(tokenizer, samples)


@pytest.mark.parametrize("name", ["sft", "reward"])
def test_a_reply_without_its_end_is_refused(
    name: str, tokenizer: Any, samples: list[Sample]
) -> None:
    cut = Sample(samples[0].input_ids[:-1], samples[0].reply_start)
    with pytest.raises(TuteeError, match="stop token"):
        check_loss_mask(tokenizer, [*samples, cut], name)


@pytest.mark.parametrize("name", ["sft", "reward"])
def test_a_reply_that_ends_before_its_end_is_refused(
    name: str, tokenizer: Any, samples: list[Sample]
) -> None:
    *before, stop = samples[0].input_ids
    twice = Sample((*before, stop, stop), samples[0].reply_start)
    with pytest.raises(TuteeError, match="before its end"):
        check_loss_mask(tokenizer, [*samples, twice], name)


def test_a_correction_that_mentions_the_stop_token_passes(
    tokenizer: Any, samples: list[Sample]
) -> None:
    prompt = (ChatMessage(role="user", content="How does a turn end?"),)
    reply = "With <|im_end|>, and <|im_start|> begins the next."
    found = check_loss_mask(tokenizer, [encode(tokenizer, prompt, reply)])
    assert "".join(p.text for p in found.shown[0] if p.trained) == f"{reply}<|im_end|>"


def test_padding_would_be_seen(
    tokenizer: Any, samples: list[Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    real = mask_check.packed_row

    def padded(*arguments: Any) -> dict[str, Any]:
        row = real(*arguments)
        ids = row["input_ids"]
        row["input_ids"] = torch.cat([ids, torch.zeros_like(ids)], dim=1)
        return row

    monkeypatch.setattr(mask_check, "packed_row", padded)
    assert check_loss_mask(tokenizer, samples).padding == 0.5


def test_it_can_be_cancelled(tokenizer: Any, samples: list[Sample]) -> None:
    run_control = RunControl()
    run_control.cancel()
    with pytest.raises(Cancelled):
        mask_check.check_loss_mask(
            "sft", tokenizer, [(s,) for s in samples], 6, MICRO_BATCH_TOKENS, run_control
        )
