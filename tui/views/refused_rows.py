"""Rows that were refused, as lines of text: those with one reason together. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from data.imports import Refused
from store.i18n import _
from tui.text_format import counted


def told(refused: Iterable[Refused]) -> Iterator[str]:
    """Every refused row with its line and reason, in the order in which the reasons were met."""
    lines: defaultdict[tuple[str, bool], list[int]] = defaultdict(list)
    for row in refused:
        lines[row.reason, row.partly].append(row.line)
    for (reason, partly), found in lines.items():
        if len(found) == 1:
            one = _("line {line} refused in part: {reason}")
            said = one if partly else _("line {line} refused: {reason}")
            yield said.format(line=found[0], reason=reason)
        else:
            many = _("{rows} refused in part: {reason}")
            said = many if partly else _("{rows} refused: {reason}")
            yield said.format(rows=counted(len(found), "row"), reason=reason)
            yield _("  lines {lines}").format(lines=_ranges(found))


def _ranges(numbers: Iterable[int]) -> str:
    """`1-3, 7`."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1] = [runs[-1][0], number]
        else:
            runs.append([number])
    return ", ".join("-".join(map(str, run)) for run in runs)
