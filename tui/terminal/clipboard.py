"""Copying to the desktop: never an error, because a copy is only a courtesy.

Textual copies with OSC 52, which reaches the terminal the person sits at, also over SSH, but some
terminals ignore it. pyperclip reaches the desktop of this machine, where there is one. The app does
both.
"""

from contextlib import suppress
from threading import Thread


def copy_to_desktop(text: str) -> None:
    """Put `text` on the clipboard of the desktop, if there is one; returns at once."""
    # Its helper programs can hang on a dead display, hence a thread that nobody waits for.
    Thread(target=_copy, args=(text,), name="clipboard", daemon=True).start()


def _copy(text: str) -> None:
    import pyperclip

    with suppress(pyperclip.PyperclipException, OSError):
        pyperclip.copy(text)
