"""The header: title, model, adapter version, feedback counts."""

import pytest

from tests.fakes import Home
from tests.tui.conftest import answered, opened, painted, say, until
from tui.app.tutee_app import TuteeApp

LONG = "What is the capital of France, and since when has it been that?"


def header(app: TuteeApp) -> str:
    return painted(app).split("\n")[0]


async def test_it_says_what_the_open_chat_is_called(home: Home) -> None:
    async with opened(home, size=(120, 24)) as (app, pilot):
        await until(pilot, lambda: "Tutee · Fake-1 · base" in header(app))
        await say(pilot, LONG)
        await answered(app, pilot, 1)
        assert header(app).startswith(" What is the capital of France, and since when")
        await say(pilot, "/title About [b]Paris[/b]")
        await until(pilot, lambda: "About [b]Paris[/b] · Fake-1 · base" in header(app))
        await pilot.press("ctrl+n")
        assert header(app).startswith(" Tutee · Fake-1 · base")


@pytest.mark.parametrize("title", [LONG, "一个很长的标题" * 5])
async def test_a_long_title_leaves_room_for_the_rest(home: Home, title: str) -> None:
    async with opened(home) as (app, pilot):
        await say(pilot, title)
        await answered(app, pilot, 1)
        await until(pilot, lambda: "… · Fake-1 · base" in header(app))
        assert header(app).endswith("0 new")
        await pilot.resize_terminal(160, 24)
        await until(pilot, lambda: header(app).startswith(f" {title[:25]}"))
