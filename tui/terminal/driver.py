"""Textual's driver, made robust against what happens to real terminals.

A process gets SIGCONT not only after Ctrl+Z: the kernel sends it to everything in a terminal that
was closed, and service managers before they end a process. Textual would start its input thread
again each time, and the previous one would never end.

Writing to a terminal that is gone fails. The output is dropped here; in Textual's driver the writer
thread would die of the error while the app waits for it. It would die of a character that the
locale's encoding does not have, too. So the app writes UTF-8 in every locale, as it reads it:
terminals speak it even where `LANG` names another encoding.
"""

import os
import select
import sys
from codecs import getincrementaldecoder
from contextlib import suppress
from itertools import chain
from typing import Any, TextIO

from textual._parser import ParseError
from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver

from tui.terminal.paste import PasteDetector


class LenientFile:
    """A stream whose errors are ignored."""

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
    """Takes the terminal once and returns it once, whatever signals arrive."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        screen = sys.__stdout__
        if screen is None or not screen.isatty():
            screen = self._file
        if hasattr(screen, "reconfigure"):
            screen.reconfigure(encoding="utf-8", errors="replace")
        self._file: Any = LenientFile(screen)

    def run_input_thread(self) -> None:
        """Read the keyboard as Textual does, but bracket pastes, and survive bytes that no UTF-8
        is made of, as another encoding's terminal sends them."""
        parser, paste = XTermParser(self._debug), PasteDetector()
        decode = getincrementaldecoder("utf-8")("replace").decode

        def read() -> None:
            events = parser.tick()
            if select.select([self.fileno], [], [], 0.1)[0]:
                text = decode(os.read(self.fileno, 4096))
                events = chain(parser.feed(paste.mark(text)) if text else (), parser.tick())
            for event in events:
                self.process_message(event)

        while not self.exit_event.is_set():
            read()
        read()
        with suppress(EOFError, ParseError):
            for _ in parser.feed(""):
                pass

    @property
    def holds_terminal(self) -> bool:
        """Whether the input thread runs."""
        return self._key_thread is not None and self._key_thread.is_alive()

    def suspend_application_mode(self) -> None:
        if self.holds_terminal:
            super().suspend_application_mode()

    def resume_application_mode(self) -> None:
        if not self.holds_terminal:
            super().resume_application_mode()

    def write(self, data: str) -> None:
        """Write, unless another program has the terminal."""
        if self._writer_thread is not None and self._writer_thread.is_alive():
            super().write(data)
