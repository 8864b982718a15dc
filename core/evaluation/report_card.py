"""The report card of a version, ready to be shown: what went in, what came out, and the judgement.

Made from the manifest and the report, in words and numbers only, so that the screens, the terminal,
the Markdown and the HTML all show the same. A version that was not examined has a card too, with
what its manifest knows.

Left out on purpose: any single number for "better"; see `core.evaluation.report`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean
from typing import Any, Literal, NamedTuple

from core import stop_reasons
from core.adapters.labels import Remark
from core.adapters.registry import Adapters, Kind, Manifest
from core.evaluation import report
from core.evaluation.gate import ended
from core.evaluation.report import Report
from core.events import PassName
from core.training.exam import Answer, Figures
from store.errors import TuteeError
from store.i18n import N_, _, ngettext

TITLES: dict[str, str] = {
    "sft": N_("supervised fine-tuning (SFT)"),
    "kto": N_("thumbs (KTO)"),
    "dpo": N_("pairs (DPO)"),
    "reward": N_("reward model"),
    "rl": N_("reinforcement learning (RLOO)"),
}
_COMMON = ("batch_size", "rank", "alpha", "max_length", "seed")
_OWN: dict[PassName, tuple[str, ...]] = {
    "sft": ("learning_rate", "epochs", "minimum_steps", "replay", "rehearsal", "dropout"),
    "kto": ("preference_learning_rate", "beta", "epochs", "preference_minimum_steps", "replay"),
    "dpo": (
        "preference_learning_rate",
        "beta",
        "sft_weight",
        "epochs",
        "preference_minimum_steps",
        "replay",
    ),
    "reward": (
        "reward_learning_rate",
        "reward_incremental",
        "epochs",
        "preference_minimum_steps",
    ),
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
"""The settings that each pass reads."""

Verdict = Literal["passed", "held back", "not judged"]
PASSED: Verdict = N_("passed")
HELD_BACK: Verdict = N_("held back")
NOT_JUDGED: Verdict = N_("not judged")
Trend = Literal["better", "worse", "same", ""]


class Figure(NamedTuple):
    """One number before and after; `before` is none where there was none."""

    name: str
    before: float | None
    after: float
    share: bool = False
    """It is a share of one, to be read as per cent."""
    falls: bool = False
    """Less of it is better."""
    remark: str = ""

    def text(self, value: float | None) -> str:
        """`value` as a person reads it."""
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
        """At most `most` numbers: means of runs of the values."""
        runs = min(len(self.values), most)
        bounds = [len(self.values) * run // runs for run in range(runs + 1)]
        return [fmean(self.values[low:high]) for low, high in pairwise(bounds)]

    @property
    def ends(self) -> str:
        """The first value and the last."""
        return f"{self.values[0]:.3f} → {self.values[-1]:.3f}"


class Reply(NamedTuple):
    """What was answered to one prompt before and after."""

    prompt: str
    before: str
    after: str
    ended: bool
    """The reply after the training ended by itself."""
    wanted: str = ""
    """The correction, where it was held out."""


@dataclass(frozen=True)
class Card:
    manifest: Manifest
    remark: Remark
    verdict: Verdict
    reasons: tuple[str, ...]
    """Why it was held back or could not be judged."""
    facts: tuple[tuple[str, str], ...]
    """What went in."""
    settings: tuple[tuple[str, str], ...]
    figures: tuple[Figure, ...]
    curves: tuple[Curve, ...]
    held_out: tuple[Reply, ...]
    probes: tuple[Reply, ...]

    @property
    def title(self) -> str:
        label = f" “{self.remark.label}”" if self.remark.label else ""
        name = self.manifest.pass_name
        return f"{self.manifest.version}{label} · {_(TITLES.get(name, name))}"

    @property
    def judgement(self) -> str:
        """The verdict with its reasons, in one line."""
        if self.verdict == PASSED:
            return _("passed its gate: nothing got worse beyond its limit")
        return _("{verdict}: {reasons}").format(
            verdict=_(self.verdict), reasons=_("; ").join(self.reasons)
        )


def card(adapters: Adapters, version: str) -> Card:
    """The card of `version`.

    Raises:
        TuteeError: there is no such version, it is the base, or its report is damaged.
    """
    manifest = adapters.manifest(version)
    directory = adapters.dir / manifest.version
    if not directory.is_dir():
        raise TuteeError(
            _("The base has no report: it is the model as it came."),
            _("`tutee adapters` lists the versions that were trained."),
        )
    examined = report.read(directory) if (directory / report.FILE).exists() else None
    verdict, why = _judged(manifest, examined)
    return Card(
        manifest=manifest,
        remark=adapters.remark(manifest.version),
        verdict=verdict,
        reasons=why,
        facts=tuple(_facts(adapters, manifest)),
        settings=tuple(_settings(manifest)),
        figures=(*_examined(examined), *_measured(manifest.metrics)),
        curves=tuple(_curves(manifest.metrics)),
        held_out=_replies(examined.before.holdout, examined.after.holdout) if examined else (),
        probes=_replies(examined.before.probes, examined.after.probes) if examined else (),
    )


def _judged(manifest: Manifest, examined: Report | None) -> tuple[Verdict, tuple[str, ...]]:
    if manifest.held_back:
        return HELD_BACK, tuple(map(stop_reasons.told, manifest.held_back))
    if manifest.kind == "reward":
        passed = manifest.metrics.get("passed")
        if passed is None:
            return NOT_JUDGED, (_("there were too few pairs to hold some out"),)
        chance = _("its accuracy on held-out pairs may be chance")
        return (PASSED, ()) if passed else (HELD_BACK, (chance,))
    if examined is None:
        return NOT_JUDGED, (_("it was not examined"),)
    return PASSED, ()


# -- what went in --------------------------------------------------------------------------------


def _facts(adapters: Adapters, manifest: Manifest) -> Iterable[tuple[str, str]]:
    figures = manifest.metrics
    yield _("made"), f"{manifest.created.astimezone():%Y-%m-%d %H:%M}"
    yield (
        _("base"),
        _("{model}, revision {revision}").format(
            model=adapters.folder.label, revision=manifest.revision[:12]
        ),
    )
    yield _("from"), manifest.parent
    if manifest.pass_name == "rl":
        yield _("rewarded by"), str(figures.get("reward_model", _("a function")))
    else:
        yield _("records"), _records(manifest)
    known = len(adapters.learned(manifest.version))
    if known > len(manifest.records):
        yield _("learned in all"), _("{count} records, with its ancestors").format(count=known)
    if steps := figures.get("steps"):
        yield (
            _("steps"),
            _("{steps} in {seconds:.0f} s").format(steps=steps, seconds=figures.get("seconds", 0)),
        )
    if figures.get("tokens"):
        yield _("tokens"), _tokens(manifest.kind, figures)
    if stopped := figures.get("stopped_because"):
        yield _("stopped early"), stop_reasons.told(str(stopped))
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


def _tokens(kind: Kind, figures: Mapping[str, Any]) -> str:
    tokens, seconds = figures["tokens"], figures.get("seconds")
    parts = [f"{tokens:,}"]
    if seconds:
        parts = [_("{count:,} ({speed:.0f} a second)").format(count=tokens, speed=tokens / seconds)]
    if kind == "adapter":
        trained = figures.get("trained_tokens", 0)
        parts.append(_("{count:,} of them carried loss").format(count=trained))
    if (padding := figures.get("padding")) is not None:
        parts.append(_("{share:.0%} padding").format(share=padding))
    return _(", ").join(parts)


def _settings(manifest: Manifest) -> Iterable[tuple[str, str]]:
    own = _OWN.get(manifest.pass_name, ())  # type: ignore[call-overload]
    for name in (*own, *_COMMON):
        if name in manifest.settings:
            yield name, str(manifest.settings[name])


# -- what came out -------------------------------------------------------------------------------


def _examined(examined: Report | None) -> Iterable[Figure]:
    if examined is None:
        return
    before, after = examined.before, examined.after
    questions = ngettext(
        "{count} held-out correction", "{count} held-out corrections", len(after.holdout)
    ).format(count=len(after.holdout))
    yield from _both(
        _("hold-out loss"),
        before.holdout_loss,
        after.holdout_loss,
        falls=True,
        remark=_("on held-out corrections"),
    )
    yield from _both(_("exactly right"), before.exact, after.exact, share=True, remark=questions)
    yield from _both(
        _("likeness"), before.similarity, after.similarity, share=True, remark=questions
    )
    yield from _both(
        _("probe loss"),
        before.probe_loss,
        after.probe_loss,
        falls=True,
        remark=_("on fixed texts, to see what was forgotten"),
    )
    asked = _("{count} probes in the languages you teach in").format(
        count=len(after.probes_in(examined.languages))
    )
    yield from _both(
        _("replies that end"),
        _ended(before, examined),
        _ended(after, examined),
        share=True,
        remark=asked,
    )


def _ended(figures: Figures, examined: Report) -> float | None:
    return ended(figures, examined.languages) if figures.probes else None


def _measured(metrics: Mapping[str, Any]) -> Iterable[Figure]:
    """Of the pass's own: pairs, thumbs and rewards that were held out."""

    def found(name: str, title: str, share: bool = False, remark: str = "") -> Iterable[Figure]:
        before = metrics.get(f"{name}_before")
        return _both(title, before, metrics.get(name), share=share, remark=remark)

    pairs = metrics.get("holdout_pairs") or 0
    held_out = ngettext("{count} held-out pair", "{count} held-out pairs", pairs).format(
        count=pairs
    )
    remark = held_out
    if interval := metrics.get("holdout_interval"):
        remark = _("{pairs}, 95 % interval {low:.1%} to {high:.1%}").format(
            pairs=held_out, low=interval[0], high=interval[1]
        )
    yield from found("holdout_accuracy", _("ranked right"), True, remark)
    thumbs = metrics.get("holdout_thumbs")
    yield from found(
        "holdout_margin",
        _("margin"),
        remark=ngettext("{count} held-out thumb", "{count} held-out thumbs", thumbs).format(
            count=thumbs
        )
        if thumbs
        else held_out,
    )
    yield from found("train_accuracy", _("ranked right in training"), True)
    prompts = metrics.get("holdout_prompts") or 0
    yield from found(
        "holdout_reward",
        _("mean reward"),
        remark=ngettext("{count} held-out prompt", "{count} held-out prompts", prompts).format(
            count=prompts
        ),
    )


def _both(
    name: str,
    before: float | None,
    after: float | None,
    *,
    share: bool = False,
    falls: bool = False,
    remark: str = "",
) -> Iterable[Figure]:
    if after is not None:
        yield Figure(name, before, after, share, falls, remark)


def _curves(metrics: Mapping[str, Any]) -> Iterable[Curve]:
    for name, title in (
        ("losses", _("loss")),
        ("rewards", _("mean reward")),
        ("kl", _("KL to the base")),
    ):
        values = tuple(value for value in metrics.get(name) or () if value is not None)
        if len(values) > 1:
            yield Curve(title, values)


def _replies(before: Sequence[Answer], after: Sequence[Answer]) -> tuple[Reply, ...]:
    """Replies to the same prompts; a prompt that was asked only once is left out."""
    return tuple(
        Reply(new.prompt, old.reply, new.reply, new.ended, new.wanted)
        for old, new in zip(before, after, strict=False)
        if old.prompt == new.prompt
    )
