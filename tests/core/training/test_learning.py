"""A pass ends when all is learned, and its learning rate falls to zero by then."""

import pytest

from core.training.learning import LEARNED_LOSS, LEAST, Learning


def walked(learning: Learning, learned_at: int | None) -> list[float]:
    """Return the rate of each step of a pass that learns its only sample in step `learned_at`."""
    rates = []
    step = 0
    while step < learning.steps:
        rates.append(learning.rate(step))
        known = learned_at is not None and step >= learned_at
        learning.note([0], [0.0 if known else 1.0], [0])
        step += 1
        learning.after(step)
    return rates


@pytest.mark.parametrize("most", [1, 2, 3, 4, 16, 32, 1000])
def test_a_pass_that_never_learns_takes_all_its_steps(most: int) -> None:
    rates = walked(Learning(1, most), None)
    assert len(rates) == most
    assert all(0 < rate <= 1 for rate in rates)
    assert max(rates) == 1
    assert rates[-1] < 1 / 2 or most < 6


@pytest.mark.parametrize("learned_at", [0, 8, 24, 40, 63])
def test_a_pass_ends_soon_after_all_is_learned(learned_at: int) -> None:
    rates = walked(Learning(1, 64), learned_at)
    assert learned_at < len(rates) <= min(max(learned_at, LEAST) * 3 // 2 + 3, 64)
    assert len(rates) >= LEAST
    assert rates[-1] < 1
    assert rates[rates.index(max(rates)) :] == sorted(rates[rates.index(max(rates)) :])[::-1]


def test_all_samples_must_be_learned_when_last_seen() -> None:
    learning = Learning(2, 64)
    learning.note([0], [0.0], [0])
    learning.after(30)
    assert learning.steps == 64
    learning.note([1], [LEARNED_LOSS], [0])
    learning.note([0], [0.0], [1])  # one token is wrong now
    learning.after(31)
    assert not learning.learned
    learning.note([0, 1], [0.0, 0.0], [0, 0])
    learning.after(32)
    assert learning.steps < 64


def test_a_restored_pass_goes_on_alike() -> None:
    one = Learning(1, 64)
    one.note([0], [0.0], [0])
    one.after(30)
    other = Learning(1, 64)
    other.restore(one.state())
    assert [other.rate(step) for step in range(64)] == [one.rate(step) for step in range(64)]
    assert other.learned == {0}
