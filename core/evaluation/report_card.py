"""The report card of a version, ready to be shown: its inputs, its results and the gate's verdict.

Built from the manifest and the report as plain texts and numbers, so that the app, the terminal,
Markdown and HTML all show the same. A version without an exam has a card too, from its manifest.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean
from typing import Any, Literal, NamedTuple

from core import stop_reasons
from core.adapters.labels import Remark
from core.adapters.manifest import Kind, Manifest
from core.adapters.registry import Adapters
from core.evaluation import report
from core.evaluation.gate import DRIFT_LIMIT, ended_share, mean_length
from core.evaluation.refusals import declined
from core.evaluation.report import Report
from core.events import PassName
from core.significance import lost, rose, wilson
from core.training.exam import TAUGHT_REPLIES, Answer, Figures, is_exact, similarity
from core.training.reward_accuracy import why_untrusted
from store.errors import TuteeError
from store.i18n import N_, _, ngettext
from store.local_time import local_minute

_TITLES: dict[str, str] = {
    "sft": N_("supervised fine-tuning (SFT)"),
    "kto": N_("thumbs (KTO)"),
    "dpo": N_("pairs (DPO)"),
    "reward": N_("reward model"),
    "rl": N_("reinforcement learning (RLOO)"),
}
_SHARED_SETTINGS = ("rehearsal", "batch_size", "rank", "alpha", "max_length", "seed")
_PASS_SETTINGS: dict[PassName, tuple[str, ...]] = {
    "sft": ("learning_rate", "epochs", "minimum_steps", "replay", "dropout"),
    "kto": ("preference_learning_rate", "beta", "epochs", "preference_minimum_steps", "replay"),
    "dpo": (
        "preference_learning_rate",
        "beta",
        "sft_weight",
        "epochs",
        "preference_minimum_steps",
        "replay",
    ),
    "reward": ("reward_learning_rate", "reward_incremental", "epochs", "preference_minimum_steps"),
    "rl": (
        "rl_learning_rate",
        "rl_steps",
        "rl_prompts",
        "rl_generations",
        "rl_max_new_tokens",
        "rl_beta",
        "kl_limit",
    ),
}
"""The settings that each pass reads, by their names in manifests."""

GateVerdict = Literal["passed", "held back", "not judged"]
_PASSED: GateVerdict = N_("passed")
_HELD_BACK: GateVerdict = N_("held back")
_NOT_JUDGED: GateVerdict = N_("not judged")
Trend = Literal["better", "worse", "within chance", "same", ""]
_NOTICEABLE = 0.01
"""Smallest change of an untested figure that counts as one: a point of a share, or 0.01 nats."""
_LANGUAGES = {"en": N_("English"), "zh": N_("Chinese")}


class Metric(NamedTuple):
    """One number before and after training; `before` is None where nothing was measured."""

    name: str
    before: float | None
    after: float
    share: bool = False
    """It is a fraction, shown as a percentage."""
    falls: bool = False
    """Lower is better."""
    remark: str = ""
    chance: bool | None = None
    """The change may be chance; None if it was not tested."""
    neutral: bool = False
    """Neither more nor less of it is better."""
    decimals: int = 3

    def text(self, value: float | None) -> str:
        if value is None:
            return "–"
        return f"{value:.1%}" if self.share else f"{value:.{self.decimals}f}"

    @property
    def trend(self) -> Trend:
        if self.before is None or self.neutral:
            return ""
        if self.text(self.before) == self.text(self.after):
            return "same"
        if self.chance is None and abs(self.after - self.before) < _NOTICEABLE:
            return "same"
        if self.chance:
            return "within chance"
        return "better" if (self.after < self.before) == self.falls else "worse"


class Curve(NamedTuple):
    """One number at each step."""

    name: str
    values: tuple[float, ...]

    def thinned(self, most: int) -> list[float]:
        """Return at most `most` numbers, each the mean of a run of values."""
        runs = min(len(self.values), most)
        bounds = [len(self.values) * run // runs for run in range(runs + 1)]
        return [fmean(self.values[low:high]) for low, high in pairwise(bounds)]

    @property
    def ends(self) -> str:
        return f"{self.values[0]:.3f} → {self.values[-1]:.3f}"


class ReplyComparison(NamedTuple):
    """The replies to one prompt before and after training."""

    prompt: str
    before: str
    after: str
    ended: bool
    """The reply after training ended by itself."""
    wanted: str = ""
    """The taught reply, the held-out correction, or right answers to a probe; may be empty."""
    right: bool | None = None
    """The reply after training is right; None if only a reader can tell."""

    @property
    def changed(self) -> bool:
        return self.before.strip() != self.after.strip()


def count_changed(replies: Sequence[ReplyComparison]) -> str:
    """Say how many of the replies changed."""
    changed = sum(reply.changed for reply in replies)
    return _("{changed} of {count} replies changed").format(changed=changed, count=len(replies))


@dataclass(frozen=True)
class ReportCard:
    manifest: Manifest
    remark: Remark
    verdict: GateVerdict
    reasons: tuple[str, ...]
    """Why it was held back or not judged."""
    facts: tuple[tuple[str, str], ...]
    """What it was trained on and how, as name and text."""
    settings: tuple[tuple[str, str], ...]
    taught: tuple[ReplyComparison, ...]
    """The taught prompts themselves, newest first; `before` is the reply that was corrected, if
    that is known."""
    figures: tuple[Metric, ...]
    """On held-out records like the taught ones."""
    side_effects: tuple[Metric, ...]
    """On what was not taught."""
    curves: tuple[Curve, ...]
    held_out: tuple[ReplyComparison, ...]
    probes: tuple[ReplyComparison, ...]

    @property
    def learned(self) -> str:
        """How many of the taught prompts are answered as taught, in words; empty if none was asked.

        They are the very prompts of the training, so this says what was memorized, not understood.
        """
        if not self.taught:
            return ""
        right = sum(bool(reply.right) for reply in self.taught)
        text = _("learned {right} of {asked}").format(right=right, asked=len(self.taught))
        if len(self.manifest.records) > len(self.taught) == TAUGHT_REPLIES:
            return _("{learned}, a sample").format(learned=text)
        return text

    @property
    def title(self) -> str:
        label = f" “{self.remark.label}”" if self.remark.label else ""
        name = self.manifest.pass_name
        return f"{self.manifest.version}{label} · {_(_TITLES.get(name, name))}"

    @property
    def judgment(self) -> str:
        """The verdict with its reasons, in one line."""
        if self.verdict == _PASSED:
            return _("safe to use: nothing got worse beyond its limit")
        reasons = _("; ").join(self.reasons)
        return _("{verdict}: {reasons}").format(verdict=_(self.verdict), reasons=reasons)


def build_report_card(adapters: Adapters, version: str) -> ReportCard:
    """Build the report card of `version`.

    Raises:
        TuteeError: there is no such version, it is the base, or its report is damaged.
    """
    manifest = adapters.manifest(version)
    directory = adapters.dir / manifest.version
    if not directory.is_dir():
        raise TuteeError(
            _("The base has no report: it is the original model, not a trained version."),
            _("`tutee adapters` lists the trained versions."),
        )
    exam = report.read(directory) if (directory / report.FILE).exists() else None
    verdict, reasons = _verdict(manifest, exam)
    return ReportCard(
        manifest=manifest,
        remark=adapters.remark(manifest.version),
        verdict=verdict,
        reasons=reasons,
        facts=tuple(_facts(adapters, manifest)),
        settings=tuple(_settings(manifest)),
        taught=_compared(exam.before.taught, exam.after.taught, _is_learned) if exam else (),
        figures=(*(_holdout_metrics(exam) if exam else ()), *_pass_metrics(manifest.metrics)),
        side_effects=tuple(_side_effects(exam)) if exam else (),
        curves=tuple(_curves(manifest.metrics)),
        held_out=_compared(exam.before.holdout, exam.after.holdout, _is_learned) if exam else (),
        probes=_compared(exam.before.probes, exam.after.probes, _is_right) if exam else (),
    )


def _verdict(manifest: Manifest, exam: Report | None) -> tuple[GateVerdict, tuple[str, ...]]:
    if manifest.held_back:
        return _HELD_BACK, tuple(map(stop_reasons.translated, manifest.held_back))
    if manifest.kind == "reward":
        passed = manifest.metrics.get("passed")
        if passed is None:
            return _NOT_JUDGED, (_("there were too few pairs to measure it with"),)
        return (_PASSED, ()) if passed else (_HELD_BACK, (why_untrusted(manifest.metrics),))
    if exam is None:
        return _NOT_JUDGED, (_("it was not examined"),)
    return _PASSED, ()


# -- inputs --------------------------------------------------------------------------------------


def _facts(adapters: Adapters, manifest: Manifest) -> Iterable[tuple[str, str]]:
    metrics = manifest.metrics
    yield _("made"), local_minute(manifest.created)
    model, revision = adapters.folder.label, manifest.revision[:12]
    yield _("base"), _("{model}, revision {revision}").format(model=model, revision=revision)
    yield _("from"), manifest.parent
    if manifest.pass_name == "rl":
        yield _("rewarded by"), str(metrics.get("reward_model", _("a function")))
    else:
        yield _("records"), _records(manifest)
    if "disliked" in metrics:
        yield _("thumbs"), _thumbs(metrics)
    total = len(adapters.learned(manifest.version))
    if total > len(manifest.records):
        yield _("learned in all"), _("{count} records, with its ancestors").format(count=total)
    if steps := metrics.get("steps"):
        seconds = metrics.get("seconds", 0)
        yield _("steps"), _("{steps} in {seconds:.0f} s").format(steps=steps, seconds=seconds)
    if metrics.get("tokens"):
        yield _("tokens"), _tokens(manifest.kind, metrics)
    if stopped := metrics.get("stopped_because"):
        yield _("stopped early"), stop_reasons.translated(str(stopped))
    if manifest.data:
        yield _("data"), f"SHA-256 {manifest.data[:12]}"
    if manifest.template:
        yield _("chat template"), f"SHA-256 {manifest.template[:12]}"
    if manifest.libraries:
        yield _("libraries"), _(", ").join(f"{k} {v}" for k, v in manifest.libraries.items())


def _records(manifest: Manifest) -> str:
    parts = [_("{count} new").format(count=len(manifest.records))]
    if manifest.replayed:
        parts.append(_("{count} replayed").format(count=len(manifest.replayed)))
    if left_out := manifest.metrics.get("left_out_too_long"):
        parts.append(_("{count} too long and left out").format(count=left_out))
    if refused := manifest.metrics.get("left_out_refused"):
        parts.append(
            _("{count} left out because the chat template refuses them ({ids})").format(
                count=refused, ids=_(", ").join(manifest.metrics["refused"])
            )
        )
    return _(", ").join(parts)


def _thumbs(metrics: Mapping[str, Any]) -> str:
    disliked = f"👎 {metrics['disliked']}"
    if harmful := metrics.get("harmful"):
        disliked = _("{disliked}, of them {count} harmful").format(disliked=disliked, count=harmful)
    reasons = _(", ").join(f"{_(name)} {count}" for name, count in metrics["reasons"].items())
    return _("; ").join(filter(None, (f"👍 {metrics['liked']}", disliked, reasons)))


def _tokens(kind: Kind, metrics: Mapping[str, Any]) -> str:
    tokens, seconds = metrics["tokens"], metrics.get("seconds")
    parts = [f"{tokens:,}"]
    if seconds:
        parts = [_("{count:,} ({speed:.0f} a second)").format(count=tokens, speed=tokens / seconds)]
    if kind == "adapter":
        trained = metrics.get("trained_tokens", 0)
        parts.append(_("{count:,} of them carried loss").format(count=trained))
    if (padding := metrics.get("padding")) is not None:
        parts.append(_("{share:.0%} padding").format(share=padding))
    return _(", ").join(parts)


def _settings(manifest: Manifest) -> Iterable[tuple[str, str]]:
    own = _PASS_SETTINGS.get(manifest.pass_name, ())  # type: ignore[call-overload]
    for name in (*own, *_SHARED_SETTINGS):
        if name in manifest.settings:
            yield name, str(manifest.settings[name])


# -- results -------------------------------------------------------------------------------------


def _holdout_metrics(exam: Report) -> Iterable[Metric]:
    before, after = exam.before, exam.after
    corrections = ngettext(
        "{count} held-out correction", "{count} held-out corrections", len(after.holdout)
    ).format(count=len(after.holdout))
    yield from _metric(
        _("hold-out loss"),
        _mean_loss(before),
        _mean_loss(after),
        falls=True,
        remark=_("on held-out corrections"),
        chance=_may_be_chance(before.holdout_losses, after.holdout_losses),
    )
    was, now = ([is_exact(a) for a in figures.holdout] for figures in (before, after))
    yield from _metric(
        _("exactly right"),
        before.exact,
        after.exact,
        share=True,
        remark=_with_interval(corrections, now),
        chance=_share_may_be_chance(was, now),
    )
    yield from _metric(
        _("likeness"),
        before.similarity,
        after.similarity,
        share=True,
        remark=corrections,
        chance=_may_be_chance(
            [*map(similarity, before.holdout)], [*map(similarity, after.holdout)]
        ),
    )


def _mean_loss(figures: Figures) -> float | None:
    """Return the mean over replies, as the gate judges it; in older reports that over tokens."""
    return fmean(figures.holdout_losses) if figures.holdout_losses else figures.holdout_loss


def _side_effects(exam: Report) -> Iterable[Metric]:
    before, after = exam.before, exam.after
    was, now = before.probes_in(exam.languages), after.probes_in(exam.languages)
    if was and len(was) == len(now):
        yield from _probe_metrics(exam, was, now)
    yield from _metric(
        _("drift from the base"),
        before.drift,
        after.drift,
        falls=True,
        remark=_("nats a token, on {count} of the base's own replies; limit {limit}").format(
            count=len(after.drifts), limit=DRIFT_LIMIT
        ),
        chance=_may_be_chance(
            [text.nats for text in before.drifts], [text.nats for text in after.drifts]
        ),
    )
    for language in sorted({text.language for text in after.losses}):
        old, new = (
            [text.nats for text in figures.losses if text.language == language]
            for figures in (before, after)
        )
        yield from _metric(
            _("loss, {language}").format(language=_(_LANGUAGES.get(language, language))),
            fmean(old) if old else None,
            fmean(new),
            falls=True,
            remark=_("on texts by people; not judged"),
            chance=_may_be_chance(old, new),
        )
    yield from _metric(
        _("probe loss"),
        before.probe_loss,
        after.probe_loss,
        falls=True,
        remark=_("on fixed texts, to see what was forgotten"),
    )


def _probe_metrics(exam: Report, was: Sequence[Answer], now: Sequence[Answer]) -> Iterable[Metric]:
    changed = sum(a.reply.strip() != b.reply.strip() for a, b in zip(was, now, strict=True))
    remark = _("{changed} of {count} probes, which nobody taught")
    yield Metric(
        _("replies changed"),
        None,
        changed / len(now),
        share=True,
        remark=remark.format(changed=changed, count=len(now)),
    )
    yield Metric(
        _("mean length"),
        mean_length(was),
        mean_length(now),
        neutral=True,
        decimals=0,
        remark=_("characters of a probe reply"),
    )
    yield Metric(
        _("replies that end"),
        ended_share(exam.before, exam.languages),
        ended_share(exam.after, exam.languages),
        share=True,
        remark=_("{count} probes in the languages you teach in").format(count=len(now)),
        chance=_share_may_be_chance([a.ended for a in was], [a.ended for a in now]),
    )
    if not any(answer.declines for answer in now):
        return
    old, new, base = (
        [declined(answer.reply) for answer in answers if answer.declines]
        for answers in (was, now, exam.base.probes_in(exam.languages) if exam.base else ())
    )
    remark = _("{count} requests that would harm").format(count=len(new))
    if base:
        remark = _("{count} requests that would harm; the base declines {base}").format(
            count=len(new), base=sum(base)
        )
    yield Metric(
        _("declined"),
        fmean(old),
        fmean(new),
        share=True,
        remark=remark,
        chance=_share_may_be_chance(old, new),
    )


def _may_be_chance(before: Sequence[float], after: Sequence[float]) -> bool | None:
    """Return whether the change of a mean may be chance; None without the same items twice."""
    if not before or len(before) != len(after):
        return None
    return not (rose(before, after) or rose(after, before))


def _share_may_be_chance(before: Sequence[bool], after: Sequence[bool]) -> bool | None:
    """Return whether the change of a share may be chance; None without the same items twice."""
    if not before or len(before) != len(after):
        return None
    return not (lost(before, after) or lost(after, before))


def _with_interval(items: str, right: Sequence[bool]) -> str:
    """Add the 95 % interval of the share `right` to the name of its items."""
    if not right:
        return items
    low, high = wilson(sum(right), len(right))
    return _("{items}, 95 % interval {low:.0%} to {high:.0%}").format(
        items=items, low=low, high=high
    )


def _pass_metrics(metrics: Mapping[str, Any]) -> Iterable[Metric]:
    """Yield what the pass itself measured on held-out pairs, thumbs and prompts."""

    def metric(
        key: str, name: str, share: bool = False, remark: str = "", chance: bool | None = None
    ) -> Iterable[Metric]:
        before = metrics.get(f"{key}_before")
        return _metric(name, before, metrics.get(key), share=share, remark=remark, chance=chance)

    def items(key: str) -> tuple[list[Any], list[Any]]:
        before, after = metrics.get(f"{key}_before") or (), metrics.get(key) or ()
        pairs = [pair for pair in zip(before, after, strict=False) if None not in pair]
        return [a for a, _b in pairs], [b for _a, b in pairs]

    pairs = metrics.get("holdout_pairs") or 0
    held_out = ngettext("{count} held-out pair", "{count} held-out pairs", pairs)
    if metrics.get("folds"):
        held_out = ngettext(
            "{count} pair, by models that had not seen it",
            "{count} pairs, by models that had not seen them",
            pairs,
        )
    remark = held_out = held_out.format(count=pairs)
    if interval := metrics.get("holdout_interval"):
        remark = _("{pairs}, 95 % interval {low:.1%} to {high:.1%}").format(
            pairs=held_out, low=interval[0], high=interval[1]
        )
    was, now = items("holdout_right")
    if now:
        remark = _with_interval(held_out, now)
    yield from metric(
        "holdout_accuracy", _("ranked right"), True, remark, _share_may_be_chance(was, now)
    )
    rule = _("a rule that the reward model must beat")
    yield from metric("shorter_wins", _("“shorter wins” right"), True, rule)
    yield from metric("longer_wins", _("“longer wins” right"), True, rule)
    thumbs = metrics.get("holdout_thumbs")
    yield from metric(
        "holdout_margin",
        _("margin"),
        remark=ngettext("{count} held-out thumb", "{count} held-out thumbs", thumbs).format(
            count=thumbs
        )
        if thumbs
        else held_out,
        chance=_may_be_chance(*items("holdout_gains")),
    )
    yield from metric("train_accuracy", _("ranked right in training"), True)
    prompts = metrics.get("holdout_prompts") or 0
    yield from metric(
        "holdout_reward",
        _("mean reward"),
        remark=ngettext("{count} held-out prompt", "{count} held-out prompts", prompts).format(
            count=prompts
        ),
        chance=_may_be_chance(*items("holdout_rewards")),
    )


def _metric(
    name: str,
    before: float | None,
    after: float | None,
    *,
    share: bool = False,
    falls: bool = False,
    remark: str = "",
    chance: bool | None = None,
) -> Iterable[Metric]:
    if after is not None:
        yield Metric(name, before, after, share, falls, remark, chance)


def _curves(metrics: Mapping[str, Any]) -> Iterable[Curve]:
    for name, title in (
        ("losses", _("loss")),
        ("rewards", _("mean reward")),
        ("kl", _("KL to the base")),
    ):
        values = tuple(value for value in metrics.get(name) or () if value is not None)
        if len(values) > 1:
            yield Curve(title, values)


def _compared(
    before: Sequence[Answer], after: Sequence[Answer], is_right: Callable[[Answer], bool | None]
) -> tuple[ReplyComparison, ...]:
    """Pair the answers to the same prompts; a prompt answered only once is left out."""
    return tuple(
        ReplyComparison(new.prompt, old.reply, new.reply, new.ended, new.wanted, is_right(new))
        for old, new in zip(before, after, strict=False)
        if old.prompt == new.prompt
    )


def _is_learned(answer: Answer) -> bool:
    return answer.learned


def _is_right(answer: Answer) -> bool | None:
    return declined(answer.reply) if answer.declines else answer.right
