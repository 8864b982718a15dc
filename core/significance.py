"""Whether a difference between two measurements may be chance: the tests behind gate and report.

All are paired, because the same items are measured before and after. Those of the gate are
one-sided at 5 %: if nothing changed, one comparison in twenty looks worse.

Left out on purpose: a correction for several tests at once. The gate would then overlook a version
that got worse in one respect only.
"""

import math
from collections.abc import Sequence
from statistics import fmean, stdev

CHANCE = 0.05
"""Probability at which a difference no longer counts as chance."""

_QUANTILES = (
    *(6.314, 2.920, 2.353, 2.132, 2.015, 1.943, 1.895, 1.860, 1.833, 1.812),
    *(1.796, 1.782, 1.771, 1.761, 1.753, 1.746, 1.740, 1.734, 1.729, 1.725),
    *(1.721, 1.717, 1.714, 1.711, 1.708, 1.706, 1.703, 1.701, 1.699, 1.697),
)
"""95 % quantiles of Student's t with 1 to 30 degrees of freedom (NIST/SEMATECH e-Handbook of
Statistical Methods, table 1.3.6.7.2)."""
_Z_95, _Z_975 = 1.645, 1.959964
"""95 and 97.5 % quantiles of the normal distribution."""


def t_quantile(degrees: int) -> float:
    """Return the 95 % quantile of Student's t with `degrees` (at least 1) degrees of freedom.

    Above 30 the first term of the Cornish–Fisher expansion, right to three digits.
    """
    if degrees <= len(_QUANTILES):
        return _QUANTILES[degrees - 1]
    return _Z_95 + (_Z_95**3 + _Z_95) / (4 * degrees)


def rose(before: Sequence[float], after: Sequence[float]) -> bool:
    """Return whether the mean of `after` is above that of `before` beyond chance.

    A paired t-test; fewer than two pairs never suffice.

    Args:
        before, after: The same items in the same order.
    """
    rises = [b - a for a, b in zip(before, after, strict=True)]
    if len(rises) < 2:
        return False
    error = stdev(rises) / math.sqrt(len(rises))
    return fmean(rises) > t_quantile(len(rises) - 1) * error


def lost(before: Sequence[bool], after: Sequence[bool]) -> bool:
    """Return whether fewer items are right than before, beyond chance.

    McNemar's exact test: of the items that changed, whether more were lost than a coin would lose.

    Args:
        before, after: The same items in the same order.
    """
    pairs = list(zip(before, after, strict=True))
    losses = sum(a and not b for a, b in pairs)
    changed = sum(a != b for a, b in pairs)
    ways = sum(math.comb(changed, count) for count in range(losses, changed + 1))
    return ways / 2**changed < CHANCE


def mcnemar(before: Sequence[bool], after: Sequence[bool]) -> float:
    """Return the two-sided p-value of McNemar's exact test; 1 if no item changed.

    Args:
        before, after: The same items in the same order.
    """
    pairs = list(zip(before, after, strict=True))
    losses = sum(a and not b for a, b in pairs)
    changed = sum(a != b for a, b in pairs)
    fewer = min(losses, changed - losses)
    ways = sum(math.comb(changed, count) for count in range(fewer + 1))
    return min(1.0, 2 * ways / 2**changed)


def wilson(right: float, total: float) -> tuple[float, float]:
    """Return the 95 % score interval of the share `right` / `total` (Wilson, 1927)."""
    z = _Z_975
    share = right / total
    middle = share + z * z / (2 * total)
    spread = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    scale = 1 + z * z / total
    return (middle - spread) / scale, (middle + spread) / scale
