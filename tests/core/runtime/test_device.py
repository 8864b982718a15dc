"""One function chooses the device, by what there is and what the user names."""

import pytest
import torch

from core.config import Tuning
from core.models import quantization
from core.runtime.device import device, disable_cudnn_attention, dtype
from core.training.trainer import arguments


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without any card, whatever this one has."""
    monkeypatch.delenv("TUTEE_DEVICE", raising=False)
    have(monkeypatch)


def have(monkeypatch: pytest.MonkeyPatch, *, cuda: bool = False, mps: bool = False) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)


@pytest.mark.parametrize(
    ("cuda", "mps", "chosen"),
    [(False, False, "cpu"), (False, True, "mps"), (True, False, "cuda"), (True, True, "cuda")],
)
def test_the_best_there_is_is_chosen(
    monkeypatch: pytest.MonkeyPatch, cuda: bool, mps: bool, chosen: str
) -> None:
    have(monkeypatch, cuda=cuda, mps=mps)
    assert device() == chosen
    assert dtype() == (torch.bfloat16 if cuda else torch.float32)
    told = arguments(Tuning(), 1, 1e-4)
    assert told["use_cpu"] == (chosen == "cpu")
    assert told["bf16"] == (chosen == "cuda")


@pytest.mark.parametrize(
    ("named", "chosen"),
    [("cpu", "cpu"), ("CPU", "cpu"), ("MPS", "mps"), ("cuda", "cpu"), ("none", "mps")],
)
def test_the_user_may_name_one_that_is_there(
    monkeypatch: pytest.MonkeyPatch, named: str, chosen: str
) -> None:
    have(monkeypatch, mps=True)
    monkeypatch.setenv("TUTEE_DEVICE", named)
    assert device() == chosen


def test_no_model_is_kept_in_four_bits_on_a_mac(monkeypatch: pytest.MonkeyPatch) -> None:
    assert quantization.choose("always", 1, None).four_bit
    have(monkeypatch, mps=True)
    assert not quantization.choose("always", 1, None).four_bit


def test_a_card_that_is_not_used_has_no_memory_to_choose_by(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    have(monkeypatch, cuda=True)
    monkeypatch.setenv("TUTEE_DEVICE", "cpu")
    assert quantization.card() is None


@pytest.mark.parametrize("cuda", [False, True])
def test_cuda_does_not_use_cudnn_attention(monkeypatch: pytest.MonkeyPatch, cuda: bool) -> None:
    told: list[bool] = []
    monkeypatch.setattr(torch.backends.cuda, "enable_cudnn_sdp", told.append)
    have(monkeypatch, cuda=cuda)
    disable_cudnn_attention()
    assert told == ([False] if cuda else [])
