"""How the app holds the terminal: Textual's driver, made to bear what happens to real terminals.

A process is told to go on (SIGCONT) not only after Ctrl+Z: the system says so to all that ran in a
terminal that was closed, and service managers do before they end a process. Textual takes each time
for a new start, and the thread that reads the keys until then would never be told to end.

A terminal that is gone cannot be written to. What is painted then has no reader and is dropped:
with Textual's own, the thread that writes would die of it, and the app wait for that thread.
"""

import sys
from contextlib import suppress
from typing import Any, TextIO

from textual.drivers.linux_driver import LinuxDriver


class Painted:
    """What the app writes, as far as there is a terminal to take it."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, text: str) -> None:
        with suppress(OSError):
            self._file.write(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._file.flush()

    def fileno(self) -> int:
        return self._file.fileno()


class TerminalDriver(LinuxDriver):
    """Takes the terminal once and gives it back once, whatever signals arrive."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        screen = sys.__stdout__
        if screen is None or not screen.isatty():
            screen = self._file
        self._file: Any = Painted(screen)

    @property
    def holds_terminal(self) -> bool:
        """The keys are read here."""
        return self._key_thread is not None and self._key_thread.is_alive()

    def suspend_application_mode(self) -> None:
        if self.holds_terminal:
            super().suspend_application_mode()

    def resume_application_mode(self) -> None:
        if not self.holds_terminal:
            super().resume_application_mode()

    def write(self, data: str) -> None:
        """Paint, unless somebody else has the terminal."""
        if self._writer_thread is not None and self._writer_thread.is_alive():
            super().write(data)
