"""The streams of the commands: what passes to a terminal, to a pipe, and to nobody."""

import io
import os
import sys

import click
import pytest

from tui.terminal.output import (
    CommandOutput,
    clear_line,
    redraw_line,
    safe_output,
    speaks_utf8,
    styled,
)


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_reply_is_harmless_however_it_is_cut() -> None:
    screen = Screen()
    for character in "a\x1b[2Jb\x1b]52;c;eA==\x07c\x9b\u202ed\n\té":
        CommandOutput(screen).write(character)
    assert screen.getvalue() == "a [2Jb ]52;c;eA== c  d\n\té"


def test_styles_of_our_own_pass_and_a_pipe_gets_everything() -> None:
    screen, pipe = Screen(), io.StringIO()
    styled(CommandOutput(screen)).write("\x1b[1mbold")
    CommandOutput(pipe).write("\x1b[1mraw")
    assert (screen.getvalue(), pipe.getvalue()) == ("\x1b[1mbold", "\x1b[1mraw")
    assert styled(pipe) is pipe


def test_a_line_is_redrawn_but_its_text_is_harmless(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    with safe_output():
        redraw_line("40 % of \x1b[2Jfile")
        click.echo("\x1b[2Jdone", err=True)
    assert screen.getvalue() == "\r\x1b[K40 % of  [2Jfile [2Jdone\n"
    assert sys.stderr is screen


def test_a_message_takes_the_place_of_a_line_being_redrawn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    screen, pipe = Screen(), io.StringIO()
    for stream in (screen, pipe):
        monkeypatch.setattr(sys, "stderr", stream)
        clear_line()
    assert (screen.getvalue(), pipe.getvalue()) == ("\r\x1b[K", "")


def test_a_reader_who_left_ends_the_command_quietly() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as pipe:
        output = CommandOutput(pipe)
        output.write("short")  # it is still buffered
        with pytest.raises(click.exceptions.Exit) as stop:
            output.flush()
        assert stop.value.exit_code == 0


@pytest.mark.parametrize(
    ("encoding", "every"), [("utf-8", True), ("UTF8", True), ("gbk", False), ("no-such", False)]
)
def test_who_can_show_every_character(encoding: str, every: bool) -> None:
    class Stream:
        def __init__(self) -> None:
            self.encoding = encoding

    assert speaks_utf8(Stream()) == every
