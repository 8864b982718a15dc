"""Ask for the attention of a person who looks elsewhere: a notification of the desktop.

The terminal is asked to show it, which works over SSH too and needs no program beside it; one that
cannot shows nothing. Left out on purpose: asking whether it can, because no terminal says so.
"""

from collections.abc import Mapping

from tui.text_format import harmless, one_line

_BY_777 = ("foot", "rxvt", "konsole")
"""Terminals that know the older sequence only, as TERM begins there; the others know OSC 9."""


def notification(text: str, environment: Mapping[str, str]) -> str:
    """What the terminal is sent.

    Args:
        text: What the notification says; what steers a terminal is taken out of it.
        environment: Tells which terminal it is, and whether tmux stands between.
    """
    said = one_line(harmless(text)).replace(";", ",")
    if environment.get("TERM", "").startswith(_BY_777):
        sequence = f"\x1b]777;notify;Tutee;{said}\x07"
    else:
        sequence = f"\x1b]9;Tutee: {said}\x07"
    if "TMUX" in environment:
        # tmux hands on what is wrapped like this, where its `allow-passthrough` is on.
        sequence = f"\x1bPtmux;{sequence}\x1b\\".replace("\x1b]", "\x1b\x1b]")
    return sequence
