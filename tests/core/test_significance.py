"""Chance is told from change, with the published quantiles and values worked out by hand."""

import random

import pytest

from core.significance import lost, rose, t_quantile, wilson


@pytest.mark.parametrize(
    ("degrees", "quantile"),
    [(1, 6.314), (2, 2.920), (30, 1.697), (40, 1.684), (60, 1.671), (120, 1.658)],
)
def test_the_quantiles_are_those_of_the_tables(degrees: int, quantile: float) -> None:
    assert t_quantile(degrees) == pytest.approx(quantile, abs=1e-3)


@pytest.mark.parametrize("count", [2, 3, 7, 40])
def test_without_a_change_one_comparison_in_twenty_looks_worse(count: int) -> None:
    chance = random.Random(0)
    seen = sum(
        rose([0.0] * count, [chance.gauss(0, 1) for _ in range(count)]) for _ in range(20_000)
    )
    assert seen / 20_000 == pytest.approx(0.05, abs=0.006)


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ([1.1, 1.2, 1.1], True),
        ([0.9, 0.8, 0.9], False),
        ([1.0, 1.0, 1.0], False),
        ([1.5, 1.5, 1.5], True),
        ([2.0, 0.9, 1.0], False),
    ],
)
def test_a_mean_rises(after: list[float], expected: bool) -> None:
    assert rose([1.0, 1.0, 1.0], after) is expected


@pytest.mark.parametrize("items", [0, 1])
def test_fewer_than_two_items_say_nothing(items: int) -> None:
    assert not rose([0.0] * items, [9.0] * items)


@pytest.mark.parametrize(
    ("losses", "gains", "expected"),
    [
        (4, 0, False),  # 1/16
        (5, 0, True),  # 1/32
        (6, 1, False),  # 8/128
        (7, 1, True),  # 9/256
        (0, 9, False),
        (0, 0, False),
    ],
)
def test_a_share_falls_where_more_are_lost_than_a_coin_would_lose(
    losses: int, gains: int, expected: bool
) -> None:
    before = [True] * losses + [False] * gains + [True] * 9
    after = [False] * losses + [True] * gains + [True] * 9
    assert lost(before, after) is expected


def test_the_interval_of_a_share() -> None:
    assert wilson(18, 20) == pytest.approx((0.699, 0.972), abs=1e-3)
