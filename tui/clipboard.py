"""Copying, as well as a terminal allows: never an error, because a copy is only a courtesy.

Two ways at once. OSC 52 reaches the terminal the person sits at, also over SSH, but some terminals
ignore it; pyperclip reaches the desktop of this machine, where there is one.
"""

from contextlib import suppress
from threading import Thread
from typing import Any

from textual.app import App


def copy(app: App[Any], text: str) -> None:
    """Put `text` on the clipboard where that is possible."""
    app.copy_to_clipboard(text)
    # Its helper programs can hang on a dead display, hence a thread that nobody waits for.
    Thread(target=_copy_to_desktop, args=(text,), name="clipboard", daemon=True).start()


def _copy_to_desktop(text: str) -> None:
    import pyperclip

    with suppress(pyperclip.PyperclipException, OSError):
        pyperclip.copy(text)
