"""Tell a paste from typing in terminals that do not mark pastes.

Most terminals bracket what is pasted; in the others each line break of it looks like Enter, which
would send half a text. Here a paste is known by its speed, and gets its brackets.

A limit remains: a paste of one or two characters and a line break still counts as typed, and
Enter, pressed after the terminal held back more than that (a stalled connection, a macro), makes a
new line; pressed again, it sends.
"""

import re
import time
from collections.abc import Callable

START, END = "\x1b[200~", "\x1b[201~"
_BURST = 3
"""Characters read at once, or in quick succession, that nobody types."""
_SOON = 0.02
"""Seconds after a burst in which what comes still belongs to it."""
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
"""Keys that no paste has: a macro typed them."""
_BREAKS = re.compile(r"[\r\t]")
"""What would be taken for Enter or Tab."""


class PasteDetector:
    """Brackets pastes; `mark` is given all that is read from the terminal, piece by piece."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._read = float("-inf")
        """When the last piece was read."""
        self._count = 0
        """Characters that came in quick succession until then."""
        self._bracketed = False
        """The terminal has begun a paste and not ended it."""

    def mark(self, text: str) -> str:
        """Return `text`, in brackets if it is part of a paste that has none."""
        now = self._clock()
        before = self._count if now - self._read < _SOON else 0
        self._read = now
        start, end = text.rfind(START), text.rfind(END)
        if self._bracketed or start >= 0:
            self._bracketed = start > end if start >= 0 or end >= 0 else True
            self._count = 0
            return text
        if _CONTROLS.search(text):
            self._count = 0
            return text
        self._count = before + len(text)
        found = _BREAKS.search(text)
        if found is None:
            return text
        inside = len(text) > found.end()
        return f"{START}{text}{END}" if inside or before + found.start() >= _BURST else text
