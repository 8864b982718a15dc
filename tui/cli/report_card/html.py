"""A report card as one self-contained HTML file: no scripts, fonts or images.

Model and user texts are escaped; a content security policy forbids running or fetching anything
even so. Light or dark follows the reader's system.
"""

from collections.abc import Iterable, Sequence
from html import escape

from core.evaluation.report_card import (
    Curve,
    Metric,
    ReplyComparison,
    ReportCard,
    count_changed,
)
from store.i18n import N_, _, current_language
from tui.text_format import harmless
from tui.views.word_diff import Spans, changes

_HEAD = """\
<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="Tutee">
<title>{title}</title>
<style>
:root {{
  color-scheme: light dark;
  --dim: light-dark(#5f6368, #9aa0a6); --line: light-dark(#dadce0, #3c4043);
  --good: light-dark(#0b6b3a, #81c995); --bad: light-dark(#b3261e, #f28b82);
  --unsure: light-dark(#7a5200, #fdd663); --curve: light-dark(#1a56b0, #8ab4f8);
  --new: light-dark(#d7f2df, #1e4530); --old: light-dark(#fbdedb, #53211d);
}}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem;
  background: light-dark(#fff, #17181a); color: light-dark(#202124, #e8eaed); }}
h1 {{ font-size: 1.5rem; margin: 0; }}
h2 {{ font-size: 1.1rem; margin: 2rem 0 .5rem; border-bottom: 1px solid var(--line); }}
table {{ border-collapse: collapse; }}
th {{ text-align: left; font-weight: normal; color: var(--dim); }}
td, th {{ padding: .15rem 1rem .15rem 0; vertical-align: top; }}
.number {{ text-align: right; font-variant-numeric: tabular-nums; }}
.dim {{ color: var(--dim); }}
.passed, .better {{ color: var(--good); }}
.held-back, .worse {{ color: var(--bad); }}
.not-judged {{ color: var(--unsure); }}
.curves {{ display: flex; flex-wrap: wrap; gap: 1.5rem; }}
figure {{ margin: 0; }}
svg {{ display: block; width: 20rem; height: 5rem; border-bottom: 1px solid var(--line); }}
polyline {{ fill: none; stroke: var(--curve); stroke-width: 2;
  vector-effect: non-scaling-stroke; }}
article {{ margin: 0 0 1.5rem; }}
summary {{ font-size: 1.1rem; margin: 2rem 0 .5rem; cursor: pointer; }}
.prompt {{ font-weight: bold; }}
.text {{ white-space: pre-wrap; overflow-wrap: anywhere; unicode-bidi: isolate; }}
.replies {{ display: grid; grid-template-columns: 1fr 1fr; gap: 1rem; }}
del, ins {{ text-decoration: none; border-radius: .2em; }}
del {{ background: var(--old); }}
ins {{ background: var(--new); }}
@media (max-width: 40rem) {{ .replies {{ grid-template-columns: 1fr; }} }}
</style>
</head>
<body>
"""
_TRENDS = {
    "better": N_("▲ better"),
    "worse": N_("▼ worse"),
    "within chance": N_("within chance"),
    "same": N_("same"),
    "": "",
}
_MARKS = {True: '<span class="better">✓</span> ', False: '<span class="worse">✗</span> ', None: ""}
_WIDTH, _HEIGHT = 320, 80


def render(card: ReportCard) -> str:
    """Return the HTML document."""
    head = _HEAD.format(language=current_language(), title=_text(f"Tutee: {card.title}"))
    return head + "\n".join(_parts(card)) + "\n</body>\n</html>\n"


def _text(text: str) -> str:
    return escape(harmless(text))


def _parts(card: ReportCard) -> Iterable[str]:
    yield f"<h1>{_text(card.title)}</h1>"
    if card.remark.note:
        yield f'<p class="text">{_text(card.remark.note)}</p>'
    yield f'<p class="{card.verdict.replace(" ", "-")}">{_text(card.judgment)}</p>'
    if card.taught:
        title = _("What was taught, asked in the same words: {learned}")
        yield f"<h2>{_text(title.format(learned=card.learned))}</h2>"
        yield from map(_reply, card.taught)
    if card.figures:
        yield f"<h2>{_('Held out, like what was taught')}</h2>"
        yield _rows(map(_figure, card.figures))
    if card.held_out:
        yield f"<h2>{_('Held-out corrections')}</h2>"
        yield from map(_reply, card.held_out)
    if card.side_effects:
        yield f"<h2>{_('What else changed')}</h2>"
        yield _rows(map(_figure, card.side_effects))
    if card.curves:
        yield f"<h2>{_('Step by step')}</h2>"
        yield f'<div class="curves">{"".join(map(_curve, card.curves))}</div>'
    yield f"<h2>{_('What went in')}</h2>"
    yield _rows(_named(card.facts))
    if card.settings:
        settings = " · ".join(
            f'<span class="dim">{name}</span> {_text(value)}' for name, value in card.settings
        )
        yield f"<p>{settings}</p>"
    if card.probes:
        title = _("Probes: {changed}").format(changed=count_changed(card.probes))
        yield f"<details><summary>{title}</summary>"
        yield from map(_reply, card.probes)
        yield "</details>"


def _rows(rows: Iterable[str]) -> str:
    return "<table>\n" + "\n".join(f"<tr>{row}</tr>" for row in rows) + "\n</table>"


def _named(pairs: Sequence[tuple[str, str]]) -> Iterable[str]:
    for name, value in pairs:
        yield f"<th>{_text(name)}</th><td>{_text(value)}</td>"


def _figure(figure: Metric) -> str:
    before = "" if figure.before is None else f"{figure.text(figure.before)} →"
    return (
        f"<th>{_text(figure.name)}</th>"
        f'<td class="number">{before}</td><td class="number">{figure.text(figure.after)}</td>'
        f'<td class="{figure.trend.replace(" ", "-")}">{_(_TRENDS[figure.trend])}</td>'
        f'<td class="dim">{_text(figure.remark)}</td>'
    )


def _curve(curve: Curve) -> str:
    low, high = min(curve.values), max(curve.values)
    across, up = _WIDTH / (len(curve.values) - 1), (_HEIGHT - 4) / ((high - low) or 1)
    points = " ".join(
        f"{step * across:.1f},{_HEIGHT - 2 - (value - low) * up:.1f}"
        for step, value in enumerate(curve.values)
    )
    return (
        f'<figure><svg viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none" role="img"'
        f' aria-label="{_text(curve.name)}"><polyline points="{points}"/></svg>'
        f'<figcaption><span class="dim">{_text(curve.name)}</span> {curve.ends}</figcaption>'
        "</figure>"
    )


def _reply(reply: ReplyComparison) -> str:
    before, after = changes(reply.before.strip(), reply.after.strip())
    wanted = (
        f'<div class="text dim">{_text(_("wanted: {text}").format(text=reply.wanted))}</div>'
        if reply.wanted
        else ""
    )
    heading = _("after") if reply.ended else _("after (cut off)")
    question = _MARKS[reply.right] + _text(reply.prompt)
    return (
        f'<article><div class="text prompt">{question}</div>{wanted}'
        f'<div class="replies">{_side(_("before"), before, "del")}'
        f"{_side(heading, after, 'ins')}</div></article>"
    )


def _side(title: str, spans: Spans, tag: str) -> str:
    text = "".join(
        f"<{tag}>{_text(span.text)}</{tag}>" if span.changed else _text(span.text) for span in spans
    )
    return f'<div><div class="dim">{title}</div><div class="text">{text}</div></div>'
