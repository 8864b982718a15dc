"""The words of the command line: help in the person's language, and JSON the same in all of them.

The help of commands and options stands in the code as click wants it, in English, and is put into
the person's language when it is shown. What click itself says goes the same way: its modules take
their `_` from gettext, and get ours instead. Lines are broken by terminal cells, of which a Chinese
character takes two; click counts characters.

A command that is asked for JSON speaks English, so that programs find the same texts everywhere.
"""

import inspect
import re
from collections.abc import Iterable
from contextlib import nullcontext
from copy import copy
from typing import Any, TypeVar

import click
import click.types
from click import core, decorators, exceptions, formatting, parser, termui
from rich.cells import cell_len

from store import i18n
from store.i18n import N_, _, ngettext
from tui.text_format import shortened

_Command = TypeVar("_Command", bound=click.Command)

AGAIN = N_("{help} May be given several times.")
"""The help of such an option."""

_OPENING = "（《「『“"
_CLOSING = "，。；：、！？）》」』”…"
_WORD = re.compile(rf"\s+|[{_OPENING}]*(?:[^\s{_OPENING}{_CLOSING}\u2e80-\uffef]+|.)[{_CLOSING}]*")
"""What stands on one line: a word, or one wide character, with its punctuation."""


class _Told(click.Command):
    """Puts the help of a command into the person's language."""

    def get_help(self, ctx: click.Context) -> str:
        if i18n.spoken() == "en":
            return super().get_help(ctx)
        formatter = _Formatter(width=ctx.terminal_width, max_width=ctx.max_content_width)
        _translated(self).format_help(ctx, formatter)
        return formatter.getvalue().rstrip("\n")

    def get_short_help_str(self, limit: int = 45) -> str:
        told = _(inspect.cleandoc(self.help or ""))
        if i18n.spoken() == "en":
            return super().get_short_help_str(limit)
        sentence = told.partition("\n\n")[0].partition("。")[0]
        return shortened(sentence, limit)

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        option = super().get_help_option(ctx)
        if option:  # click keeps it in the language it was first made in
            option.help = _("Show this message and exit.")
        return option

    def invoke(self, ctx: click.Context) -> Any:
        json = ctx.params.get("as_json") or ctx.params.get("form") == "json"
        with i18n.speaking("en") if json else nullcontext():
            return super().invoke(ctx)


class Command(_Told):
    """A command of Tutee."""


class Group(_Told, click.Group):
    """A command of Tutee that has others below it."""

    command_class = Command


def _translated(command: _Command) -> _Command:
    """`command` with its help in the person's language."""
    told = copy(command)
    told.help = _(inspect.cleandoc(command.help or "")) or None
    told.params = [copy(param) for param in command.params]
    for param in told.params:
        if isinstance(param, click.Option) and param.help:
            own = param.help.removesuffix(AGAIN.removeprefix("{help}"))
            told_once = _(own)
            param.help = _(AGAIN).format(help=told_once) if own != param.help else told_once
    return told


class _Formatter(click.HelpFormatter):
    """Breaks lines by terminal cells, and sets colons as wide as the text."""

    def write_heading(self, heading: str) -> None:
        self.write(f"{'':>{self.current_indent}}{heading}：\n")

    def write_text(self, text: str) -> None:
        width = self.width - self.current_indent
        paragraphs = (broken(part, width) for part in text.split("\n\n"))
        indent = " " * self.current_indent
        written = ("\n".join(indent + line for line in lines) for lines in paragraphs)
        self.write("\n\n".join(written) + "\n")

    def write_dl(
        self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2
    ) -> None:
        rows = list(rows)
        first = min(max(cell_len(term) for term, _help in rows), col_max) + col_spacing
        width = max(self.width - first - 2, 10)
        # A paragraph that begins so is not broken again.
        laid = [(term, told and "\b\n" + "\n".join(broken(told, width))) for term, told in rows]
        super().write_dl(laid, col_max, col_spacing)


def broken(text: str, width: int) -> list[str]:
    """The lines of one paragraph, each at most `width` cells where its words allow that."""
    lines, line = [], ""
    for word in _WORD.findall(" ".join(text.split())):
        if line and cell_len(line + word.rstrip()) > width:
            lines.append(line.rstrip())
            line = ""
        line += word if line else word.lstrip()
    return [*lines, line.rstrip()]


# -- what click says -------------------------------------------------------------------------------

_CLICK = (
    N_("Usage:"),
    N_("Options"),
    N_("Commands"),
    N_("Show the version and exit."),
    N_("Error: {message}"),
    N_("Error: invalid input"),
    N_("Try '{command} {option}' for help."),
    N_("Missing command."),
    N_("Missing argument"),
    N_("required"),
    N_("Missing option"),
    N_("No such option {name!r}."),
    N_("No such command {name!r}."),
    N_("Option {name!r} does not take a value."),
    N_("Invalid value: {message}"),
    N_("Invalid value for {param_hint}: {message}"),
    N_("{value!r} is not a valid {number_type}."),
    N_("{value} is not in the range {range}."),
    N_("{name} {filename!r} does not exist."),
    N_("{name} {filename!r} is a directory."),
    ngettext("{value!r} is not {choice}.", "{value!r} is not one of {choices}.", 2),
    ngettext(
        "Got unexpected extra argument ({args})", "Got unexpected extra arguments ({args})", 2
    ),
    ngettext(
        "Option {name!r} requires an argument.", "Option {name!r} requires {nargs} arguments.", 1
    ),
    ngettext("Did you mean {possibility}?", "(Did you mean one of: {possibilities}?)", 1),
)
"""What it can say of our commands, in its own wording, so that the catalog has it."""


def speak_click() -> None:
    """Have click take its words from our catalog."""
    for module in (core, decorators, exceptions, formatting, parser, termui, click.types):
        for name in ("_", "ngettext"):
            if hasattr(module, name):
                setattr(module, name, getattr(i18n, name))
