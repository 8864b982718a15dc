"""PassProgress that can be trusted, and a loss that is no number ends the pass."""

import math
from types import SimpleNamespace
from typing import Any

import pytest

from core.events import Event, StepReport
from core.training.run_control import RunControl
from core.training.trainer import PassProgress, assemble
from store.errors import TuteeError


def test_micro_batches_add_up_to_a_step() -> None:
    events: list[Event] = []
    progress = PassProgress("sft", RunControl(emit=events.append))
    for loss in (0.5, 0.25, 0.25, 0.125):
        progress.micro_batch(loss, accumulation=2, steps=2)
    assert progress.losses == [0.75, 0.375]
    reports = [event for event in events if isinstance(event, StepReport)]
    assert [(r.step, r.loss) for r in reports] == [(0.5, None), (1, 0.75), (1.5, 0.75), (2, 0.375)]


@pytest.mark.parametrize("cards", [0, 1, 4])
def test_of_several_cards_one_is_used(cards: int) -> None:
    def with_cards(**given: Any) -> Any:
        return SimpleNamespace(n_gpu=cards, _n_gpu=cards, **given)

    run_control = RunControl()
    progress = PassProgress("sft", run_control)
    trainer = assemble(SimpleNamespace, with_cards, run_control, progress, {}, {})
    assert trainer.args._n_gpu == min(cards, 1)


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_is_no_number_is_an_error_that_says_what_to_do(loss: float) -> None:
    with pytest.raises(TuteeError, match="lower learning rate"):
        PassProgress("sft", RunControl()).micro_batch(loss, accumulation=1, steps=3)
