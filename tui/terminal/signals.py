"""Tell the app when its terminal is gone, or when a signal ends or continues the process.

A closing terminal signals the processes in it, except those in a session of their own or behind a
broken connection: there Textual would read an empty input forever. Unhandled, a signal would end
Python at once and leave the terminal in the state that the app had set. Continuing is left to the
event loop, because a signal may arrive while the app holds a lock that painting needs.
"""

import asyncio
import select
import signal
import sys
from collections.abc import Callable
from threading import Thread


def watch(ended: Callable[[], object], continued: Callable[[], object]) -> None:
    """Watch the terminal and the signals; call this in the app's event loop.

    Args:
        ended: Called from any thread once the terminal is gone or a signal asks to end.
        continued: Called each time the process was stopped and continues.
    """
    loop = asyncio.get_running_loop()
    if sys.platform != "win32":
        loop.add_signal_handler(signal.SIGHUP, ended)
        loop.add_signal_handler(signal.SIGTERM, ended)
        loop.add_signal_handler(signal.SIGCONT, continued)
    if sys.__stdin__ is not None and sys.__stdin__.isatty() and hasattr(select, "poll"):
        keyboard = sys.__stdin__.fileno()
        Thread(target=_wait, args=(keyboard, ended), name="terminal-watch", daemon=True).start()


def _wait(keyboard: int, ended: Callable[[], object]) -> None:
    """Wait for the terminal to hang up, without polling."""
    line = select.poll()
    line.register(keyboard, 0)  # no events but POLLHUP
    if any(event & select.POLLHUP for _, event in line.poll()):
        ended()
