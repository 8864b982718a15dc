"""The gate: whether a new version is activated automatically.

It is if nothing measured got worse than it may. A version is compared with the version that its
training started from and, so that small losses do not add up over many versions, with the base:

- it drifted from the base by no more than a limit, on brief replies of the base to general prompts;
- replies still end, are about as long as before, and are not all the same;
- the held-out aim of its own pass did not fall beyond chance.

Otherwise the version is kept with the reasons, and the user may still activate it. A version that
learned little of what it was taught is not held back for that: it harms nothing, and its report
says so.

Left out on purpose: the loss on texts by people, which falls when a model becomes terse and so
hides what was forgotten; and the likelihood of held-out corrections in the passes that learn from
preferences or rewards, which trade it by design.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from statistics import fmean
from typing import Any

from core import stop_reasons
from core.evaluation.report import Report
from core.significance import lost, rose
from core.training.exam import Answer, Figures

DRIFT_LIMIT = 0.12
"""Largest mean divergence from the base on its brief replies, in nats a token. The built-in model
stays below 0.05 where it learned a lesson and kept nine tenths of what it knew, and goes above 0.28
where sixteen steps without rehearsal cost it a third or more (`tests/bench/gate.py` has both)."""
DRIFT_RISE = 0.08
"""Largest rise of that divergence over the parent's."""
ENDED_MINIMUM = 0.95
"""Share of the probe replies that must end by themselves. One fewer than before is always allowed:
a long reply looks like an endless one."""
HOLDOUT_TOLERANCE = 1e-3
"""Nats by which rounding alone may move a held-out figure."""
SHORTEST, LONGEST = 0.2, 3.0
"""Mean length of the probe replies that is allowed, as a multiple of the length before. Who teaches
brief replies may have them everywhere; a model that answers everything with one word goes below
it."""
SAME_REPLIES = 0.3
"""Share of the probes above which one equal reply to all of them counts as collapse: no two of them
have the same right answer but two about sentiment."""


def reasons_to_hold_back(report: Report) -> tuple[str, ...]:
    """Return why the version of this report is held back; empty if it may be activated.

    The reasons are English, as they are stored; `core.stop_reasons.translated` shows them.
    """
    return (*_aim_fell(report), *_drifted(report), *_collapsed(report))


def ended_share(figures: Figures, languages: Collection[str]) -> float:
    """Return the share of the judged probe replies that ended by themselves; 1 without probes."""
    return _ended(figures.probes_in(languages))


def mean_length(answers: Sequence[Answer]) -> float:
    """Return the mean number of characters of the replies; 0 without any."""
    return fmean(len(answer.reply.strip()) for answer in answers) if answers else 0.0


# -- the aim of the pass -------------------------------------------------------------------------


def _aim_fell(report: Report) -> Iterator[str]:
    if report.pass_name == "sft":
        yield from _rise_of_loss(report.before.holdout_losses, report.after.holdout_losses)
    was, now = _items(report, "holdout_right")
    if lost(was, now):
        shares = {"before": f"{fmean(was):.0%}", "after": f"{fmean(now):.0%}"}
        yield stop_reasons.PAIRS_FELL.format(**shares)
    was, now = _items(report, "holdout_gains")
    if rose(now, was) and (fall := fmean(was) - fmean(now)) > HOLDOUT_TOLERANCE:
        yield stop_reasons.THUMBS_FELL.format(fall=f"{fall:.2f}")
    was, now = _items(report, "holdout_rewards")
    if rose(now, was):
        rewards = {"before": f"{fmean(was):.2f}", "after": f"{fmean(now):.2f}"}
        yield stop_reasons.REWARD_FELL.format(**rewards)


def _rise_of_loss(before: Sequence[float], after: Sequence[float]) -> Iterator[str]:
    if not before or len(before) != len(after):
        return
    if rose(before, after) and fmean(after) - fmean(before) > HOLDOUT_TOLERANCE:
        losses = {"before": f"{fmean(before):.2f}", "after": f"{fmean(after):.2f}"}
        yield stop_reasons.HOLDOUT_ROSE.format(**losses)


def _items(report: Report, key: str) -> tuple[list[Any], list[Any]]:
    """Return what the pass measured on each held-out item, before and after.

    Items without a measurement on both sides are left out.
    """
    before, after = report.metrics.get(f"{key}_before") or (), report.metrics.get(key) or ()
    pairs = [(a, b) for a, b in zip(before, after, strict=False) if None not in (a, b)]
    return [a for a, _ in pairs], [b for _, b in pairs]


# -- what was not taught -------------------------------------------------------------------------


def _drifted(report: Report) -> Iterator[str]:
    before, after = report.before.drift, report.after.drift
    if after is not None and after > DRIFT_LIMIT:
        yield stop_reasons.DRIFTED.format(drift=f"{after:.2f}", limit=DRIFT_LIMIT)
    elif after is not None and before is not None and after - before > DRIFT_RISE:
        yield stop_reasons.DRIFT_ROSE.format(rise=f"{after - before:.2f}", limit=DRIFT_RISE)


def _collapsed(report: Report) -> Iterator[str]:
    """Compare with the parent first, then with the base; each reason is given once."""
    now = report.after.probes_in(report.languages)
    found: dict[str, str] = {}
    for earlier in filter(None, (report.before, report.base)):
        was = earlier.probes_in(report.languages)
        if was:
            for sentence, reason in (*_ran_on(was, now), *_length_changed(was, now)):
                found.setdefault(sentence, reason)
    yield from found.values()
    yield from _all_the_same(now)


def _ran_on(before: Sequence[Answer], after: Sequence[Answer]) -> Iterator[tuple[str, str]]:
    earlier, share = _ended(before), _ended(after)
    if share < ENDED_MINIMUM and round((earlier - share) * len(after)) > 1:
        shares = {"before": f"{earlier:.0%}", "share": f"{share:.0%}"}
        yield stop_reasons.REPLIES_RAN_ON, stop_reasons.REPLIES_RAN_ON.format(**shares)


def _length_changed(before: Sequence[Answer], after: Sequence[Answer]) -> Iterator[tuple[str, str]]:
    length, now = mean_length(before), mean_length(after)
    if now < SHORTEST * length or now > LONGEST * length:
        lengths = {"before": f"{length:.0f}", "after": f"{now:.0f}"}
        yield stop_reasons.LENGTH_CHANGED, stop_reasons.LENGTH_CHANGED.format(**lengths)


def _all_the_same(answers: Sequence[Answer]) -> Iterator[str]:
    replies = [answer.reply.strip().casefold() for answer in answers if not answer.declines]
    if len(replies) < _FEWEST:
        return
    reply, count = Counter(replies).most_common(1)[0]
    if count > SAME_REPLIES * len(replies):
        share = f"{count / len(replies):.0%}"
        yield stop_reasons.SAME_REPLY.format(share=share, reply=reply[:_SHOWN] or "–")


def _ended(answers: Sequence[Answer]) -> float:
    return fmean(answer.ended for answer in answers) if answers else 1.0


_FEWEST = 5
"""Probes below which equal replies mean nothing."""
_SHOWN = 40
"""Characters of a reply that a reason quotes."""
