"""The gate: whether a new version is activated automatically.

It is if nothing measured got worse than in the version that training started from: the loss on
held-out corrections did not rise beyond chance, the loss on the reference texts rose by at most
2 %, and replies still end. Otherwise the version is kept with the reasons, and the user may still
activate it.
"""

import math
from collections.abc import Collection
from statistics import fmean, stdev

from core import stop_reasons
from core.training.exam import Figures

PROBE_TOLERANCE = 0.02
"""Largest relative rise of the loss on the reference texts."""
ENDED_MINIMUM = 0.95
"""Share of the probe replies that must end by themselves. One fewer than before is always allowed:
a long reply looks like an endless one."""
HOLDOUT_TOLERANCE = 1e-3
"""Nats by which rounding alone may move the hold-out loss."""
HOLDOUT_ERRORS = 1.645
"""Standard errors by which the hold-out loss must rise to count: a one-sided 5 % test. Early on,
only three or four records are held out, and a single one can move their loss by half a nat."""


def reasons_to_hold_back(
    before: Figures, after: Figures, languages: Collection[str] = ()
) -> tuple[str, ...]:
    """Return why a version with these figures is held back; empty if it may be activated.

    The reasons are English, as they are stored; `core.stop_reasons.translated` shows them.

    Args:
        languages: The languages the user teaches in. Only these are judged: the model may never
            have spoken the others, and how it fails in them is chance.
    """
    reasons = []
    if before.holdout_loss is not None and after.holdout_loss is not None:
        rise = after.holdout_loss - before.holdout_loss
        if rise > HOLDOUT_TOLERANCE and not _by_chance(before, after):
            losses = {"before": f"{before.holdout_loss:.2f}", "after": f"{after.holdout_loss:.2f}"}
            reasons.append(stop_reasons.HOLDOUT_ROSE.format(**losses))
    if before.probe_loss is not None and after.probe_loss is not None:
        rise = after.probe_loss / before.probe_loss - 1
        if rise > PROBE_TOLERANCE:
            reasons.append(stop_reasons.PROBES_ROSE.format(rise=f"{rise:.1%}"))
    earlier, share = ended_share(before, languages), ended_share(after, languages)
    lost = round((earlier - share) * len(after.probes_in(languages)))
    if share < ENDED_MINIMUM and lost > 1:
        shares = {"before": f"{earlier:.0%}", "share": f"{share:.0%}"}
        reasons.append(stop_reasons.REPLIES_RAN_ON.format(**shares))
    return tuple(reasons)


def _by_chance(before: Figures, after: Figures) -> bool:
    """Whether a rise of the hold-out loss may be chance: a paired t-test over the replies.

    The mean rise counts if it exceeds `HOLDOUT_ERRORS` of its standard errors.
    """
    if not before.holdout_losses or len(before.holdout_losses) != len(after.holdout_losses):
        return False
    if len(after.holdout_losses) < 2:
        return True
    rises = [b - a for a, b in zip(before.holdout_losses, after.holdout_losses, strict=True)]
    return fmean(rises) <= HOLDOUT_ERRORS * stdev(rises) / math.sqrt(len(rises))


def ended_share(figures: Figures, languages: Collection[str]) -> float:
    """Return the share of the judged probe replies that ended by themselves; 1 without probes."""
    probes = figures.probes_in(languages)
    return fmean(answer.ended for answer in probes) if probes else 1.0
