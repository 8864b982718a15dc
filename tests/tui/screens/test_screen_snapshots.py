"""What the screens around the chat look like, held as pictures; `pytest --snapshot-update` renews
them."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from core.config import Config
from tests.fakes import Home
from tests.tui.conftest import answered, painted, say, until, views
from tests.tui.screens.test_settings import settings
from tests.tui.screens.test_snapshots import held
from tui.app.tutee_app import TuteeApp
from tui.screens.log import LogScreen
from tui.screens.theme import ThemeScreen
from tui.screens.welcome import WelcomeScreen
from tui.services import Services

SIZES = [(80, 24), (200, 60)]

Script = Callable[[TuteeApp, Pilot[Any]], Awaitable[None]]


async def _loaded(app: TuteeApp, pilot: Pilot[Any]) -> None:
    await until(pilot, lambda: "Fake-1" in painted(app))


async def _settings(app: TuteeApp, pilot: Pilot[Any]) -> None:
    await _loaded(app, pilot)
    await settings(app, pilot)
    await until(pilot, lambda: "System prompt" in painted(app))
    app.screen.query_one("#settings-title", Static).update("Settings")  # the path is the test's own
    await until(pilot, lambda: app.screen.query_one("#settings").max_scroll_y > 0)
    await pilot.press("down", "down", "down", "end", "5")


async def _theme(app: TuteeApp, pilot: Pilot[Any]) -> None:
    await say(pilot, "/theme")
    await until(pilot, lambda: isinstance(app.screen, ThemeScreen))


async def _help(app: TuteeApp, pilot: Pilot[Any]) -> None:
    await say(pilot, "Hello")
    await answered(app, pilot, 1)
    await pilot.press("escape", "f1")
    await until(pilot, lambda: "On a reply" in painted(app))


async def _edit(app: TuteeApp, pilot: Pilot[Any]) -> None:
    await say(pilot, "Capital of Frence?")
    await until(pilot, lambda: len(views(app)) == 1)
    await pilot.press("escape", "e")
    await until(pilot, lambda: app.focused is not None and app.focused.id == "prompt")


async def _log(app: TuteeApp, pilot: Pilot[Any]) -> None:
    await _loaded(app, pilot)
    moment = datetime(2026, 1, 1, 12, tzinfo=UTC)
    lines = [
        "Started: SFT, reward model.",
        "SFT: checked 59 samples; 2,189 of 5,625 tokens are learned, 0% padding.",
        "SFT: step 12 of 24, loss 0.83.",
        "SFT made v1.",
    ]
    app.workspace.tuner.run.log += [
        (moment + timedelta(seconds=9 * n), line) for n, line in enumerate(lines)
    ]
    await pilot.press("f5", "g")
    await until(pilot, lambda: isinstance(app.screen, LogScreen) and app.screen.is_mounted)
    app.screen.query_one("#log-title", Static).update("Log")  # the path is the test's own


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("script", [_settings, _theme, _help, _edit, _log])
def test_what_it_looks_like(
    home: Home, snap_compare: Any, script: Script, size: tuple[int, int]
) -> None:
    assert held(home, snap_compare, script, terminal_size=size)


@pytest.mark.parametrize("size", SIZES)
def test_the_first_steps(home: Home, snap_compare: Any, size: tuple[int, int]) -> None:
    home.config = Config()
    assert held(home, snap_compare, _loaded, terminal_size=size)


@pytest.fixture
def alone(home: Home, tmp_path: Path) -> Home:
    """A home with a cache that has no model."""
    home.paths = home.paths.__class__(**{**home.paths.__dict__, "cache": tmp_path / "cache"})
    return home


@pytest.mark.parametrize("size", SIZES)
def test_the_models(alone: Home, snap_compare: Any, size: tuple[int, int]) -> None:
    async def script(app: TuteeApp, pilot: Pilot[Any]) -> None:
        await _loaded(app, pilot)
        await pilot.press("ctrl+o")
        await until(pilot, lambda: "Other model" in painted(app))
        await pilot.press("down")

    assert held(alone, snap_compare, script, terminal_size=size)


@pytest.mark.parametrize("size", SIZES)
def test_the_first_start(
    alone: Home, snap_compare: Any, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    services = alone.services

    def new() -> Services:
        made = services()
        made.new = True
        return made

    monkeypatch.setattr(alone, "services", new)

    async def script(app: TuteeApp, pilot: Pilot[Any]) -> None:
        await until(pilot, lambda: isinstance(app.screen, WelcomeScreen) and app.screen.is_mounted)

    assert held(alone, snap_compare, script, terminal_size=size)
