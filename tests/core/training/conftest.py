"""Samples on the tiny model."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from data.tokenization import Sample, encode
from store.records import ChatMessage

if TYPE_CHECKING:
    from core.models.folder import ModelFolder

QUESTIONS = ["the quick fox", "hello world", "a lazy dog", "你好", "jumps over", "Paris 42"]


@pytest.fixture
def tokenizer(tiny_folder: "ModelFolder") -> Any:
    from core.models.loading import load_tokenizer

    return load_tokenizer(tiny_folder)


@pytest.fixture
def sample(tokenizer: Any) -> Callable[[str, str], Sample]:
    """Encode a question and a reply as the passes do."""
    return lambda question, reply: encode(
        tokenizer, [ChatMessage(role="user", content=question)], reply
    )


@pytest.fixture
def samples(sample: Callable[[str, str], Sample]) -> list[Sample]:
    return [sample(question, "positive") for question in QUESTIONS]


@pytest.fixture
def pairs(sample: Callable[[str, str], Sample]) -> list[tuple[Sample, Sample]]:
    return [(sample(q, "a helpful answer"), sample(q, "negative 42")) for q in QUESTIONS]


@pytest.fixture
def started(
    tiny_folder: "ModelFolder", tokenizer: Any, samples: list[Sample], tmp_path: Path
) -> Path:
    """An adapter to go on from."""
    from core.config import SFTTuning, Tuning
    from core.training import sft
    from core.training.run_control import RunControl

    settings = Tuning(epochs=6, batch_size=6, sft=SFTTuning(learning_rate=5e-3))
    trained = sft.train(tiny_folder, tokenizer, None, samples, settings, RunControl())
    trained.save(tmp_path / "started")
    return tmp_path / "started"


def trainable(model: Any) -> dict[str, Any]:
    """The weights that a pass changes, as they are now."""
    return {n: p.detach().clone() for n, p in model.named_parameters() if p.requires_grad}


def plain_arguments(output: Path, epochs: int, learning_rate: float, seed: int) -> dict[str, Any]:
    """What a TRL trainer of its own needs to make the steps that a pass makes on six samples."""
    return {
        "output_dir": str(output),
        "per_device_train_batch_size": 6,
        "num_train_epochs": epochs,
        "learning_rate": learning_rate,
        "lr_scheduler_type": "constant_with_warmup",
        "warmup_steps": 0.1,
        "use_cpu": True,
        "bf16": False,
        "gradient_checkpointing": False,
        "report_to": "none",
        "save_strategy": "no",
        "seed": seed,
        "disable_tqdm": True,
    }
