"""What an import would bring, as text: counts, the first records, and every refused row."""

from rich.cells import set_cell_size
from textual.content import Content

from store.i18n import _
from tui.text_format import counted, padded, shortened
from tui.theme import MUTED
from tui.views.import_preview import Preview

_REFUSED = 2000
"""Refused rows that are listed; more would only hold the screen up."""
_CELLS = 300
_NAME_CELLS = 9
_KIND_CELLS = 14


def previewed(found: Preview, cells: int) -> Content:
    """All there is to know before it is taken, the first records in one line of `cells` each."""
    return Content("\n").join([*_counts(found), *_samples(found, cells), *_refused(found)])


def _counts(found: Preview) -> list[Content]:
    new = Content(found.kinds or _("nothing")).stylize("bold $text-success" if found.useful else "")
    lines = [
        Content.assemble(
            (padded(_("Format"), _NAME_CELLS), MUTED),
            _(", ").join((found.formats, counted(found.rows, "row"))),
        ),
        Content.assemble((padded(_("New"), _NAME_CELLS), MUTED), new),
    ]
    if found.known:
        known = _("{records}, left as they are").format(records=counted(found.known, "record"))
        lines.append(Content.assemble((padded(_("Known"), _NAME_CELLS), MUTED), known))
    if found.lost:
        refused = Content(counted(found.lost, "row")).stylize("$text-warning")
        lines.append(Content.assemble((padded(_("Refused"), _NAME_CELLS), MUTED), refused))
    return lines


def _samples(found: Preview, cells: int) -> list[Content]:
    room = max(cells - _KIND_CELLS, 20)
    lines = [Content(""), Content(_("The first of them")).stylize("bold")] if found.useful else []
    for what, asked, replied in found.samples:
        lines.append(
            Content.assemble((set_cell_size(what, _KIND_CELLS), MUTED), shortened(asked, room))
        )
        if replied:
            lines.append(Content(f"{'›':>{_KIND_CELLS - 1}} {shortened(replied, room)}"))
    return lines


def _refused(found: Preview) -> list[Content]:
    if not found.refused:
        return []
    lines = [Content(""), Content(_("Refused")).stylize("bold")]
    lines += [Content(f"  {shortened(line, _CELLS)}") for line in found.refused[:_REFUSED]]
    more = len(found.refused) - _REFUSED
    if more > 0:
        lines.append(
            Content(
                _("  … and {count:,} more: tutee import --dry-run lists them all").format(
                    count=more
                )
            )
        )
    return lines
