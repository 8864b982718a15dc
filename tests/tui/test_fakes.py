"""The fakes match the real workers: every method that the app calls has the same signature."""

import inspect

import pytest

from core.workers.chat import ChatWorker
from core.workers.tuning import TuningWorker
from tests.fakes import FakeChat, FakeTuning


@pytest.mark.parametrize(
    "name",
    [
        *("start", "serve_as", "check", "reply", "prefill", "stop_reply"),
        *("answer", "best_of", "score", "stop_answers", "swap", "close"),
    ],
)
def test_the_chat_twin_has_the_calls_of_the_real_one(name: str) -> None:
    assert parameters(getattr(FakeChat, name)) == parameters(getattr(ChatWorker, name))


@pytest.mark.parametrize("name", ["start", "cancel", "close"])
def test_the_tuning_twin_has_the_calls_of_the_real_one(name: str) -> None:
    assert parameters(getattr(FakeTuning, name)) == parameters(getattr(TuningWorker, name))


def parameters(function: object) -> list[tuple[str, object]]:
    found = inspect.signature(function).parameters.values()  # type: ignore[arg-type]
    return [(parameter.name, parameter.default) for parameter in found]
