"""The Markdown of a reply, which nothing that a model writes can break.

Text of a model is never markup, styles reach no further than their text, and what still cannot be
drawn is shown as plain text: a block that fails while it is painted by itself, and the whole reply
if it cannot be built.

Left out on purpose: tooltips of table cells, which Textual would parse as markup, and guessing the
language of code that names none.
"""

import logging
from typing import Any

from markdown_it.token import Token
from textual import events
from textual.app import ComposeResult
from textual.await_complete import AwaitComplete
from textual.content import Content, Span
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.style import Style
from textual.widgets import Label, Markdown, Static
from textual.widgets._markdown import (
    MarkdownTable,
    MarkdownTableCellContents,
    MarkdownTableContent,
    MarkdownTH,
    MarkdownUnorderedListItem,
)
from textual.widgets.markdown import MarkdownBlock, MarkdownFence

from store.i18n import _
from tui.text_format import harmless
from tui.theme import MUTED
from tui.views.markdown import DONE, chat_markdown
from tui.widgets.sides import Sides

MOST_COLORED = 20_000
"""Longest code in characters that is colored; a lexer can be slow on longer one."""

_log = logging.getLogger(__name__)


def bounded(content: Content) -> Content:
    """Return `content` without control characters, its styles known and within its text."""
    end = len(content.plain)
    spans = [
        Span(max(span.start, 0), min(span.end, end), span.style)
        for span in content.spans
        if span.start < end and span.end > 0 and _is_style(span.style)
    ]
    return Content(harmless(content.plain), spans)


def _is_style(style: Style | str) -> bool:
    if isinstance(style, Style) or style.startswith((".", "$")):
        return True
    try:
        Style.parse(style)
    except Exception:  # the themes of 16 colors name some that do not exist
        return False
    return True


def _guarded(kind: type[Any]) -> type[Any]:
    """Return `kind` of widget, showing its text without styles where it cannot be painted."""

    class Guarded(kind):
        def render_lines(self, crop: Region) -> list[Strip]:
            try:
                return super().render_lines(crop)
            except Exception:
                _log.warning("A part of a reply cannot be painted", exc_info=True)
            text = self.content
            self.update(Content(text.plain if isinstance(text, Content) else str(text)))
            try:
                return super().render_lines(crop)
            except Exception:
                return [Strip.blank(crop.width)] * crop.height

        def set_content(self, content: Content) -> None:
            super().set_content(bounded(content))

    return Guarded


class Code(MarkdownFence):
    """A code block under its language, its number and the command that copies it."""

    class Copied(Message):
        """The user clicked the line above the code."""

        def __init__(self, code: str) -> None:
            super().__init__()
            self.code = code

    def compose(self) -> ComposeResult:
        yield Sides(classes="code-title")
        yield _CodeText(self._highlighted_code, id="code-content", expand=True)

    def on_mount(self) -> None:
        replies = self.query_ancestor(Markdown)
        number = list(replies.query(Code)).index(self) + 1
        language = harmless(self.lexer.split()[0]) if self.lexer.strip() else _("text")
        hint = Content(f"/copy {number}").stylize(MUTED)
        self.query_one(Sides).show(Content(language).stylize(MUTED), hint)

    def on_click(self, event: events.Click) -> None:
        if isinstance(event.widget, Sides):
            event.stop()
            self.post_message(self.Copied(self.code))

    @classmethod
    def highlight(cls, code: str, language: str, ansi: bool = False, dark: bool = False) -> Content:
        name = language.split()[0] if language.strip() else ""
        if name and len(code) <= MOST_COLORED:
            try:
                return bounded(super().highlight(code, name, ansi, dark))
            except Exception:  # a lexer may raise anything
                _log.warning("Code in %s cannot be colored", name, exc_info=True)
        return Content(harmless(code))


_CodeText = _guarded(Label)
_Cell = _guarded(MarkdownTableCellContents)


