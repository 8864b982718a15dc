"""The first start: a model is chosen once, the built-in one unless the person says otherwise."""

import tomllib
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, OptionList

from store.errors import TuteeError
from store.repository import Repository
from tests.fakes import Home
from tests.hub import Hub
from tests.tui.conftest import answered, opened, painted, say, toasts, until
from tui.app.tutee_app import TuteeApp
from tui.commands.key_help import help_sections
from tui.run import run_app
from tui.screens.chat import ChatScreen
from tui.screens.load_failure import LoadFailureScreen
from tui.screens.welcome import WelcomeScreen

SPEC = "hf:org/Tiny-Chat"


@pytest.fixture
def new(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """Somebody who never chose a model, with a cache that has the built-in one."""
    cache = tmp_path / "cache"
    (cache / "models" / "smollm2-135m-instruct").mkdir(parents=True)
    home.paths = home.paths.__class__(**{**home.paths.__dict__, "cache": cache})
    services = home.services
    monkeypatch.setattr(home, "services", lambda: _new(services()))
    return home


def _new(services: Any) -> Any:
    services.new = True
    return services


async def welcomed(app: TuteeApp, pilot: Pilot[Any]) -> None:
    await until(pilot, lambda: isinstance(app.screen, WelcomeScreen) and app.screen.is_mounted)


def chosen(home: Home) -> str:
    if not home.paths.config_file.exists():
        return ""
    return str(tomllib.loads(home.paths.config_file.read_text())["chat"]["model"])


@pytest.mark.parametrize("key", ["enter", "escape", "ctrl+o"])
async def test_the_built_in_model_is_one_key_away(new: Home, key: str) -> None:
    async with opened(new) as (app, pilot):
        await welcomed(app, pilot)
        await until(pilot, lambda: "Welcome to Tutee. Which model" in painted(app))
        assert app.screen.query_one("#models", OptionList).highlighted == 0
        assert new.chat.specs == [], "nothing is loaded before the choice"
        await pilot.press(key)
        await until(pilot, lambda: isinstance(app.screen, ChatScreen))
        await until(pilot, lambda: chosen(new) == "builtin", "it is not asked for again")
        assert new.chat.specs == ["builtin"]
        await say(pilot, "Hello?")
        await answered(app, pilot, 1)


async def test_any_other_is_fetched_while_one_looks_at_the_chat(new: Home, hub: Hub) -> None:
    async with opened(new) as (app, pilot):
        await welcomed(app, pilot)
        app.screen.query_one("#other Input", Input).value = SPEC
        app.screen.query_one("#other Input", Input).focus()
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, ChatScreen))
        await say(pilot, "Hello?")
        await answered(app, pilot, 1)
        assert chosen(new) == SPEC
        assert new.chat.specs == [SPEC]


async def test_what_cannot_be_had_is_told_and_the_choice_comes_back(new: Home, hub: Hub) -> None:
    async with opened(new) as (app, pilot):
        await welcomed(app, pilot)
        field = app.screen.query_one("#other Input", Input)
        field.focus()
        field.value = "/no/such/folder"
        await pilot.press("enter")
        await until(pilot, lambda: "There is no model folder" in toasts(app))
        assert isinstance(app.screen, WelcomeScreen)
        field.value = "hf:org/Nothing"
        await pilot.press("enter")
        await until(pilot, lambda: "There is no model org/Nothing" in toasts(app))
        await welcomed(app, pilot)
        assert chosen(new) == ""
        await pilot.press("escape")
        await until(pilot, lambda: chosen(new) == "builtin")


async def test_the_first_fetch_can_be_stopped_and_the_choice_comes_back(
    new: Home, hub: Hub
) -> None:
    hub.held["model.safetensors"] = Event()
    async with opened(new) as (app, pilot):
        await welcomed(app, pilot)
        app.screen.query_one("#other Input", Input).value = SPEC
        app.screen.query_one("#other Input", Input).focus()
        await pilot.press("enter")
        await until(pilot, lambda: "Fetching org/Tiny-Chat" in painted(app))
        await pilot.press("ctrl+o")
        await until(pilot, lambda: "no model loaded yet" in painted(app))
        assert "●" not in painted(app)
        await pilot.press("ctrl+x")
        await until(pilot, lambda: "was stopped" in toasts(app))
        await welcomed(app, pilot)
        assert f"◐ {SPEC}" in painted(app)
        hub.held.pop("model.safetensors").set()
        await pilot.press("enter")  # what was begun is marked
        await until(pilot, lambda: chosen(new) == SPEC)
        await until(pilot, lambda: isinstance(app.screen, ChatScreen))


async def test_one_that_cannot_be_loaded_gives_way_to_the_next_choice(new: Home) -> None:
    async with opened(new) as (app, pilot):
        await welcomed(app, pilot)
        new.chat.fail_loading(TuteeError("The weights are damaged."))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, LoadFailureScreen))
        await pilot.press("ctrl+o")
        await until(pilot, lambda: app.screen.query("#models"))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, ChatScreen))
        assert chosen(new) == "builtin"


@pytest.mark.parametrize(
    ("done", "asked"),
    [
        ("nothing", True),
        ("config", False),
        ("question", True),
        ("reply", False),
        ("named", False),
    ],
)
def test_only_who_is_new_is_asked(
    home: Home, monkeypatch: pytest.MonkeyPatch, done: str, asked: bool
) -> None:
    paths = home.paths
    home.close()
    if done == "config":
        paths.config_file.write_text("")
    if done in ("question", "reply"):
        with Repository.open(paths) as repository:
            chat = repository.start_conversation().id
            repository.add_message(chat, "user", "Hello?")  # while the first model was fetched
            if done == "reply":
                repository.add_message(chat, "assistant", "Hello.")
    seen: list[bool] = []

    def run(app: TuteeApp) -> bool:
        seen.append(app.startup.enter().new)
        return True

    monkeypatch.setattr(TuteeApp, "run", run)
    run_app(paths, "builtin" if done == "named" else None)
    assert seen == [asked]


async def test_help_says_each_key_once(new: Home) -> None:
    async with opened(new) as (app, pilot):
        await welcomed(app, pilot)
        said = [view for views in help_sections(app.screen, {}).values() for view in views]
        assert [view.does for view in said if "Ctrl+O" in view.keys] == ["Built-in model"]
