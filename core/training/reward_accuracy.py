"""How well a reward model ranks unseen pairs, and whether it can be trusted.

Two questions must both be answered with yes:

1. Is it better than chance? The lower end of the accuracy's 95 % interval must be above one half.
   Pairs of one conversation are alike, so n pairs in groups of m1, m2, … count as n² / Σ m² in the
   interval: n where each stands alone, and as many as there are groups where these are equally
   large and each is ranked right or wrong as a whole, the worst case.
2. Has it learned more than a length? Corrections tend to be shorter, or longer, than what they
   correct, and a policy trained on such a reward learns nothing but that length. So it must rank
   more pairs right than “the shorter reply wins” and “the longer reply wins” do.

The second comparison is a plain one on the same pairs. A test of McNemar's would need more pairs
than people have: with 20 of them it rarely finds a difference at all. And the bar is high as it is,
because the better rule is chosen in hindsight.
"""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from statistics import fmean
from typing import Any, NamedTuple

from core.significance import wilson
from store.i18n import N_, _

CROSS_VALIDATED = 100
"""Below this many pairs, all are measured by cross-validation; above, those that are held out."""
_FEWEST = 8
"""Independent pairs that trust takes: 4 right of 4 is chance one time in sixteen."""
_SHORTER, _LONGER = N_("shorter wins"), N_("longer wins")


class RankedPair(NamedTuple):
    """A pair as scored by a model that has not seen it."""

    chosen: float
    """Reward of the chosen reply."""
    rejected: float
    chosen_tokens: int
    rejected_tokens: int
    group: Hashable
    """Pairs of one group are not independent."""

    @property
    def right(self) -> bool:
        return self.chosen > self.rejected


def accuracy(pairs: Sequence[RankedPair]) -> dict[str, Any]:
    """Return the metrics of a reward model, among them whether it `passed`; {} without pairs."""
    if not pairs:
        return {}
    count, right = len(pairs), sum(pair.right for pair in pairs)
    groups = Counter(pair.group for pair in pairs)
    independent = count * count / sum(size * size for size in groups.values())
    interval = wilson(right / count * independent, independent)
    # Equally long replies are a coin's toss for either rule.
    shorter = fmean(
        (pair.chosen_tokens < pair.rejected_tokens)
        + 0.5 * (pair.chosen_tokens == pair.rejected_tokens)
        for pair in pairs
    )
    return {
        "holdout_pairs": count,
        "holdout_groups": len(groups),
        "holdout_independent": round(independent, 1),
        "holdout_accuracy": right / count,
        "holdout_interval": interval,
        "holdout_margin": fmean(pair.chosen - pair.rejected for pair in pairs),
        "shorter_wins": shorter,
        "longer_wins": 1 - shorter,
        "passed": _beats_chance(interval[0], independent)
        and right / count > max(shorter, 1 - shorter),
    }


def _beats_chance(low: float, independent: float) -> bool:
    return low > 0.5 and independent >= _FEWEST


def why_untrusted(metrics: Mapping[str, Any]) -> str:
    """Return what a reward model that did not pass lacks, in words.

    Args:
        metrics: Result of `accuracy`; that of an older version has neither groups nor rules.
    """
    count = metrics.get("holdout_pairs", 0)
    if not count:
        return _("the reward model had too few pairs to be measured")
    independent = metrics.get("holdout_independent", count)
    right = round(metrics["holdout_accuracy"] * count)
    wanted = _beyond_chance(count, independent)
    if wanted is None:
        return _(
            "{count} pairs from {groups} conversations are too few to trust a reward model"
        ).format(count=count, groups=metrics.get("holdout_groups", count))
    rule, share = max(
        ((_SHORTER, metrics.get("shorter_wins", 0)), (_LONGER, metrics.get("longer_wins", 0))),
        key=lambda named: float(named[1]),
    )
    if share * count >= wanted:
        return _(
            "the reward model ranks {right} of {count} pairs right; it must beat “{rule}”, "
            "{wins:g} of {count}"
        ).format(right=right, count=count, rule=_(rule), wins=round(share * count, 1))
    return _(
        "the reward model ranks {right} of {count} pairs right; from {wanted} on it is more than "
        "chance"
    ).format(right=right, count=count, wanted=wanted)


def _beyond_chance(count: int, independent: float) -> int | None:
    """Return how many of `count` pairs must be right to be more than chance; None if all are not
    enough."""
    enough = (
        right
        for right in range(count + 1)
        if _beats_chance(wilson(right / count * independent, independent)[0], independent)
    )
    return next(enough, None)