class Table(MarkdownTable):
    """A table whose columns are aligned as the Markdown says."""

    def compose(self) -> ComposeResult:
        self._headers, self._rows = self._get_headers_and_rows()
        cells = (block for block in self._descendants() if isinstance(block, MarkdownTH))
        yield _Cells(self._headers, self._rows, [_alignment(cell._token) for cell in cells])

    def _descendants(self) -> list[MarkdownBlock]:
        found = [*self._blocks]
        for block in found:
            found += block._blocks
        return found


class _Cells(MarkdownTableContent):
    DEFAULT_CSS = """
    _Cells {
        keyline: none;
        grid-gutter: 0 2;
        & > .cell, & > .header { padding: 0; }
    }
    """

    def __init__(
        self, headers: list[Content], rows: list[list[Content]], aligned: list[str]
    ) -> None:
        super().__init__(headers, rows)
        self._aligned = aligned

    def compose(self) -> ComposeResult:
        yield from self._row(self.headers, "header")
        for number, row in enumerate(self.rows, 1):
            yield from self._row(row, f"row{number} cell")
        self.last_row = len(self.rows)

    def _row(self, cells: list[Content], classes: str) -> list[Static]:
        row: list[Static] = []
        for text, aligned in zip(cells, self._aligned, strict=False):
            cell: Static = _Cell(bounded(text), classes=classes)
            cell.styles.text_align = aligned  # type: ignore[assignment]
            row.append(cell)
        return row

    async def _update_rows(self, updated_rows: list[list[Content]]) -> None:
        """Replace the last row, which grows while the table is streamed, and add the new ones."""
        if not updated_rows:
            return
        await self.query_children(f".cell.row{self.last_row}").remove()
        for number, row in enumerate(updated_rows, max(self.last_row, 1)):
            await self.mount_all(self._row(row, f"row{number} cell"))
            self.last_row = number


def _alignment(token: Token) -> str:
    aligned = str(token.attrs.get("style") or "").removeprefix("text-align:")
    return aligned if aligned in ("center", "right") else "left"


class Item(MarkdownUnorderedListItem):
    """An item of a list, with a box instead of a bullet where it is a task."""

    def __init__(self, markdown: Markdown, token: Token, bullet: str) -> None:
        done = token.meta.get(DONE)
        super().__init__(markdown, token, bullet if done is None else "☑ " if done else "☐ ")


_OWN: dict[str, type[MarkdownBlock]] = {
    "list_item_unordered_open": Item,
    "table_open": Table,
    "fence": Code,
    "code_block": Code,
}


class ReplyText(Markdown):
    """A reply as Markdown; as plain text if that fails."""

    BLOCKS = {  # noqa: RUF012
        name: _OWN.get(name) or _guarded(kind) for name, kind in Markdown.BLOCKS.items()
    }

    def __init__(self, text: str) -> None:
        super().__init__(
            harmless(text), classes="reply", parser_factory=chat_markdown, open_links=False
        )
        self._plain: Static | None = None

    def update(self, markdown: str) -> AwaitComplete:
        return AwaitComplete(self._update(harmless(markdown)))

    def append(self, markdown: str) -> AwaitComplete:
        return AwaitComplete(self._append(harmless(markdown)))

    async def _update(self, text: str) -> None:
        try:
            if self._plain is not None:
                await self._plain.remove()
                self._plain = None
            await super().update(text)
        except Exception:
            await self._show_plain(text)

    async def _append(self, text: str) -> None:
        whole = self.source + text
        if self._plain is not None:
            self._markdown = whole
            self._plain.update(Content(whole))
            return
        try:
            await super().append(text)
        except Exception:
            await self._show_plain(whole)

    async def _show_plain(self, text: str) -> None:
        _log.warning("A reply cannot be shown as Markdown", exc_info=True)
        self._markdown = text
        if self.is_attached:
            self._plain = Static(Content(text), classes="plain")
            await self.remove_children()
            await self.mount(self._plain)
