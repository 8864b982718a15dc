"""What the screens look like, held as pictures; `pytest --snapshot-update` renews them."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import TextArea

from core.events import ModelLoading
from tests.fakes import FakeChat, Home
from tests.tui.conftest import app_over, painted, say, until, views
from tests.tui.screens.test_tuning import rows, teach
from tui.app.tutee_app import TuteeApp

REPLIES = (
    "The sentiment of this review is generally negative, because it calls the film *drivel*.",
    "positive",
    "Three ideas for a rainy day in **Lisbon**:\n\n"
    "1. The *Gulbenkian* museum, for the paintings and for the garden around it.\n"
    "2. Tram 28, early, before the crowds.\n"
    "3. 里斯本 by café: a long lunch in `Alfama` 👍\n\n"
    '```python\ndef rainy(day: str) -> bool:\n    return day in {"today", "tomorrow"}\n```',
)
QUESTIONS = (
    'Is this review positive or negative? "a gob of drivel so sickly sweet"',
    'And "a stirring, funny, finally transporting film"?',
    "What can I do in [b]Lisbon[/b] when it rains?",
)

Script = Callable[[Pilot[Any]], Awaitable[None]]


def held(
    home: Home,
    snap_compare: Any,
    script: Callable[[TuteeApp, Pilot[Any]], Awaitable[None]],
    **size: Any,
) -> bool:
    """Whether the app over `home` looks as it did, once `script` has run."""
    app = app_over(home)

    async def run_before(pilot: Pilot[Any]) -> None:
        await until(pilot, lambda: app.open)
        await script(app, pilot)
        app.clear_notifications()
        await pilot.pause()

    same: bool = snap_compare(app, run_before=run_before, **size)
    home.chat.close(5.0)
    home.tuning.close(5.0)
    return same


async def taught(app: TuteeApp, pilot: Pilot[Any]) -> None:
    """A chat with one reply of each fate."""
    for count, question in enumerate(QUESTIONS, 1):
        await say(pilot, question)
        await until(pilot, lambda: len(views(app)) == count)  # noqa: B023
    await pilot.press("f3", "2", "9", "enter", "escape", "up", "f2", "up", "f4")
    app.screen.query_one(TextArea).text = "negative"
    await pilot.press("ctrl+s")


@pytest.fixture(autouse=True)
def _no_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.controllers.training_run.monotonic", lambda: 0.0)


@pytest.fixture
def talking(home: Home) -> Home:
    home.chat = FakeChat(home.bridge.emit, REPLIES, adapters=home.adapters)
    return home


def test_while_the_model_is_fetched(home: Home, snap_compare: Any) -> None:
    home.chat = FakeChat(home.bridge.emit, adapters=home.adapters, loads_by_itself=False)

    async def script(app: TuteeApp, pilot: Pilot[Any]) -> None:
        await say(pilot, QUESTIONS[0])
        await say(pilot, QUESTIONS[1])
        home.bridge.emit(ModelLoading("Fetching the built-in model", 39_000_000, 93_000_000))
        await until(pilot, lambda: "42%" in painted(app))

    assert held(home, snap_compare, script)


def test_a_taught_chat(talking: Home, snap_compare: Any) -> None:
    assert held(talking, snap_compare, taught)


def test_a_taught_chat_on_a_wide_terminal(talking: Home, snap_compare: Any) -> None:
    assert held(talking, snap_compare, taught, terminal_size=(160, 45))


def test_correcting(talking: Home, snap_compare: Any) -> None:
    async def script(app: TuteeApp, pilot: Pilot[Any]) -> None:
        await taught(app, pilot)
        await pilot.press("f4")

    assert held(talking, snap_compare, script, terminal_size=(120, 30))


def test_tuning(home: Home, snap_compare: Any) -> None:
    teach(home, 5, pairs=2)
    home.tuning.steps = 24
    home.tuning.looks = True

    async def script(app: TuteeApp, pilot: Pilot[Any]) -> None:
        await until(pilot, lambda: "Fake-1" in painted(app))
        await pilot.press("f5")
        await until(pilot, lambda: rows(app))
        await pilot.press("enter")
        home.tuning.step(12)
        await until(pilot, lambda: "Imitate (SFT) 12/24" in painted(app))
        assert "hold-out 2.17" in painted(app)

    assert held(home, snap_compare, script, terminal_size=(100, 30))
