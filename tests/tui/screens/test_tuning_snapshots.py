"""What the screens around a version look like, held as pictures."""

from typing import Any

import pytest
from textual.pilot import Pilot

from tests.fakes import FakeChat, Home
from tests.tui.conftest import painted, say, until, views
from tests.tui.screens.test_snapshots import held
from tests.tui.screens.test_tuning import rows, teach
from tests.tui.screens.test_versions import WHY, listed, made
from tui.app.tutee_app import TuteeApp
from tui.screens.compare import CompareScreen

SIZES = pytest.mark.parametrize("size", [(80, 24), (120, 40)])


@pytest.fixture(autouse=True)
def _no_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.views.versions._when", lambda moment: "2026-11-22")
    monkeypatch.setattr("tui.controllers.training_run.monotonic", lambda: 0.0)


@SIZES
def test_nothing_is_ready(home: Home, snap_compare: Any, size: tuple[int, int]) -> None:
    teach(home, 1)

    async def script(app: TuteeApp, pilot: Pilot[Any]) -> None:
        await until(pilot, lambda: "Fake-1" in painted(app))
        await pilot.press("f5")
        await until(pilot, lambda: rows(app))

    assert held(home, snap_compare, script, terminal_size=size)


@SIZES
def test_versions_after_a_run(home: Home, snap_compare: Any, size: tuple[int, int]) -> None:
    teach(home, 5)
    metrics = {"holdout_accuracy": 0.86, "holdout_interval": (0.79, 0.91), "passed": True}
    made(home, kind="reward", pass_name="reward", records=("a", "b"), metrics=metrics)
    made(home, metrics={"losses": [2.9, 0.4]})
    home.adapters.use("v1")
    home.adapters.label("v1", "polite")
    home.tuning.held_back = WHY

    async def script(app: TuteeApp, pilot: Pilot[Any]) -> None:
        await until(pilot, lambda: "Fake-1" in painted(app))
        await pilot.press("f5")
        await until(pilot, lambda: rows(app))
        await pilot.press("enter")
        home.tuning.step(3)
        await until(pilot, lambda: "held back" in painted(app) and len(listed(app)) == 4)

    assert held(home, snap_compare, script, terminal_size=size)


@SIZES
def test_rl_under_way(home: Home, snap_compare: Any, size: tuple[int, int]) -> None:
    teach(home, 20)
    home.tuning.steps = 24

    async def script(app: TuteeApp, pilot: Pilot[Any]) -> None:
        await until(pilot, lambda: "Fake-1" in painted(app))
        await pilot.press("f5")
        await until(pilot, lambda: rows(app))
        await pilot.press("5", "1", "enter")
        home.tuning.step(15)
        await until(
            pilot, lambda: "Reinforce (RL) 15/24" in painted(app) and "KL 0.225" in painted(app)
        )

    assert held(home, snap_compare, script, terminal_size=size)


@SIZES
def test_a_report(home: Home, snap_compare: Any, size: tuple[int, int]) -> None:
    teach(home, 4)

    async def script(app: TuteeApp, pilot: Pilot[Any]) -> None:
        await until(pilot, lambda: "Fake-1" in painted(app))
        await pilot.press("f5")
        await until(pilot, lambda: rows(app))
        await pilot.press("enter")
        home.tuning.step(3)
        await until(pilot, lambda: home.chat.answering == "v1" and len(listed(app)) == 2)
        await pilot.press("r")
        await until(pilot, lambda: "What was taught" in painted(app))
        for fact in app.screen.query(".went-in"):
            fact.display = False  # they tell the time

    assert held(home, snap_compare, script, terminal_size=size)


@SIZES
def test_a_comparison(home: Home, snap_compare: Any, size: tuple[int, int]) -> None:
    made(home)
    home.adapters.use("v1")
    replies = ("Hi.", "It is Paris, which lies on the Seine. " * 4, "Lyon, I [b]think[/b].")
    home.chat = FakeChat(home.bridge.emit, replies, adapters=home.adapters)

    async def script(app: TuteeApp, pilot: Pilot[Any]) -> None:
        await until(pilot, lambda: "Fake-1" in painted(app))
        await say(pilot, "What is the capital of France?")
        await until(pilot, lambda: len(views(app)) == 1)
        await pilot.press("f6")
        assert isinstance(app.screen, CompareScreen)
        app.screen._comparison._swap = lambda: False
        await pilot.press("enter")
        await until(pilot, lambda: "Which is better?" in painted(app))
        await pilot.press("left")

    assert held(home, snap_compare, script, terminal_size=size)
