"""How fast something arrives, and how long the rest will take."""

import time
from collections import deque
from collections.abc import Callable

from core.events import ModelLoading
from store.i18n import _
from tui.text_format import clock

_SECONDS = 8.0
_LEAST = 1.0
"""Seconds before a speed means anything."""
_STILL = 5.0
"""Seconds without a byte that are worth a word."""


class Pace:
    """The speed over the last seconds. Feed it each event of one fetch."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._seen: deque[tuple[float, int]] = deque()
        self._stage = ""
        self._moved = 0.0
        """When something came last."""

    def note(self, event: ModelLoading) -> str:
        """What to say beside the progress: `3.1 MB/s · 2:05 left`, or nothing yet.

        Hubs can go silent for minutes before their clients give up; then that is said.
        """
        now = self._now()
        if event.stage != self._stage:
            self._stage = event.stage
            self._seen.clear()
        if not self._seen or event.done != self._seen[-1][1]:
            self._moved = now
        self._seen.append((now, event.done))
        while now - self._seen[0][0] > _SECONDS:
            self._seen.popleft()
        then, before = self._seen[0]
        speed = (event.done - before) / (now - then) if now - then >= _LEAST else 0.0
        if not event.total or event.unit != "B":
            return ""
        if now - self._moved >= _STILL:
            return _("nothing has come for {time}").format(time=clock(now - self._moved))
        if speed <= 0:
            return ""
        left = clock((event.total - event.done) / speed)
        return _("{speed}/s · {left} left").format(speed=size(speed), left=left)


def size(number: float) -> str:
    """Bytes as a person reads them: `93 MB`, `1.2 GB`."""
    if number >= 1e9:
        return f"{number / 1e9:.1f} GB"
    if number >= 1e6:
        return f"{number / 1e6:.3g} MB" if number < 1e7 else f"{number / 1e6:.0f} MB"
    return f"{number / 1e3:.0f} kB"
