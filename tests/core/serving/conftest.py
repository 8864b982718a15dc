"""The tiny model as transformers has it, and what its forward passes take in."""

from typing import Any

import pytest
import torch

from core.models.folder import ModelFolder
from core.models.loading import load_model
from core.serving.transformers_decoder import forward


@pytest.fixture(scope="module")
def model(tiny_folder: ModelFolder) -> Any:
    return load_model(tiny_folder, torch.float32)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of tokens of each forward pass."""
    seen: list[int] = []

    def counting(model: Any, rows: Any, *values: Any) -> torch.Tensor:
        seen.append(len(rows[0]))
        return forward(model, rows, *values)

    monkeypatch.setattr("core.serving.transformers_decoder.forward", counting)
    return seen
