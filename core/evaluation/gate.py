"""The gate: whether a new version is adopted by itself.

Only if nothing got worse that was measured: the held-out corrections are not further away, the
reference texts lost at most 2 %, and the replies still end. Otherwise the version is kept and
labelled, and the person may try it and use it all the same. Everything is compared with the version
that the training began from.
"""

import math
from collections.abc import Collection
from statistics import fmean, stdev

from core import stop_reasons
from core.training.exam import Figures

PROBE_TOLERANCE = 0.02
"""How much the loss on the reference texts may rise, as a share of what it was."""
ENDED_MINIMUM = 0.95
"""Share of the probes' replies that must end by themselves; one reply fewer than before may be
chance, as a long one looks like an endless one."""
HOLDOUT_TOLERANCE = 1e-3
"""Nats by which rounding alone may move the hold-out loss."""

HOLDOUT_ERRORS = 1.645
"""Standard errors by which it must rise to be held back: one time in twenty it is chance even so.
After a few rounds only three or four records may be held out, and one review that is read the other
way moves their loss by half a nat."""


def judge(before: Figures, after: Figures, languages: Collection[str] = ()) -> tuple[str, ...]:
    """Why a version with these figures is held back; nothing where it may be adopted.

    In English, as it is kept; `core.stop_reasons.told` puts it into the person's language.

    Args:
        languages: Those that the person teaches in. A model may never have spoken the others, and
            how it fails in them is chance.
    """
    found = []
    if before.holdout_loss is not None and after.holdout_loss is not None:
        rise = after.holdout_loss - before.holdout_loss
        if rise > HOLDOUT_TOLERANCE and not _by_chance(before, after):
            losses = {"before": f"{before.holdout_loss:.2f}", "after": f"{after.holdout_loss:.2f}"}
            found.append(stop_reasons.HOLDOUT_ROSE.format(**losses))
    if before.probe_loss is not None and after.probe_loss is not None:
        rise = after.probe_loss / before.probe_loss - 1
        if rise > PROBE_TOLERANCE:
            found.append(stop_reasons.PROBES_ROSE.format(rise=f"{rise:.1%}"))
    had, has = ended(before, languages), ended(after, languages)
    lost = round((had - has) * len(after.probes_in(languages)))
    if has < ENDED_MINIMUM and lost > 1:
        found.append(stop_reasons.REPLIES_RAN_ON.format(share=f"{has:.0%}", before=f"{had:.0%}"))
    return tuple(found)


def _by_chance(before: Figures, after: Figures) -> bool:
    """Whether the held-out replies are too few, or too far apart, to call a rise of their loss one.

    A paired test: the mean rise must be larger than its standard error, `HOLDOUT_ERRORS` times.
    """
    if not before.holdout_losses or len(before.holdout_losses) != len(after.holdout_losses):
        return False
    if len(after.holdout_losses) < 2:
        return True
    pairs = zip(before.holdout_losses, after.holdout_losses, strict=True)
    rises = [late - early for early, late in pairs]
    return fmean(rises) <= HOLDOUT_ERRORS * stdev(rises) / math.sqrt(len(rises))


def ended(figures: Figures, languages: Collection[str]) -> float:
    """Share of the probes' replies that ended by themselves, of those that are judged."""
    probes = figures.probes_in(languages)
    return fmean(answer.ended for answer in probes) if probes else 1.0
