"""What the terminal is, asked before the app takes it over.

A terminal that says nothing is taken to be dark, as most are. Left out on purpose: asking again
while the app runs, and Windows' old console, which does not answer.
"""

import os
import re
import select
import sys
import time

from store.errors import TuteeError
from store.i18n import _

_SECONDS = 0.3
"""How long an answer is waited for; one over a slow line takes a round trip."""
_ASK = b"\x1b]11;?\x1b\\" + b"\x1b[c"
"""The background colour, and what every terminal answers, so that silence is noticed at once."""
_ANSWER = re.compile(rb"\x1b\]11;rgba?:([0-9a-fA-F]+)/([0-9a-fA-F]+)/([0-9a-fA-F]+)")
_END = re.compile(rb"\x1b\[\?[0-9;]*c")
_MANY = ("256color", "kitty")
"""How the names of terminals end that have more than sixteen colours; as Rich sees it, too."""
_LIGHT_COLOURS = ("7", "15")
"""White and bright white, among the sixteen."""


def need_terminal() -> None:
    """Raise TuteeError where there is none to paint on or to type into, as in a pipe."""
    streams = (sys.stdin, sys.stdout)
    if not all(stream is not None and stream.isatty() for stream in streams):
        raise TuteeError(
            _("The app needs a terminal to be shown in and typed into."),
            _("Without one: `tutee ask`, with the prompt as its argument or on standard input."),
        )


def has_light_background() -> bool:
    """Whether the terminal is dark on light, as far as it says so."""
    known = os.environ.get("COLORFGBG", "")
    if known:
        return known.rpartition(";")[2] in _LIGHT_COLOURS
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return False
    if os.environ.get("TERM", "dumb") in ("dumb", "linux"):
        return False
    return is_light(_asked(sys.stdin.fileno(), sys.stdout.fileno()))


def has_few_colours() -> bool:
    """Whether the terminal says that it has sixteen colours at most."""
    if os.environ.get("COLORTERM", "").strip().lower() in ("truecolor", "24bit"):
        return False
    return not os.environ.get("TERM", "").lower().endswith(_MANY)


def is_light(answer: bytes) -> bool:
    """Whether the colour in a terminal's answer is nearer to white than to black."""
    found = _ANSWER.search(answer)
    if not found:
        return False
    red, green, blue = (int(part, 16) / (16 ** len(part) - 1) for part in found.groups())
    return 0.299 * red + 0.587 * green + 0.114 * blue > 0.5


def _asked(keyboard: int, screen: int) -> bytes:
    """What the terminal answers; nothing where it cannot be asked."""
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
