"""A report card: what was taught first, then what else changed, and the inputs of the run.

The probes are folded up at the end: they are many, and only of use to somebody who looks for a
change that no figure shows.
"""

from collections.abc import Iterator, Sequence

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Collapsible, Static

from core.evaluation.report_card import (
    Curve,
    Metric,
    ReplyComparison,
    ReportCard,
    count_changed,
)
from store.i18n import N_, _
from tui.text_format import harmless, padded, sparkline
from tui.theme import MUTED
from tui.views.word_diff import Spans, changes

_VERDICTS = {"passed": "$text-success", "held back": "$text-warning", "not judged": MUTED}
_TRENDS = {
    "better": (N_(" ▲ better"), "$text-success"),
    "worse": (N_(" ▼ worse "), "$text-error"),
    "within chance": (N_(" ~ chance"), MUTED),
    "same": (N_(" = same  "), MUTED),
    "": ("", ""),
}
_MARKS = {True: ("✓", "$text-success"), False: ("✗", "$text-error"), None: ("›", "bold")}
_NAME_CELLS = 24
_CURVE_CELLS = 36
_TREND_CELLS = 10


class ReportBody(VerticalScroll):
    """The whole report card, scrollable."""

    def __init__(self, card: ReportCard) -> None:
        super().__init__(id="report")
        self._card = card

    def compose(self) -> ComposeResult:
        card = self._card
        yield Static(Content(harmless(card.judgment)).stylize(_VERDICTS[card.verdict]))
        if card.remark.note:
            yield Static(Content(harmless(card.remark.note)).stylize("italic"))
        if card.taught:
            rest = _("  asked in the same words: {learned}").format(learned=card.learned)
            yield _heading(_("What was taught"), rest)
            yield from map(ReplyPair, card.taught)
        if card.figures or card.held_out:
            yield _heading(_("Held out, like what was taught"), _changed(card.held_out))
            yield from map(FigureRow, card.figures)
            yield from map(ReplyPair, card.held_out)
        if card.side_effects:
            yield _heading(_("What else changed"))
            yield from map(FigureRow, card.side_effects)
        if card.curves:
            yield _heading(_("Step by step"))
            yield Static(Content("\n").join(map(_curve, card.curves)), classes="curves")
        yield _heading(_("What went in"))
        yield Static(Content("\n").join(_facts(card)), classes="went-in")
        if card.probes:
            title = _("Probes") + _changed(card.probes)
            yield Collapsible(*map(ReplyPair, card.probes), title=title, id="probes")


class FigureRow(Horizontal):
    """A metric before and after, with a remark beside it that may wrap."""

    def __init__(self, figure: Metric) -> None:
        super().__init__()
        self._figure = figure

    def compose(self) -> ComposeResult:
        yield Static(_figure(self._figure), classes="figure")
        yield Static(Content(self._figure.remark).stylize(MUTED), classes="remark")


class ReplyPair(Vertical):
    """One prompt with its replies before and after, changed words marked."""

    def __init__(self, reply: ReplyComparison) -> None:
        super().__init__()
        self._reply = reply

    def compose(self) -> ComposeResult:
        reply = self._reply
        question = harmless(reply.prompt.strip())
        yield Static(Content.assemble(_MARKS[reply.right], " ", (question, "bold")))
        if reply.wanted:
            wanted = _("wanted: {text}").format(text=reply.wanted.strip())
            yield Static(Content(harmless(wanted)).stylize(MUTED))
        if not reply.changed:
            yield Static(Content.assemble((_("both  "), MUTED), _text(reply.after)))
            return
        before, after = changes(reply.before.strip(), reply.after.strip())
        with Horizontal():
            yield Static(_side(_("before"), before, "$text-error"), classes="before")
            heading = _("after") if reply.ended else _("after, cut off")
            yield Static(_side(heading, after, "bold $text-success"), classes="after")


def _heading(title: str, rest: str = "") -> Static:
    return Static(Content.assemble((title, "bold"), (rest, MUTED)), classes="section")


def _changed(replies: Sequence[ReplyComparison]) -> str:
    return f"  {count_changed(replies)}" if replies else ""


def _figure(figure: Metric) -> Content:
    before = "" if figure.before is None else f"{figure.text(figure.before)} →"
    trend, style = _TRENDS[figure.trend]
    return Content.assemble(
        (padded(figure.name, _NAME_CELLS), MUTED),
        f"{before:>9} {figure.text(figure.after):>7}",
        (padded(_(trend), _TREND_CELLS), style),
    )


def _curve(curve: Curve) -> Content:
    line = sparkline(curve.thinned(_CURVE_CELLS), _CURVE_CELLS)
    return Content.assemble(
        (padded(curve.name, _NAME_CELLS), MUTED), (line, "$text-primary"), f"  {curve.ends}"
    )


def _facts(card: ReportCard) -> Iterator[Content]:
    for name, value in card.facts:
        yield Content.assemble((padded(name, _NAME_CELLS), MUTED), harmless(value))
    settings = " · ".join(f"{name} {value}" for name, value in card.settings)
    if settings:
        yield Content.assemble((padded(_("settings"), _NAME_CELLS), MUTED), harmless(settings))


def _side(heading: str, spans: Spans, style: str) -> Content:
    parts = ((harmless(span.text), f"{style} underline" if span.changed else "") for span in spans)
    text = Content.assemble(*parts)
    return Content.assemble((heading, MUTED), "\n", text if spans else _text(""))


def _text(text: str) -> Content:
    shown = harmless(text.strip())
    return Content(shown) if shown else Content(_("(nothing)")).stylize(MUTED)
