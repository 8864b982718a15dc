"""Describe what an import left out: thoughts, and refused rows grouped by reason. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from data.imports import Imported, Refused
from store.i18n import _, ngettext
from tui.text_format import counted


def describe_notes(found: Imported) -> Iterator[str]:
    """Yield a line for each thing to know about how a file was read."""
    if found.thoughts:
        text = ngettext(
            "thoughts left out of {count:,} row",
            "thoughts left out of {count:,} rows",
            found.thoughts,
        )
        yield text.format(count=found.thoughts)


def describe_refused(refused: Iterable[Refused]) -> Iterator[str]:
    """Yield lines that name every refused row and its reason, in order of first occurrence."""
    lines: defaultdict[tuple[str, bool], list[int]] = defaultdict(list)
    for row in refused:
        lines[row.reason, row.partly].append(row.line)
    for (reason, partly), numbers in lines.items():
        if len(numbers) == 1:
            one = _("line {line} refused in part: {reason}")
            text = one if partly else _("line {line} refused: {reason}")
            yield text.format(line=numbers[0], reason=reason)
        else:
            many = _("{rows} refused in part: {reason}")
            text = many if partly else _("{rows} refused: {reason}")
            yield text.format(rows=counted(len(numbers), "row"), reason=reason)
            yield _("  lines {lines}").format(lines=_ranges(numbers))


def _ranges(numbers: Iterable[int]) -> str:
    """Format ascending numbers like `1-3, 7`."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1] = [runs[-1][0], number]
        else:
            runs.append([number])
    return ", ".join("-".join(map(str, run)) for run in runs)
