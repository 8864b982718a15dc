"""Tell the app when its terminal is gone, or when it is told from outside to end or to go on.

A terminal mostly ends with a signal to what runs in it, but not to what was started in a session of
its own, or over a line that broke: Textual would then read nothing again and again, for ever. A
signal would end Python at once, and leave the terminal as the app had set it. Going on is left to
the event loop, since a signal may come while the app holds a lock that painting needs.
"""

import asyncio
import select
import signal
import sys
from collections.abc import Callable
from threading import Thread


def watch(ended: Callable[[], object], continued: Callable[[], object]) -> None:
    """Call `ended`, from any thread, once the terminal is gone or a signal asks for the end.

    `continued` is called each time that the process was stopped and goes on. To be called where the
    app's event loop runs.
    """
    loop = asyncio.get_running_loop()
    if sys.platform != "win32":
        loop.add_signal_handler(signal.SIGHUP, ended)
        loop.add_signal_handler(signal.SIGTERM, ended)
        loop.add_signal_handler(signal.SIGCONT, continued)
    if sys.__stdin__ is not None and sys.__stdin__.isatty() and hasattr(select, "poll"):
        keyboard = sys.__stdin__.fileno()
        Thread(target=_wait, args=(keyboard, ended), name="lifeline", daemon=True).start()


def _wait(keyboard: int, ended: Callable[[], object]) -> None:
    """Wait, without looking again and again, until nobody is at the other end."""
    line = select.poll()
    line.register(keyboard, 0)  # nothing but that it was hung up
    if any(event & select.POLLHUP for _, event in line.poll()):
        ended()
