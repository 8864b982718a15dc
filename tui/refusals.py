"""Rows that were refused, as lines of text: those with one reason together. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from data.imports import Refused
from tui.text import counted


def told(refused: Iterable[Refused]) -> Iterator[str]:
    """Every refused row with its line and reason, in the order in which the reasons were met."""
    lines: defaultdict[tuple[str, bool], list[int]] = defaultdict(list)
    for row in refused:
        lines[row.reason, row.partly].append(row.line)
    for (reason, partly), found in lines.items():
        how = "refused in part" if partly else "refused"
        if len(found) == 1:
            yield f"line {found[0]} {how}: {reason}"
        else:
            yield f"{counted(len(found), 'row')} {how}: {reason}"
            yield f"  lines {_ranges(found)}"


def _ranges(numbers: Iterable[int]) -> str:
    """`1-3, 7`."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1] = [runs[-1][0], number]
        else:
            runs.append([number])
    return ", ".join("-".join(map(str, run)) for run in runs)
