"""The report card of a version, ready to be shown: its inputs, its results and the gate's verdict.

Built from the manifest and the report as plain texts and numbers, so that the app, the terminal,
Markdown and HTML all show the same. A version without an exam has a card too, from its manifest.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean
from typing import Any, Literal, NamedTuple

from core import stop_reasons
from core.adapters.labels import Remark
from core.adapters.manifest import Kind, Manifest
from core.adapters.registry import Adapters
from core.evaluation import report
from core.evaluation.gate import ended_share
from core.evaluation.report import Report
from core.events import PassName
from core.training.exam import Answer
from core.training.reward_accuracy import why_untrusted
from store.errors import TuteeError
from store.i18n import N_, _, ngettext

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
Trend = Literal["better", "worse", "same", ""]


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

    def text(self, value: float | None) -> str:
        if value is None:
            return "–"
        return f"{value:.1%}" if self.share else f"{value:.3f}"

    @property
    def trend(self) -> Trend:
        if self.before is None:
            return ""
        if self.text(self.before) == self.text(self.after):
            return "same"
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
    """The held-out correction; empty for a probe."""


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
    figures: tuple[Metric, ...]
    curves: tuple[Curve, ...]
    held_out: tuple[ReplyComparison, ...]
    probes: tuple[ReplyComparison, ...]

    @property
    def title(self) -> str:
        label = f" “{self.remark.label}”" if self.remark.label else ""
        name = self.manifest.pass_name
        return f"{self.manifest.version}{label} · {_(_TITLES.get(name, name))}"

    @property
    def judgment(self) -> str:
        """The verdict with its reasons, in one line."""
        if self.verdict == _PASSED:
            return _("passed its gate: nothing got worse beyond its limit")
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
        figures=(*(_exam_metrics(exam) if exam else ()), *_pass_metrics(manifest.metrics)),
        curves=tuple(_curves(manifest.metrics)),
        held_out=_compared(exam.before.holdout, exam.after.holdout) if exam else (),
        probes=_compared(exam.before.probes, exam.after.probes) if exam else (),
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
    yield _("made"), f"{manifest.created.astimezone():%Y-%m-%d %H:%M}"
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


def _exam_metrics(exam: Report) -> Iterable[Metric]:
    before, after = exam.before, exam.after
    corrections = ngettext(
        "{count} held-out correction", "{count} held-out corrections", len(after.holdout)
    ).format(count=len(after.holdout))
    yield from _metric(
        _("hold-out loss"),
        before.holdout_loss,
        after.holdout_loss,
        falls=True,
        remark=_("on held-out corrections"),
    )
    yield from _metric(
        _("exactly right"), before.exact, after.exact, share=True, remark=corrections
    )
    yield from _metric(
        _("likeness"), before.similarity, after.similarity, share=True, remark=corrections
    )
    yield from _metric(
        _("probe loss"),
        before.probe_loss,
        after.probe_loss,
        falls=True,
        remark=_("on fixed texts, to see what was forgotten"),
    )
    yield from _metric(
        _("replies that end"),
        ended_share(before, exam.languages) if before.probes else None,
        ended_share(after, exam.languages) if after.probes else None,
        share=True,
        remark=_("{count} probes in the languages you teach in").format(
            count=len(after.probes_in(exam.languages))
        ),
    )


def _pass_metrics(metrics: Mapping[str, Any]) -> Iterable[Metric]:
    """Yield what the pass itself measured on held-out pairs, thumbs and prompts."""

    def metric(key: str, name: str, share: bool = False, remark: str = "") -> Iterable[Metric]:
        before = metrics.get(f"{key}_before")
        return _metric(name, before, metrics.get(key), share=share, remark=remark)

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
    yield from metric("holdout_accuracy", _("ranked right"), True, remark)
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
    )
    yield from metric("train_accuracy", _("ranked right in training"), True)
    prompts = metrics.get("holdout_prompts") or 0
    yield from metric(
        "holdout_reward",
        _("mean reward"),
        remark=ngettext("{count} held-out prompt", "{count} held-out prompts", prompts).format(
            count=prompts
        ),
    )


def _metric(
    name: str,
    before: float | None,
    after: float | None,
    *,
    share: bool = False,
    falls: bool = False,
    remark: str = "",
) -> Iterable[Metric]:
    if after is not None:
        yield Metric(name, before, after, share, falls, remark)


def _curves(metrics: Mapping[str, Any]) -> Iterable[Curve]:
    for name, title in (
        ("losses", _("loss")),
        ("rewards", _("mean reward")),
        ("kl", _("KL to the base")),
    ):
        values = tuple(value for value in metrics.get(name) or () if value is not None)
        if len(values) > 1:
            yield Curve(title, values)


def _compared(before: Sequence[Answer], after: Sequence[Answer]) -> tuple[ReplyComparison, ...]:
    """Pair the answers to the same prompts; a prompt answered only once is left out."""
    return tuple(
        ReplyComparison(new.prompt, old.reply, new.reply, new.ended, new.wanted)
        for old, new in zip(before, after, strict=False)
        if old.prompt == new.prompt
    )
