"""Localized help, and JSON output that is English in every language.

Commands keep their English help in the code, where click expects it; it is translated while the
help is formatted. Lines are wrapped by terminal cells, because click counts characters and a
Chinese one takes two cells. Click's own usage errors stay in English on purpose: translating them
would mean patching its private modules.
"""

import inspect
import re
from collections.abc import Iterable
from contextlib import nullcontext
from typing import Any

import click
from rich.cells import cell_len

from store.i18n import N_, _, using_language
from tui.text_format import shortened

_HEADINGS = {"Options": N_("Options:"), "Commands": N_("Commands:")}
_BUILT_IN = (N_("Show this message and exit."), N_("Show the version and exit."))
"""Help of click's own options, listed for the catalog."""

_OPENING = "（《「『“"
_CLOSING = "，。；：、！？）》」』”…"
_WORD = re.compile(rf"\s+|[{_OPENING}]*(?:[^\s{_OPENING}\u2e80-\uffef]+|.)[{_CLOSING}]*")
"""The smallest unit kept on one line: a word or one wide character, with its punctuation."""


class _Formatter(click.HelpFormatter):
    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        super().write_usage(prog, args, prefix or f"{_('Usage:')} ")

    def write_heading(self, heading: str) -> None:
        heading = _(_HEADINGS.get(heading, f"{heading}:"))
        self.write(f"{'':>{self.current_indent}}{heading}\n")

    def write_text(self, text: str) -> None:
        indent = " " * self.current_indent
        width = self.width - self.current_indent
        paragraphs = (wrapped(paragraph, width) for paragraph in _(text).split("\n\n"))
        lines = ("\n".join(indent + line for line in paragraph) for paragraph in paragraphs)
        self.write("\n\n".join(lines) + "\n")

    def write_dl(
        self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2
    ) -> None:
        rows = list(rows)
        first = min(max(len(term) for term, _text in rows), col_max) + col_spacing
        width = max(self.width - first - 2, 10)
        super().write_dl([(term, _cell(text, width)) for term, text in rows], col_max, col_spacing)


def _cell(text: str, width: int) -> str:
    """Translate and wrap the second column of one row; `[required]` and the like stay English."""
    text, gap, extra = text.partition("  [")
    # click does not wrap a paragraph that starts with \b.
    return "\b\n" + "\n".join(wrapped(_(text) + gap + extra, width)) if text else ""


def wrapped(text: str, width: int) -> list[str]:
    """Split one paragraph into lines of at most `width` cells, where its words allow that."""
    lines, line = [], ""
    for word in _WORD.findall(" ".join(text.split())):
        if line and cell_len(line + word.rstrip()) > width:
            lines.append(line.rstrip())
            line = ""
        line += word if line else word.lstrip()
    return [*lines, line.rstrip()]


class _Context(click.Context):
    formatter_class = _Formatter


class LocalizedCommand(click.Command):
    """A command whose help follows the language and whose JSON output does not."""

    context_class = _Context

    def get_short_help_str(self, limit: int = 45) -> str:
        paragraph = _(inspect.cleandoc(self.help or "")).partition("\n\n")[0]
        return shortened(re.split(r"\.\s|\.$|。", paragraph)[0], limit)

    def invoke(self, ctx: click.Context) -> Any:
        json = ctx.params.get("as_json") or ctx.params.get("form") == "json"
        with using_language("en") if json else nullcontext():
            return super().invoke(ctx)


class LocalizedGroup(LocalizedCommand, click.Group):
    command_class = LocalizedCommand
