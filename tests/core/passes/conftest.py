"""Samples on the tiny model."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from data.masks import Sample, encode
from store.records import Turn

if TYPE_CHECKING:
    from core.models import ModelFolder

QUESTIONS = ["the quick fox", "hello world", "a lazy dog", "你好", "jumps over", "Paris 42"]


@pytest.fixture
def tokenizer(tiny_folder: "ModelFolder") -> Any:
    from core.models import load_tokenizer

    return load_tokenizer(tiny_folder)


@pytest.fixture
def sample(tokenizer: Any) -> Callable[[str, str], Sample]:
    """Encode a question and a reply as the passes do."""
    return lambda question, reply: encode(tokenizer, [Turn(role="user", content=question)], reply)


@pytest.fixture
def samples(sample: Callable[[str, str], Sample]) -> list[Sample]:
    return [sample(question, "positive") for question in QUESTIONS]
