"""Render an import preview: counts, the first records, and every refused row."""

from rich.cells import set_cell_size
from textual.content import Content

from store.i18n import _
from tui.text_format import counted, padded, shortened
from tui.theme import MUTED
from tui.views.import_preview import ImportPreview

_MAX_REFUSED = 2000
"""Most refused rows to list; more would block the screen."""
_CELLS = 300
_NAME_CELLS = 9
_KIND_CELLS = 14


def render_preview(found: ImportPreview, cells: int) -> Content:
    """Render the preview, each sample cut to `cells`."""
    return Content("\n").join([*_counts(found), *_samples(found, cells), *_refused(found)])


def _counts(found: ImportPreview) -> list[Content]:
    formats = _(", ").join((found.formats, counted(found.rows, "row")))
    new = Content(found.kinds or _("nothing")).stylize("bold $text-success" if found.useful else "")
    lines = [_labeled(_("Format"), formats), _labeled(_("New"), new)]
    if found.known:
        skipped = _("{records}, skipped").format(records=counted(found.known, "record"))
        lines.append(_labeled(_("Known"), skipped))
    if found.lost:
        refused = Content(counted(found.lost, "row")).stylize("$text-warning")
        lines.append(_labeled(_("Refused"), refused))
    lines += [_labeled(_("Note"), note) for note in found.notes]
    return lines


def _labeled(label: str, text: str | Content) -> Content:
    return Content.assemble((padded(label, _NAME_CELLS), MUTED), text)


def _samples(found: ImportPreview, cells: int) -> list[Content]:
    room = max(cells - _KIND_CELLS, 20)
    lines = [Content(""), Content(_("First records")).stylize("bold")] if found.useful else []
    for what, asked, replied in found.samples:
        kind = (set_cell_size(what, _KIND_CELLS), MUTED)
        lines.append(Content.assemble(kind, shortened(asked, room)))
        if replied:
            lines.append(Content(f"{'›':>{_KIND_CELLS - 1}} {shortened(replied, room)}"))
    return lines


def _refused(found: ImportPreview) -> list[Content]:
    if not found.refused:
        return []
    lines = [Content(""), Content(_("Refused")).stylize("bold")]
    lines += [Content(f"  {shortened(line, _CELLS)}") for line in found.refused[:_MAX_REFUSED]]
    more = len(found.refused) - _MAX_REFUSED
    if more > 0:
        rest = _("  … and {count:,} more: tutee import --dry-run lists them all")
        lines.append(Content(rest.format(count=more)))
    return lines
