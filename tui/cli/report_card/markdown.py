"""A report card as Markdown, for an issue, a wiki or a model card.

Model and user texts are escaped, so that they show literally. Changed words are marked with `<del>`
and `<ins>`, because asterisks do not work next to characters of scripts without spaces.
"""

import re
from collections.abc import Iterable, Sequence

from core.evaluation.report_card import Metric, ReplyComparison, ReportCard, count_changed
from store.i18n import _
from tui.text_format import harmless, sparkline
from tui.views.word_diff import Spans, changes

_MARKUP = re.compile(r"[\\`*_{}\[\]<>#~|$@]|:(?=//)|(?<=www)\.", re.IGNORECASE)
"""Characters with a meaning in Markdown or on sites that render it."""
_MARKS = {True: "✓", False: "✗", None: ""}
_CURVE_WIDTH = 48


def render(card: ReportCard) -> str:
    """Return the Markdown document."""
    return "\n\n".join(_parts(card)) + "\n"


def escaped(text: str) -> str:
    """Escape `text` into one line that Markdown shows literally."""
    plain = _MARKUP.sub(_entity, harmless(text).replace("&", "&amp;"))
    indented = re.sub(r"(?<=\n) +", lambda blanks: "&nbsp;" * len(blanks[0]), plain)
    return indented.replace("\t", " ").replace("\n", "<br>")


def _entity(found: re.Match[str]) -> str:
    # A backslash does not stop bare URLs from becoming links.
    return f"&#{ord(found[0])};"


def _parts(card: ReportCard) -> Iterable[str]:
    yield f"# {escaped(card.title)}"
    if card.remark.note:
        yield escaped(card.remark.note)
    yield f"**{escaped(card.judgment)}**"
    if card.taught:
        title = _("What was taught, asked in the same words: {learned}")
        yield f"## {title.format(learned=card.learned)}"
        yield _replies(card.taught)
    if card.figures:
        yield f"## {_('Held out, like what was taught')}"
        yield _figures(card.figures)
    if card.held_out:
        yield f"## {_('Held-out corrections')}"
        yield _replies(card.held_out)
    if card.side_effects:
        yield f"## {_('What else changed')}"
        yield _figures(card.side_effects)
    if card.curves:
        rows = [
            (escaped(curve.name), sparkline(curve.thinned(_CURVE_WIDTH), _CURVE_WIDTH), curve.ends)
            for curve in card.curves
        ]
        yield f"## {_('Step by step')}"
        yield _table(("", "", ""), rows)
    yield f"## {_('What went in')}"
    yield _table(("", ""), [(escaped(name), escaped(value)) for name, value in card.facts])
    if card.settings:
        yield _("Settings: {settings}").format(
            settings=", ".join(f"`{name}` {escaped(value)}" for name, value in card.settings)
        )
    if card.probes:
        title = _("Probes: {changed}").format(changed=count_changed(card.probes))
        yield f"<details><summary>{title}</summary>"
        yield _replies(card.probes)
        yield "</details>"


def _figures(figures: Iterable[Metric]) -> str:
    return _table(("", _("before"), _("after"), "", ""), map(_figure, figures))


def _replies(replies: Sequence[ReplyComparison]) -> str:
    return _table(("", _("prompt"), _("wanted"), _("before"), _("after")), map(_reply, replies))


def _figure(figure: Metric) -> tuple[str, ...]:
    before, after = figure.text(figure.before), figure.text(figure.after)
    return (escaped(figure.name), before, after, _(figure.trend), escaped(figure.remark))


def _reply(reply: ReplyComparison) -> tuple[str, ...]:
    before, after = changes(reply.before.strip(), reply.after.strip())
    cut = "" if reply.ended else _(" *(cut off)*")
    prompt, wanted = escaped(reply.prompt.strip()), escaped(reply.wanted.strip())
    after_cell = _marked(after, "ins") + cut
    return (_MARKS[reply.right], prompt, wanted, _marked(before, "del"), after_cell)


def _marked(spans: Spans, tag: str) -> str:
    return "".join(
        f"<{tag}>{escaped(span.text)}</{tag}>" if span.changed else escaped(span.text)
        for span in spans
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
