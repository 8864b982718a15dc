"""Small pieces of text: durations, bars, sparklines. Pure, and all in terminal cells."""

import re
from collections.abc import Sequence
from typing import Literal

from rich.cells import cell_len, set_cell_size

from store.i18n import ngettext

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


def padded(text: str, cells: int) -> str:
    """`text` with blanks behind it so that it takes `cells`; before it where they are negative."""
    blanks = " " * (abs(cells) - cell_len(text))
    return text + blanks if cells > 0 else blanks + text


Noun = Literal[
    "chat",
    "conversation",
    "earlier message",
    "finished pass",
    "instruction",
    "later message",
    "lesson",
    "line",
    "message",
    "preference",
    "record",
    "row",
    "sample",
    "step",
    "verdict",
]


def counted(number: int, noun: Noun) -> str:
    """`1 record`, `2,000 records`, in the person's language."""
    match noun:
        case "chat":
            said = ngettext("{count:,} chat", "{count:,} chats", number)
        case "conversation":
            said = ngettext("{count:,} conversation", "{count:,} conversations", number)
        case "earlier message":
            said = ngettext("{count:,} earlier message", "{count:,} earlier messages", number)
        case "finished pass":
            said = ngettext("{count:,} finished pass", "{count:,} finished passes", number)
        case "instruction":
            said = ngettext("{count:,} instruction", "{count:,} instructions", number)
        case "later message":
            said = ngettext("{count:,} later message", "{count:,} later messages", number)
        case "lesson":
            said = ngettext("{count:,} lesson", "{count:,} lessons", number)
        case "line":
            said = ngettext("{count:,} line", "{count:,} lines", number)
        case "message":
            said = ngettext("{count:,} message", "{count:,} messages", number)
        case "preference":
            said = ngettext("{count:,} preference", "{count:,} preferences", number)
        case "record":
            said = ngettext("{count:,} record", "{count:,} records", number)
        case "row":
            said = ngettext("{count:,} row", "{count:,} rows", number)
        case "sample":
            said = ngettext("{count:,} sample", "{count:,} samples", number)
        case "step":
            said = ngettext("{count:,} step", "{count:,} steps", number)
        case "verdict":
            said = ngettext("{count:,} verdict", "{count:,} verdicts", number)
    return said.format(count=number)
