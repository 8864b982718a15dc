"""Formatting of short texts: durations, bars, sparklines. Pure; widths are terminal cells."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from rich.cells import cell_len, set_cell_size

from store.i18n import _, ngettext

_SPARKS = "▁▂▃▄▅▆▇█"
STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""Characters that move the cursor, start an escape sequence or change the text direction."""


def harmless(text: str) -> str:
    """Replace every character that could control the terminal by a space."""
    return STEERING.sub(" ", text)


def one_line(text: str) -> str:
    """Replace every run of white space by one space."""
    return " ".join(text.split())


def shortened(text: str, cells: int) -> str:
    """Return `text` on one line of at most `cells`, with an ellipsis where it was cut."""
    text = one_line(text)
    if cell_len(text) <= cells:
        return text
    return set_cell_size(text, max(cells - 1, 0)).rstrip() + "…"


def clock(seconds: float) -> str:
    """Format a duration: `0:31`, or `1:02:03` from an hour on."""
    minutes, rest = divmod(round(max(seconds, 0)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def short_count(number: int) -> str:
    """Format a number of tokens: `312`, `8k`, `1.2k`; powers of two as models are sold."""
    if number < 1000:
        return str(number)
    thousands = number / (1024 if number % 1024 == 0 else 1000)
    return f"{thousands:.1f}k" if thousands < 10 and thousands % 1 >= 0.05 else f"{thousands:.0f}k"


def age(moment: datetime, today: datetime) -> str:
    """Say how long ago a moment was, in its largest unit: `now`, `5 min`, `3 h`, `2 d`, `7 wk`."""
    minutes = max(int((today - moment).total_seconds() // 60), 0)
    if minutes < 1:
        return _("now")
    hours, days = minutes // 60, minutes // (60 * 24)
    if days >= 14:
        return _("{count} wk").format(count=days // 7)
    if days:
        return _("{count} d").format(count=days)
    return _("{count} h").format(count=hours) if hours else _("{count} min").format(count=minutes)


def bar(share: float, width: int) -> str:
    """Draw a bar of `width` cells, filled to `share` in half cells."""
    halves = round(min(max(share, 0.0), 1.0) * width * 2)
    full, half = divmod(halves, 2)
    return "━" * full + "╸" * half + " " * (width - full - half)


def sparkline(values: Sequence[float], width: int) -> str:
    """Draw the last `width` values as blocks, scaled between their minimum and maximum."""
    values = values[-width:]
    if not values:
        return ""
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    return "".join(_SPARKS[round((value - low) / span * (len(_SPARKS) - 1))] for value in values)


def padded(text: str, cells: int) -> str:
    """Pad `text` to `cells`; a negative number pads on the left."""
    spaces = " " * (abs(cells) - cell_len(text))
    return text + spaces if cells > 0 else spaces + text


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
    """Return `1 record` or `2,000 records`, in the user's language."""
    match noun:
        case "chat":
            text = ngettext("{count:,} chat", "{count:,} chats", number)
        case "conversation":
            text = ngettext("{count:,} conversation", "{count:,} conversations", number)
        case "earlier message":
            text = ngettext("{count:,} earlier message", "{count:,} earlier messages", number)
        case "finished pass":
            text = ngettext("{count:,} finished pass", "{count:,} finished passes", number)
        case "instruction":
            text = ngettext("{count:,} instruction", "{count:,} instructions", number)
        case "later message":
            text = ngettext("{count:,} later message", "{count:,} later messages", number)
        case "lesson":
            text = ngettext("{count:,} lesson", "{count:,} lessons", number)
        case "line":
            text = ngettext("{count:,} line", "{count:,} lines", number)
        case "message":
            text = ngettext("{count:,} message", "{count:,} messages", number)
        case "preference":
            text = ngettext("{count:,} preference", "{count:,} preferences", number)
        case "record":
            text = ngettext("{count:,} record", "{count:,} records", number)
        case "row":
            text = ngettext("{count:,} row", "{count:,} rows", number)
        case "sample":
            text = ngettext("{count:,} sample", "{count:,} samples", number)
        case "step":
            text = ngettext("{count:,} step", "{count:,} steps", number)
        case "verdict":
            text = ngettext("{count:,} verdict", "{count:,} verdicts", number)
    return text.format(count=number)
