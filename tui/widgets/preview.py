"""What an import would bring, as text: counts, the first records, and every refused row."""

from textual.content import Content

from tui.importing import Preview
from tui.text import counted, shortened
from tui.theme import MUTED

_REFUSED = 2000
"""Refused rows that are listed; more would only hold the screen up."""
_CELLS = 300


def previewed(found: Preview) -> Content:
    """All there is to know before it is taken."""
    return Content("\n").join([*_counts(found), *_samples(found), *_refused(found)])


def _counts(found: Preview) -> list[Content]:
    new = Content(found.kinds or "nothing").stylize("bold $text-success" if found.useful else "")
    lines = [
        Content.assemble(("Format   ", MUTED), f"{found.formats}, {counted(found.rows, 'row')}"),
        Content.assemble(("New      ", MUTED), new),
    ]
    if found.known:
        known = f"{counted(found.known, 'record')}, left as they are"
        lines.append(Content.assemble(("Known    ", MUTED), known))
    if found.refused:
        refused = Content(counted(len(found.refused), "row")).stylize("$text-warning")
        lines.append(Content.assemble(("Refused  ", MUTED), refused))
    return lines


def _samples(found: Preview) -> list[Content]:
    lines = [Content(""), Content("The first of them").stylize("bold")] if found.useful else []
    for what, asked, replied in found.samples:
        lines += [
            Content(what).stylize(MUTED),
            Content(f"  {shortened(asked, _CELLS)}"),
        ]
        if replied:
            lines.append(Content(f"  › {shortened(replied, _CELLS)}"))
    return lines


def _refused(found: Preview) -> list[Content]:
    if not found.refused:
        return []
    lines = [Content(""), Content("Refused").stylize("bold")]
    lines += [Content(f"  {shortened(line, _CELLS)}") for line in found.refused[:_REFUSED]]
    more = len(found.refused) - _REFUSED
    if more > 0:
        lines.append(Content(f"  … and {more:,} more: tutee import --dry-run lists them all"))
    return lines
