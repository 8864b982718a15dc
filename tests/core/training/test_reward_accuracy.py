"""A reward model is trusted if it beats both chance and the rules of length."""

import pytest

from core.significance import wilson
from core.training.reward_accuracy import RankedPair, accuracy, why_untrusted


def ranked(right: int, total: int, shorter: int, groups: int = 0) -> list[RankedPair]:
    """`right` of `total` pairs ranked right, the chosen reply the shorter one in `shorter`."""
    return [
        RankedPair(
            chosen=float(n < right),
            rejected=0.5,
            chosen_tokens=5,
            rejected_tokens=9 if n < shorter else 3,
            group=n % groups if groups else n,
        )
        for n in range(total)
    ]


@pytest.mark.parametrize(
    ("pairs", "passed"),
    [
        (ranked(15, 20, 10), True),
        (ranked(14, 20, 10), False),  # may be chance
        (ranked(16, 20, 16), False),  # as good as a rule is not better
        (ranked(17, 20, 16), True),
        (ranked(17, 20, 2), False),  # the longer one wins 18 times
        (ranked(20, 20, 20), False),
        (ranked(4, 4, 2), False),
        (ranked(8, 8, 4), True),
        (ranked(20, 20, 10, groups=10), True),
        (ranked(20, 20, 10, groups=2), False),
    ],
)
def test_what_is_trusted(pairs: list[RankedPair], passed: bool) -> None:
    metrics = accuracy(pairs)
    assert metrics["passed"] == passed
    if not passed:
        assert str(len(pairs)) in why_untrusted(metrics)


def test_equally_long_replies_are_a_coins_toss() -> None:
    pairs = [pair._replace(rejected_tokens=5) for pair in ranked(15, 20, 10)]
    metrics = accuracy([*pairs, *ranked(0, 20, 20)])
    assert (metrics["shorter_wins"], metrics["longer_wins"]) == (0.75, 0.25)


def test_the_interval_counts_groups_and_not_pairs() -> None:
    alone, grouped = accuracy(ranked(15, 20, 10)), accuracy(ranked(15, 20, 10, groups=10))
    assert alone["holdout_interval"] == wilson(15, 20)
    assert grouped["holdout_interval"] == pytest.approx(wilson(7.5, 10))
    assert grouped["holdout_accuracy"] == alone["holdout_accuracy"] == 0.75
    # One long conversation and a few single pairs are hardly more than that conversation.
    lopsided = [pair._replace(group=max(n - 17, 0)) for n, pair in enumerate(ranked(20, 20, 10))]
    assert accuracy(lopsided)["holdout_independent"] == pytest.approx(400 / (18**2 + 2), abs=0.1)


def test_what_is_lacking_is_said_in_pairs() -> None:
    def lacking(*pairs: int) -> str:
        return why_untrusted(accuracy(ranked(*pairs)))

    prefix = "the reward model ranks"
    assert (
        lacking(14, 20, 10) == f"{prefix} 14 of 20 pairs right; from 15 on it is more than chance"
    )
    assert (
        lacking(15, 20, 15)
        == f"{prefix} 15 of 20 pairs right; it must beat “shorter wins”, 15 of 20"
    )
    assert (
        lacking(15, 20, 2) == f"{prefix} 15 of 20 pairs right; it must beat “longer wins”, 18 of 20"
    )
    few = "20 pairs from 2 conversations are too few to trust a reward model"
    assert lacking(20, 20, 10, 2) == few


def test_nothing_is_said_of_no_pairs() -> None:
    assert accuracy([]) == {}
    assert why_untrusted({}) == "the reward model had too few pairs to be measured"


def test_an_older_version_was_only_measured_against_chance() -> None:
    metrics = {"holdout_pairs": 8, "holdout_accuracy": 0.5, "holdout_interval": (0.2, 0.8)}
    assert why_untrusted(metrics) == (
        "the reward model ranks 4 of 8 pairs right; from 7 on it is more than chance"
    )
