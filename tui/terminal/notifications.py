"""Desktop notifications, shown by the terminal.

That works over SSH and needs no other program; a terminal that cannot do it shows nothing. Left out
on purpose: asking whether it can, because no terminal tells.
"""

from collections.abc import Mapping

from tui.text_format import harmless, one_line

_BY_777 = ("foot", "rxvt", "konsole")
"""Prefixes of TERM for terminals that know OSC 777 only; the others know OSC 9."""


def notification(text: str, environment: Mapping[str, str]) -> str:
    """Return the escape sequence for a notification.

    Args:
        text: The message; control characters are removed.
        environment: Tells which terminal it is, and whether it runs tmux.
    """
    message = one_line(harmless(text)).replace(";", ",")
    if environment.get("TERM", "").startswith(_BY_777):
        sequence = f"\x1b]777;notify;Tutee;{message}\x07"
    else:
        sequence = f"\x1b]9;Tutee: {message}\x07"
    if "TMUX" in environment:
        # tmux passes a wrapped sequence on if its option `allow-passthrough` is on.
        sequence = f"\x1bPtmux;{sequence}\x1b\\".replace("\x1b]", "\x1b\x1b]")
    return sequence
