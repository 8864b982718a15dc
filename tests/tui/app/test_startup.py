"""The first frame: shown before the home is open, and keeping what is typed meanwhile."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.screen_config import screen_table
from store.errors import TuteeError
from tests.fakes import Home
from tests.tui.conftest import answered, painted, transcript, until, views
from tui.app.tutee_app import TuteeApp
from tui.screens.opening import OpeningScreen
from tui.services import Services
from tui.widgets.prompt import Prompt

pytestmark = pytest.mark.waits


class Door:
    """Opens a home on demand."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self.let_in = threading.Event()
        self.error: Exception | None = None

    def enter(self) -> Services:
        self.let_in.wait(30)
        if self.error is not None:
            raise self.error
        return self._home.services()


@pytest.fixture
def door(home: Home) -> Iterator[Door]:
    made = Door(home)
    yield made
    made.let_in.set()
    home.chat.close(5.0)
    home.tuning.close(5.0)


async def test_what_is_written_while_the_home_is_opened_reaches_the_chat(
    door: Door, home: Home
) -> None:
    app = TuteeApp(home.paths, "auto", door.enter)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "Opening your chats and records…" in painted(app))
        for key in ("f1", "f2", "f5", "f7", "f9", "ctrl+p", "ctrl+r", "ctrl+c"):
            await pilot.press(key)
        assert isinstance(app.screen, OpeningScreen)
        await pilot.press(*"One?", "enter", *"Two?", "enter", *"half")
        assert "Will be sent" in painted(app)
        door.let_in.set()
        await until(pilot, lambda: app.open)
        prompt = app.screen.query_one(Prompt)
        assert app.focused is prompt
        assert prompt.text == "half"
        await answered(app, pilot, 2)
        assert [turns[-1].content for turns in home.chat.prompts] == ["One?", "Two?"]
        await pilot.press("ctrl+u", "up")
        assert prompt.text == "Two?"
        assert "Opening" not in painted(app)


async def test_the_editor_can_be_had_while_the_home_is_opened(
    door: Door, home: Home, editor: Path
) -> None:
    app = TuteeApp(home.paths, "auto", door.enter)
    async with app.run_test() as pilot:
        await until(pilot, lambda: isinstance(app.screen, OpeningScreen))
        await pilot.press(*"half", "ctrl+g")
        assert app.screen.query_one(Prompt).text == "half and\n更多"
        door.let_in.set()
        await until(pilot, lambda: app.open)
        assert app.screen.query_one(Prompt).text == "half and\n更多"


async def test_an_earlier_chat_is_there_from_the_start(door: Door, home: Home) -> None:
    talk = home.repository.start_conversation()
    home.repository.add_message(talk.id, "user", "What is tea?")
    home.repository.add_message(talk.id, "assistant", "A drink.")

    def enter() -> Services:
        services = door.enter()
        services.open_chat = talk.id
        return services

    app = TuteeApp(home.paths, "auto", enter)
    door.let_in.set()
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: app.open and views(app))
        assert views(app)[0].text == "A drink."
        assert not transcript(app).query("#welcome")


async def test_a_home_that_cannot_be_opened_ends_the_app_and_says_why(
    door: Door, home: Home
) -> None:
    door.error = TuteeError("Another Tutee is using it.")
    app = TuteeApp(home.paths, "auto", door.enter)
    async with app.run_test() as pilot:
        door.let_in.set()
        await until(pilot, lambda: app.refused)
    assert app.refused is door.error
    assert app.return_value is True, "no thread is left behind"


async def test_one_can_leave_while_the_home_is_opened(door: Door, home: Home) -> None:
    app = TuteeApp(home.paths, "auto", door.enter)
    async with app.run_test() as pilot:
        await pilot.press("ctrl+c", "ctrl+c")
        await until(pilot, lambda: app._exit)
    assert app.return_value is False, "the thread that reads is still there"


@pytest.mark.parametrize(
    ("text", "theme"),
    [
        ("", None),
        ('[screen]\ntheme = "nord"\n', "nord"),
        ('screen = "nord"\n', None),
        ('[screen\ntheme = "nord"', None),
    ],
)
def test_the_first_frame_has_the_theme_of_the_settings(
    tmp_path: Path, text: str, theme: str | None
) -> None:
    path = tmp_path / "config.toml"
    assert screen_table(path) == {}
    path.write_text(text)
    assert screen_table(path).get("theme") == theme


@pytest.mark.parametrize(
    ("theme", "shown"), [("nord", "tutee-nord"), ("auto", "tutee-light"), ("pink", "textual-dark")]
)
async def test_a_theme_nobody_knows_is_left_to_the_check_of_the_settings(
    door: Door, home: Home, theme: str, shown: str
) -> None:
    app = TuteeApp(home.paths, theme, door.enter, light=True)
    async with app.run_test():
        assert app.theme == shown
