"""Micro-batches by what the machine holds; `tests/core/test_bad_input.py` has the refusals."""

import pytest

from core.config import RLTuning, Tuning
from core.models import quantization
from core.models.folder import ModelFolder
from core.training import memory_budget, rloo
from core.training.memory_budget import ModelShape, micro_batch_tokens
from core.training.micro_batches import MICRO_BATCH_TOKENS

GIB = 2**30
SMALL = ModelShape(464_000_000, 190_000, 24, 1024, 2816, 16, 151_936)
LARGE = ModelShape(7_600_000_000, 2_500_000, 28, 3584, 18_944, 28, 152_064)


def a_card(
    monkeypatch: pytest.MonkeyPatch, size: int | None, shape: ModelShape | None = SMALL
) -> None:
    monkeypatch.setattr(quantization, "card", lambda: size)
    monkeypatch.setattr(memory_budget, "read_shape", lambda folder: shape)


@pytest.mark.parametrize(
    ("card", "shape", "low", "high"),
    [
        (None, SMALL, MICRO_BATCH_TOKENS, MICRO_BATCH_TOKENS),
        (24 * GIB, None, MICRO_BATCH_TOKENS, MICRO_BATCH_TOKENS),
        (8 * GIB, SMALL, 600, 1000),
        (24 * GIB, SMALL, 2000, 2500),
        (80 * GIB, SMALL, 4096, 4096),
        (8 * GIB, LARGE, MICRO_BATCH_TOKENS, MICRO_BATCH_TOKENS),
        (24 * GIB, LARGE, 600, 1000),
    ],
)
def test_a_card_takes_as_many_tokens_as_leave_it_room(
    tiny_folder: ModelFolder,
    monkeypatch: pytest.MonkeyPatch,
    card: int | None,
    shape: ModelShape | None,
    low: int,
    high: int,
) -> None:
    a_card(monkeypatch, card, shape)
    assert low <= micro_batch_tokens(tiny_folder) <= high


@pytest.mark.parametrize(
    ("card", "prompt", "replies"),
    [(None, 100, 4), (24 * GIB, 100, 8), (80 * GIB, 100, 16), (24 * GIB, 1000, 4)],
)
def test_more_replies_share_a_micro_batch_where_there_is_room(
    tiny_folder: ModelFolder,
    monkeypatch: pytest.MonkeyPatch,
    card: int | None,
    prompt: int,
    replies: int,
) -> None:
    a_card(monkeypatch, card)
    settings = Tuning(rl=RLTuning(max_new_tokens=120))
    assert rloo.replies_per_micro_batch(tiny_folder, [(1,) * 5, (1,) * prompt], settings) == replies
