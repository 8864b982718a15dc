"""Speed and remaining time of a download."""

import time
from collections import deque
from collections.abc import Callable

from core.events import ModelLoading
from store.i18n import _
from tui.text_format import clock

_WINDOW = 8.0
"""Seconds over which the speed is averaged."""
_MIN_WINDOW = 1.0
"""Seconds before the speed is meaningful."""
_STALLED = 5.0
"""Seconds without data that are reported."""


class TransferRate:
    """Averages the speed of one download over the last seconds."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._seen: deque[tuple[float, int]] = deque()
        self._stage = ""
        self._last_data = 0.0

    def note(self, event: ModelLoading) -> str:
        """Take the next event; return a note like `3.1 MB/s · 2:05 left`, or an empty one.

        Hubs can stall for minutes before their clients give up; the note then says so.
        """
        now = self._now()
        if event.stage != self._stage:
            self._stage = event.stage
            self._seen.clear()
        if not self._seen or event.done != self._seen[-1][1]:
            self._last_data = now
        self._seen.append((now, event.done))
        while now - self._seen[0][0] > _WINDOW:
            self._seen.popleft()
        then, before = self._seen[0]
        speed = (event.done - before) / (now - then) if now - then >= _MIN_WINDOW else 0.0
        if not event.total or event.unit != "B":
            return ""
        if now - self._last_data >= _STALLED:
            return _("no data for {time}").format(time=clock(now - self._last_data))
        if speed <= 0:
            return ""
        left = clock((event.total - event.done) / speed)
        return _("{speed}/s · {left} left").format(speed=format_size(speed), left=left)


def format_size(number: float) -> str:
    """Format bytes like `93 MB` or `1.2 GB`."""
    if number >= 1e9:
        return f"{number / 1e9:.1f} GB"
    if number >= 1e6:
        return f"{number / 1e6:.3g} MB" if number < 1e7 else f"{number / 1e6:.0f} MB"
    return f"{number / 1e3:.0f} kB"
