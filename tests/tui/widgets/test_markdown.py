"""A reply as Markdown: nothing in it ends the app, and what fails is shown as plain text."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pygments.lexers import get_all_lexers  # type: ignore[import-untyped]
from textual import events
from textual.app import App, ComposeResult
from textual.content import Content, Span
from textual.css.styles import RulesMap
from textual.geometry import Region
from textual.pilot import Pilot
from textual.style import Style
from textual.visual import RenderOptions
from textual.widgets import Markdown, Static

from tests import nasty
from tests.fakes import Home
from tests.tui.conftest import opened
from tui.text_format import harmless
from tui.views.markdown import code_blocks
from tui.widgets.markdown import Code, ReplyText, bounded
from tui.widgets.sides import Sides

ALIASES = sorted(alias for _, aliases, *_rest in get_all_lexers() for alias in aliases)
TABLE = "| Name | Cost |\n|:--|--:|\n| [/etc/passwd] | 12 |\n| ([sys:LOCK=SAFE…]) | 3 |"
INI = "```ini\nkeybind = alt+arrow_left=text:\\\n```"


class One(App[None]):
    """One reply and nothing else."""

    def __init__(self, text: str = "") -> None:
        super().__init__()
        self.text = text

    def compose(self) -> ComposeResult:
        yield ReplyText(self.text)

    @property
    def reply(self) -> ReplyText:
        return self.query_one(ReplyText)


@asynccontextmanager
async def drawn(text: str = "", width: int = 60) -> AsyncIterator[tuple[One, Pilot[None]]]:
    app = One(text)
    async with app.run_test(size=(width, 30), tooltips=True) as pilot:
        await pilot.pause()
        yield app, pilot


def painted(app: App[Any]) -> str:
    return "\n".join(strip.text.rstrip() for strip in app.screen._compositor.render_strips())


async def test_nothing_a_model_writes_ends_the_app() -> None:
    async with drawn() as (app, pilot):
        for number, text in enumerate(nasty.strings(30)):
            await app.reply.update(text)
            await app.reply.update("")
            for start in range(0, len(text), 40):
                await app.reply.append(text[start : start + 40])
            for widget in app.reply.query("*"):
                app.screen._handle_tooltip_timer(widget)
            if number % 8 == 0:
                await pilot.resize_terminal(7 + number % 90, 20)
            await pilot.hover(ReplyText)
            left = set(painted(app)) - {"\n"}
            assert not {c for c in left if harmless(c) != c}, text


@pytest.mark.parametrize("theme", ["textual-dark", "ansi-dark", "ansi-light"])
@pytest.mark.parametrize(
    "text", [TABLE, INI, "```html\n<a b='c'>\n```", "```python\nx.__add__(`1`)\n```"]
)
async def test_code_and_tables_are_drawn_in_every_theme(text: str, theme: str) -> None:
    async with drawn(text) as (app, pilot):
        app.theme = theme
        await pilot.pause()
        assert not app.query(".plain")
        words = ("[/etc/passwd]", "alt+arrow_left", "<a b", "__add__")
        assert any(word in painted(app) for word in words)


async def test_a_cell_has_no_tooltip() -> None:
    async with drawn(TABLE) as (app, _pilot):
        assert [w for w in app.reply.query("*") if w.tooltip is not None] == []


@given(code=st.text(), language=st.sampled_from(ALIASES))
def test_code_of_any_language_is_drawn(code: str, language: str) -> None:
    content = Code.highlight(code, language)
    content.render_strips(20, None, Style(), RenderOptions(lambda style: Style(), RulesMap()))


@given(
    text=st.text(),
    spans=st.lists(st.tuples(st.integers(-5, 40), st.integers(-5, 40), st.text(max_size=9))),
)
def test_styles_end_with_their_text(text: str, spans: list[tuple[int, int, str]]) -> None:
    found = bounded(Content(text, [Span(*span) for span in spans]))
    end = len(found.plain)
    assert all(0 <= span.start <= span.end <= end for span in found.spans)


async def test_a_reply_that_cannot_be_built_is_plain_text(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with drawn("# One") as (app, pilot):

        def fail(*_: object) -> None:
            raise IndexError("a defect")

        monkeypatch.setattr(Markdown, "_parse_markdown", fail)
        await app.reply.update("# Two [/x]")
        assert "# Two [/x]" in painted(app)
        await app.reply.append("\nand more")
        await pilot.pause()
        assert "and more" in painted(app)
        monkeypatch.undo()
        await app.reply.update("# Three")
        await pilot.pause()
        assert "Three" in painted(app)
        assert "# Three" not in painted(app)


async def test_a_block_that_cannot_be_painted_is_plain_text(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with drawn("It **fails**.\n\nIt holds.") as (app, pilot):
        render_lines = Static.render_lines

        def fail(self: Static, crop: Region) -> Any:
            if isinstance(self.content, Content) and any(
                span.style == ".strong" for span in self.content.spans
            ):
                raise RuntimeError("generator raised StopIteration")
            return render_lines(self, crop)

        monkeypatch.setattr(Static, "render_lines", fail)
        app.refresh(layout=True)
        await pilot.resize_terminal(50, 20)
        assert "It fails." in painted(app)
        assert "It holds." in painted(app)


async def test_columns_are_aligned_as_written() -> None:
    async with drawn(TABLE) as (app, _pilot):
        cells = [cell for cell in app.reply.query(".cell") if str(cell.render()) in ("12", "3")]
        assert [cell.styles.text_align for cell in cells] == ["right", "right"]
        assert "│" not in painted(app)


async def test_a_table_grows_as_it_is_streamed() -> None:
    async with drawn() as (app, pilot):
        for start in range(0, len(TABLE), 3):
            await app.reply.append(TABLE[start : start + 3])
        await pilot.pause()
        assert painted(app).count("[/etc/passwd]") == 1
        assert "([sys:LOCK=SAFE…])" in painted(app)


async def test_tasks_have_a_box() -> None:
    async with drawn("- [ ] sow\n- [x] reap\n- [y] eat") as (app, _pilot):
        assert "☐ sow" in painted(app)
        assert "☑ reap" in painted(app)
        assert "[y] eat" in painted(app)


async def test_code_blocks_are_numbered_and_named() -> None:
    fenced = "```python\na\n```\n\n- in a list:\n  ```sh title=x\n  b\n  ```\n\nand\n\n"
    text = f"{fenced}    c\n\n~~~\nd\n~~~"
    async with drawn(text) as (app, _pilot):
        titles = [str(block.query_one(Sides).render()).split() for block in app.query(Code)]
        assert titles == [
            ["python", "/copy", "1"],
            ["sh", "/copy", "2"],
            ["text", "/copy", "3"],
            ["text", "/copy", "4"],
        ]
        assert code_blocks(text) == ("a", "b", "c", "d")


async def test_a_mouse_on_what_was_just_removed_ends_nothing(home: Home) -> None:
    async with opened(home) as (app, pilot):
        screen = app.screen
        gone = Static("gone")
        await screen.mount(gone)
        await pilot.pause()
        await gone.remove()
        screen.get_widget_and_offset_at = lambda x, y: (gone, (0, 0))  # type: ignore[method-assign, assignment, return-value]
        for kind in (events.MouseDown, events.MouseMove, events.MouseUp):
            app.post_message(kind(None, 5, 5, 1, 1, 1, False, False, False))
        await pilot.press("a")
        assert app.is_running
