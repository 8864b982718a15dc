"""Describe what an import left out: thoughts, and refused rows grouped by reason. Pure."""

from collections.abc import Iterable, Iterator

from data.imports import Imported, Refused
from store.i18n import _, ngettext
from tui.text_format import counted


def describe_notes(found: Imported) -> Iterator[str]:
    """Yield a line for each thing to know about how a file was read."""
    if found.guessed:
        text = _("read as {encoding}, which is a guess: `--encoding NAME` names another")
        yield text.format(encoding=_(", ").join(found.guessed))
    if found.unread:
        yield _("only the first {count:,} rows were read").format(count=found.rows)
    if found.thoughts:
        text = ngettext(
            "thoughts left out of {count:,} row",
            "thoughts left out of {count:,} rows",
            found.thoughts,
        )
        yield text.format(count=found.thoughts)


def describe_refused(refused: Iterable[Refused]) -> Iterator[str]:
    """Yield lines that say how many rows were refused for each reason, and where they are."""
    for rows in refused:
        if rows.rows == 1:
            one = _("line {line} refused in part: {reason}")
            text = one if rows.partly else _("line {line} refused: {reason}")
            yield text.format(line=rows.lines[0], reason=rows.reason)
        else:
            many = _("{rows} refused in part: {reason}")
            text = many if rows.partly else _("{rows} refused: {reason}")
            yield text.format(rows=counted(rows.rows, "row"), reason=rows.reason)
            lines = _("  lines {lines}").format(lines=_ranges(rows.lines))
            yield lines if len(rows.lines) == rows.rows else f"{lines} …"


def _ranges(numbers: Iterable[int]) -> str:
    """Format ascending numbers like `1-3, 7`."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1] = [runs[-1][0], number]
        else:
            runs.append([number])
    return ", ".join("-".join(map(str, run)) for run in runs)
