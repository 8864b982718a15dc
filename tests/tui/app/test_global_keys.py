"""Keys that work on every screen, or say why not."""

from functools import partial
from typing import Any

import pytest
from textual.screen import Screen

from tests.fakes import Home
from tests.tui.conftest import answered, opened, painted, say, toasts, until
from tests.tui.screens.test_tuning import ready, teach
from tui.app.tutee_app import TuteeApp
from tui.screens.chat import ChatScreen
from tui.screens.compare import CompareScreen
from tui.screens.conversations import ConversationsScreen
from tui.screens.correct import CorrectScreen
from tui.screens.export_records import ExportScreen
from tui.screens.models import ModelsScreen
from tui.screens.records import RecordsScreen
from tui.screens.settings import SettingsScreen
from tui.screens.tuning import TuningScreen
from tui.widgets.prompt import Prompt

SCREENS: dict[str, type[Screen[Any]]] = {
    "f5": TuningScreen,
    "f6": CompareScreen,
    "f7": RecordsScreen,
    "f8": ExportScreen,
    "f9": SettingsScreen,
    "ctrl+o": ModelsScreen,
    "ctrl+r": ConversationsScreen,
}


def shows(app: TuteeApp, kind: type[Screen[Any]]) -> bool:
    return isinstance(app.screen, kind)


@pytest.fixture
def suspended(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    calls: list[str] = []
    monkeypatch.setattr(TuteeApp, "action_suspend_process", lambda self: calls.append("now"))
    return calls


@pytest.mark.parametrize("start", ["f5", "f6", "f7", "f9", "ctrl+o"])
async def test_every_screen_opens_from_every_other(home: Home, start: str) -> None:
    teach(home, 2)
    async with opened(home) as (app, pilot):
        await ready(app, pilot)
        for key, screen in SCREENS.items():
            if key == start:
                continue
            await pilot.press(start)
            await until(pilot, lambda: isinstance(app.screen, SCREENS[start]), start)
            await pilot.press(key)
            await until(pilot, partial(shows, app, screen), f"{start} {key}")
            await pilot.press("ctrl+n" if key != "ctrl+r" else "escape")
            await until(pilot, lambda: isinstance(app.screen, ChatScreen), f"{start} {key} back")


async def test_a_screen_below_another_is_returned_to(home: Home) -> None:
    teach(home, 2)
    async with opened(home) as (app, pilot):
        await ready(app, pilot)
        await pilot.press("f7", "f5", "f9", "f7")
        await until(pilot, lambda: isinstance(app.screen, RecordsScreen))
        assert [type(screen) for screen in app.screen_stack] == [ChatScreen, RecordsScreen]


async def test_a_new_chat_is_begun_from_anywhere(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await say(pilot, "Hello")
        await answered(app, pilot, 1)
        await pilot.press("f7", "f5", "ctrl+n")
        await until(pilot, lambda: isinstance(app.screen, ChatScreen))
        await until(pilot, lambda: "Paris." not in painted(app))


async def test_rating_elsewhere_says_where(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await pilot.press("f7", "f2")
        await until(pilot, lambda: "Rate replies in the chat" in toasts(app))


async def test_a_dialog_says_that_it_comes_first(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await say(pilot, "Hello")
        await answered(app, pilot, 1)
        await pilot.press("f4")
        await until(pilot, lambda: isinstance(app.screen, CorrectScreen))
        for key in ("f5", "f7", "ctrl+n", "ctrl+o"):
            await pilot.press(key)
            assert isinstance(app.screen, CorrectScreen)
        await until(pilot, lambda: "Esc closes this dialog first." in toasts(app))


async def test_ctrl_z_suspends_where_nothing_is_to_undo(home: Home, suspended: list[str]) -> None:
    async with opened(home) as (app, pilot):
        await pilot.press("x", "ctrl+z")
        assert app.screen.query_one(Prompt).text == ""
        assert suspended == []
        await pilot.press("ctrl+z")
        assert len(suspended) == 1
        await say(pilot, "Hello")
        await answered(app, pilot, 1)
        await pilot.press("ctrl+z")
        assert len(suspended) == 2, "what was sent is not undone"
        await pilot.press("f7", "ctrl+z")
        assert len(suspended) == 3
        await pilot.press("f7", "ctrl+p")
        await pilot.pause()
        await pilot.press("ctrl+z")
        assert len(suspended) == 4
        await pilot.press("escape", "escape", "plus", "ctrl+z")
        assert len(suspended) == 4, "there is something to undo"
        assert home.repository.records() == []


async def test_ctrl_u_clears_all_of_the_prompt_and_undo_restores_it(home: Home) -> None:
    async with opened(home) as (app, pilot):
        prompt = app.screen.query_one(Prompt)
        prompt.insert("one\ntwo " + "word " * 100)
        before = prompt.text
        await pilot.press("ctrl+u")
        assert prompt.text == ""
        await pilot.press("ctrl+z")
        assert prompt.text == before


async def test_a_key_with_nothing_to_act_on_is_silent(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await ready(app, pilot)
        await say(pilot, "Hi")
        await answered(app, pilot, 1)
        await pilot.press("ctrl+u", "enter", "escape", "enter", "ctrl+u")
        await pilot.pause()
        assert not toasts(app)
