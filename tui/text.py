"""Small pieces of text: durations, bars, sparklines. Pure, and all in terminal cells."""

import re
from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size

_SPARKS = "▁▂▃▄▅▆▇█"
_STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""Characters that move the cursor, start a command or turn the direction of what follows."""


def harmless(text: str) -> str:
    """`text` of a model or a file with a blank for what would steer the terminal."""
    return _STEERING.sub(" ", text)


def one_line(text: str) -> str:
    """`text` with every run of white space made one blank."""
    return " ".join(text.split())


def shortened(text: str, cells: int) -> str:
    """`text` on one line, at most `cells` wide, with an ellipsis where it was cut."""
    text = one_line(text)
    if cell_len(text) <= cells:
        return text
    return set_cell_size(text, max(cells - 1, 0)).rstrip() + "…"


def clock(seconds: float) -> str:
    """`0:31`, or `1:02:03` from an hour on."""
    minutes, rest = divmod(round(max(seconds, 0)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def bar(share: float, width: int) -> str:
    """A bar of `width` cells, filled to `share` in half cells."""
    halves = round(min(max(share, 0.0), 1.0) * width * 2)
    full, half = divmod(halves, 2)
    return "━" * full + "╸" * half + " " * (width - full - half)


def sparkline(values: Sequence[float], width: int) -> str:
    """The last `width` values, each as one block between their least and their greatest."""
    values = values[-width:]
    if not values:
        return ""
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    return "".join(_SPARKS[round((value - low) / span * (len(_SPARKS) - 1))] for value in values)


def counted(number: int, noun: str) -> str:
    """`1 pair`, `2,000 pairs`."""
    return f"{number} {noun}" if number == 1 else f"{number:,} {noun}s"
