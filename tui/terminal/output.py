"""Standard output and standard error of the commands, safe for the terminal and for pipes.

Texts of models, files and other people may hold escape sequences. What a command writes is made
harmless here, where it reaches a terminal, and nowhere else needs to think of it; a pipe or a file
gets it as it is. Only styles of our own pass: Rich writes to `styled`, progress through
`redraw_line`. A character that the encoding of the stream does not have becomes a question mark. A
reader who closes the pipe early, as `head` does, ends the command without an error.
"""

import codecs
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

import click

from tui.text_format import harmless


class CommandOutput:
    """A standard stream; all but writing is left to it.

    Args:
        style: Whether control characters reach a terminal.
    """

    def __init__(self, stream: TextIO, *, style: bool = False) -> None:
        self._stream = stream
        self._filters = not style and stream.isatty()

    def write(self, text: str) -> int:
        with self._reader_may_leave():
            self._stream.write(harmless(text) if self._filters else text)
        return len(text)

    def flush(self) -> None:
        with self._reader_may_leave():
            self._stream.flush()

    @contextmanager
    def _reader_may_leave(self) -> Iterator[None]:
        """End the command if nobody reads any more; raise `click.exceptions.Exit`."""
        try:
            yield
        except BrokenPipeError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())  # for what is flushed on exit
            os.close(nowhere)
            raise click.exceptions.Exit(0) from None

    def styled(self) -> "CommandOutput":
        return CommandOutput(self._stream, style=True)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def safe_output() -> Iterator[None]:
    """Make both standard streams safe inside the block."""
    before = sys.stdout, sys.stderr
    for name, stream in zip(("stdout", "stderr"), before, strict=True):
        if stream is not None:
            if hasattr(stream, "reconfigure"):
                # ASCII is what a locale that is not set says; click writes UTF-8 there, around us.
                encoding = "utf-8" if _codec(stream) == "ascii" else None
                stream.reconfigure(encoding=encoding, errors="replace")
            setattr(sys, name, CommandOutput(stream))
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def styled(stream: Any) -> Any:
    """Return the stream for output whose texts are harmless already and whose styles are ours."""
    return stream.styled() if isinstance(stream, CommandOutput) else stream


def redraw_line(text: str) -> None:
    """Replace the line on standard error, which must be a terminal."""
    click.echo(f"\r\x1b[K{harmless(text)}", file=styled(sys.stderr), nl=False)


def clear_line() -> None:
    """Clear what `redraw_line` wrote, if standard error is a terminal, before a message."""
    if sys.stderr is not None and sys.stderr.isatty():
        redraw_line("")


def speaks_utf8(stream: Any) -> bool:
    """Whether a stream can show every character."""
    return _codec(stream).startswith("utf")


def _codec(stream: Any) -> str:
    try:
        return codecs.lookup(stream.encoding).name
    except (AttributeError, LookupError, TypeError):
        return ""


def echo_document(text: str) -> None:
    """Write the content of a file to standard output; unless that is a terminal, in UTF-8."""
    if sys.stdout.isatty():
        click.echo(text, nl=False)
    else:
        click.echo(text.encode("utf-8", "replace"), nl=False)
