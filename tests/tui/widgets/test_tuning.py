"""The figures of a running pass."""

from tui.views.training_progress import TrainingProgress
from tui.widgets.tuning import _figures

RUNNING = TrainingProgress(
    name="sft", step=2.0, steps=9, points=((1.0, 2.5),), speed=212, eta=20, stage="learn"
)


def test_the_gradient_is_shown_once_there_is_one() -> None:
    first, _bar, loss, speed = _figures(RUNNING).plain.splitlines()
    assert (first, loss, speed) == ("Imitate (SFT) 2/9", "loss 2.50", "212 tok/s")
    seen = TrainingProgress(**{**vars(RUNNING), "grad_norm": 0.519})
    assert _figures(seen).plain.endswith("212 tok/s · gradient norm 0.52")


def test_what_is_learned_so_far_comes_first() -> None:
    seen = TrainingProgress(**{**vars(RUNNING), "learned": (6, 8)})
    assert _figures(seen).plain.endswith("learned 6 of 8 · 212 tok/s")
