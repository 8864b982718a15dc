"""Copying to the clipboard of the desktop; failing is never an error.

Textual copies with OSC 52, which reaches the user's terminal even over SSH, but some terminals
ignore it. pyperclip reaches the desktop of this machine, if there is one. The app does both.
"""

from contextlib import suppress
from threading import Thread


def copy_to_desktop(text: str) -> None:
    """Copy `text` to the clipboard of the desktop, if there is one; return at once."""
    # Its helper programs can hang on a dead display, so nothing waits for this thread.
    Thread(target=_copy, args=(text,), name="clipboard", daemon=True).start()


def _copy(text: str) -> None:
    import pyperclip

    with suppress(pyperclip.PyperclipException, OSError):
        pyperclip.copy(text)
