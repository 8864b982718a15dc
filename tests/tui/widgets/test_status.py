"""The header: title, model, adapter version, use of the context, what there is to learn."""

import pytest

from tests.fakes import Home
from tests.tui.conftest import answered, opened, painted, say, until
from tui.app.tutee_app import TuteeApp

LONG = "What is the capital of France, and since when has it been that?"


def header(app: TuteeApp) -> str:
    return painted(app).split("\n")[0]


async def test_it_says_what_the_open_chat_is_called(home: Home) -> None:
    async with opened(home, size=(120, 24)) as (app, pilot):
        await until(pilot, lambda: "Fake-1 · base" in header(app))
        assert header(app).startswith(" Tutee ")
        await say(pilot, LONG)
        await answered(app, pilot, 1)
        assert header(app).startswith(" What is the capital of France, and since when")
        await say(pilot, "/title About [b]Paris[/b]")
        await until(pilot, lambda: header(app).startswith(" About [b]Paris[/b] "))
        await pilot.press("ctrl+n")
        assert header(app).startswith(" Tutee ")


@pytest.mark.parametrize("title", [LONG, "一个很长的标题" * 5])
async def test_a_long_title_leaves_room_for_the_rest(home: Home, title: str) -> None:
    async with opened(home) as (app, pilot):
        await say(pilot, title)
        await answered(app, pilot, 1)
        await until(pilot, lambda: "Fake-1 · base · " in header(app).partition("…")[2])
        assert header(app).endswith("0 to learn")
        await pilot.resize_terminal(160, 24)
        await until(pilot, lambda: header(app).startswith(f" {title[:25]}"))


async def test_it_says_how_much_of_the_context_is_in_use(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await until(pilot, lambda: " / 8k" in header(app))
        before = home.chat.context_use(app.workspace.session.context_messages())
        await say(pilot, "one two three")
        await answered(app, pilot, 1)
        await until(pilot, lambda: f" {before + 4} / 8k" in header(app))


async def test_a_narrow_terminal_leaves_the_model_out(home: Home) -> None:
    async with opened(home, size=(40, 20)) as (app, pilot):
        await until(pilot, lambda: "0 to learn" in header(app))
        assert "Fake-1" not in header(app)
        assert "Tutee" in header(app)
