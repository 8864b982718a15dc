"""A report card in the terminal.

Model texts are printed literally, never as markup, and without control characters.
"""

from collections.abc import Iterable, Sequence

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from core.evaluation.report_card import (
    Curve,
    Metric,
    ReplyComparison,
    ReportCard,
    count_changed,
)
from store.i18n import N_, _
from tui.text_format import harmless, sparkline
from tui.views.word_diff import Spans, changes

_VERDICTS = {"passed": "green", "held back": "red", "not judged": "yellow"}
_TRENDS = {
    N_("better"): "green",
    N_("worse"): "red",
    N_("within chance"): "dim",
    N_("same"): "dim",
    "": "",
}
_MARKS = {True: ("✓", "green"), False: ("✗", "red"), None: ("›", "bold")}
_CURVE_WIDTH = 48


def show(card: ReportCard, console: Console, *, probes: bool = False) -> None:
    """Print `card`; the replies to the probes only if `probes`."""
    console.print(Group(*_parts(card, probes)))


def _parts(card: ReportCard, probes: bool) -> Iterable[RenderableType]:
    yield Text(harmless(card.title), style="bold")
    if card.remark.note:
        yield Text(harmless(card.remark.note), style="italic")
    yield Text(harmless(card.judgment), style=_VERDICTS[card.verdict])
    if card.taught:
        title = _("What was taught, asked in the same words: {learned}")
        yield from _section(title.format(learned=card.learned), *map(_reply, card.taught))
    if card.figures:
        yield from _section(_("Held out, like what was taught"), _figures(card.figures))
    if card.held_out:
        yield from _section(_("Held-out corrections"), *map(_reply, card.held_out))
    if card.side_effects:
        yield from _section(_("What else changed"), _figures(card.side_effects))
    if card.curves:
        yield from _section(_("Step by step"), _curves(card.curves))
    yield from _section(_("What went in"), _pairs(card.facts))
    if card.settings:
        yield from _section(_("Settings"), _settings(card.settings))
    if card.probes:
        hint = Text(_("--probes shows the replies."), style="dim")
        title = _("Probes: {changed}").format(changed=count_changed(card.probes))
        yield from _section(title, *map(_reply, card.probes) if probes else (hint,))


def _section(title: str, *content: RenderableType) -> Iterable[RenderableType]:
    yield Text()
    yield Rule(Text(title, style="bold"), align="left", style="dim")
    yield from content


def _grid(*styles: str) -> Table:
    grid = Table.grid(padding=(0, 2))
    for style in styles:
        grid.add_column(style=style)
    return grid


def _pairs(pairs: Sequence[tuple[str, str]]) -> Table:
    grid = _grid("dim", "")
    for name, value in pairs:
        grid.add_row(Text(name), Text(harmless(value)))
    return grid


def _settings(settings: Sequence[tuple[str, str]]) -> Text:
    return Text(" · ").join(
        Text.assemble((f"{name}\u00a0", "dim"), harmless(value)) for name, value in settings
    )


def _figures(figures: Sequence[Metric]) -> Table:
    grid = _grid("dim", "", "", "", "dim")
    for column in (1, 2):
        grid.columns[column].justify = "right"
    for figure in figures:
        before = "" if figure.before is None else f"{figure.text(figure.before)} →"
        trend = Text(_(figure.trend), style=_TRENDS[figure.trend])
        grid.add_row(figure.name, before, figure.text(figure.after), trend, figure.remark)
    return grid


def _curves(curves: Sequence[Curve]) -> Table:
    grid = _grid("dim", "cyan", "")
    for curve in curves:
        grid.add_row(curve.name, sparkline(curve.thinned(_CURVE_WIDTH), _CURVE_WIDTH), curve.ends)
    return grid


def _reply(reply: ReplyComparison) -> RenderableType:
    before, after = changes(reply.before.strip(), reply.after.strip())
    table = Table.grid(padding=(0, 2), expand=True)
    for title in ("before", "after"):
        table.add_column(title, ratio=1, overflow="fold")
    heading = _("after") if reply.ended else _("after (cut off)")
    table.add_row(Text(_("before"), style="dim"), Text(heading, style="dim"))
    table.add_row(_marked(before, "red"), _marked(after, "bold green"))
    mark, color = _MARKS[reply.right]
    question = Text.assemble((f"{mark} ", color), (harmless(reply.prompt.strip()), "bold"))
    parts: list[RenderableType] = [question]
    if reply.wanted:
        parts.append(
            Text(harmless(_("wanted: {text}").format(text=reply.wanted.strip())), style="cyan")
        )
    return Group(*parts, Padding(table, (0, 0, 1, 2)))


def _marked(spans: Spans, style: str) -> Text:
    text = Text()
    mark = f"{style} underline" if len(spans) > 1 else style
    for span in spans:
        text.append(harmless(span.text), style=mark if span.changed else "")
    return text if text else Text(_("(nothing)"), style="dim")
