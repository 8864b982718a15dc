"""What the terminal can show, queried before the app takes it over.

A terminal that does not answer counts as dark, as most are. Left out on purpose: asking again while
the app runs, and the legacy Windows console, which does not answer.
"""

import os
import re
import select
import sys
import time

from store.errors import TuteeError
from store.i18n import _

_SECONDS = 0.3
"""Timeout of the query; over a slow line, an answer takes a round trip."""
_ASK = b"\x1b]11;?\x1b\\" + b"\x1b[c"
"""OSC 11, which asks for the background color, and DA1, which every terminal answers: so one that
does not know OSC 11 is noticed at once."""
_ANSWER = re.compile(rb"\x1b\]11;rgba?:([0-9a-fA-F]+)/([0-9a-fA-F]+)/([0-9a-fA-F]+)")
_END = re.compile(rb"\x1b\[\?[0-9;]*c")
_MANY = ("256color", "kitty")
"""Endings of TERM for more than sixteen colors, as in Rich."""
_LIGHT_COLORS = ("7", "15")
"""White and bright white of the sixteen ANSI colors."""


def need_terminal() -> None:
    """Raise TuteeError without a terminal for input and output, as in a pipe."""
    streams = (sys.stdin, sys.stdout)
    if not all(stream is not None and stream.isatty() for stream in streams):
        raise TuteeError(
            _("The app needs a terminal for input and output."),
            _("Without one: `tutee ask`, with the prompt as its argument or on standard input."),
        )


def has_light_background() -> bool:
    """Whether the terminal reports a light background."""
    known = os.environ.get("COLORFGBG", "")
    if known:
        return known.rpartition(";")[2] in _LIGHT_COLORS
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return False
    if os.environ.get("TERM", "dumb") in ("dumb", "linux"):
        return False
    return is_light(_asked(sys.stdin.fileno(), sys.stdout.fileno()))


def has_few_colors() -> bool:
    """Whether the terminal reports sixteen colors at most."""
    if os.environ.get("COLORTERM", "").strip().lower() in ("truecolor", "24bit"):
        return False
    return not os.environ.get("TERM", "").lower().endswith(_MANY)


def is_light(answer: bytes) -> bool:
    """Whether the color in the answer to OSC 11 is nearer to white than to black."""
    found = _ANSWER.search(answer)
    if not found:
        return False
    red, green, blue = (int(part, 16) / (16 ** len(part) - 1) for part in found.groups())
    return 0.299 * red + 0.587 * green + 0.114 * blue > 0.5


def _asked(keyboard: int, screen: int) -> bytes:
    """Return the answer of the terminal, or b"" where it cannot be asked."""
    try:
        import termios
        import tty
    except ImportError:  # Windows
        return b""
    try:
        before = termios.tcgetattr(keyboard)
    except termios.error:
        return b""
    answer = b""
    try:
        tty.setcbreak(keyboard)
        os.write(screen, _ASK)
        until = time.monotonic() + _SECONDS
        while not _END.search(answer):
            left = until - time.monotonic()
            if left <= 0 or not select.select([keyboard], [], [], left)[0]:
                break
            answer += os.read(keyboard, 1024)
    except OSError:
        return b""
    finally:
        termios.tcsetattr(keyboard, termios.TCSANOW, before)
    return answer
