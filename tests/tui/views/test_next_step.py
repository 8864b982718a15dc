"""The first steps: one line at a time, done or skipped, and never seen again."""

import asyncio
from collections.abc import Callable, Sequence

import pytest

from core import config
from core.config import Config
from store.repository import Counts
from tests.fakes import FakeChat, Home
from tests.tui.conftest import answered, opened, painted, say, until
from tests.tui.screens.test_tuning import ready, teach
from tui.screens.chat import ChatScreen
from tui.views.chat import Change
from tui.views.next_step import next_step
from tui.widgets.correction import CorrectionEditor


@pytest.fixture
def fresh(home: Home) -> Home:
    home.config = Config()
    return home


def test_each_step_follows_from_what_was_done() -> None:
    def step(taught: int, *, answered: bool = True, trained: bool = False) -> str:
        counts = Counts(0, 0, taught, taught, 0, 0)
        return next_step(counts, answered=answered, trained=trained, ready=4)

    assert "Ask something" in step(0, answered=False)
    assert "{key:chat.correct} corrects it" in step(0)
    assert "Teach 3 more" in step(1)
    assert "{key:app.tune}, then Enter" in step(4)
    assert step(4, trained=True) == ""


async def test_the_steps_lead_through_the_first_run(fresh: Home) -> None:
    async with opened(fresh) as (app, pilot):
        await ready(app, pilot)
        await until(pilot, lambda: "1 of 3" in painted(app))
        assert "/skip hides this" in painted(app)
        await say(pilot, "Capital of Peru?")
        await answered(app, pilot, 1)
        await until(pilot, lambda: "2 of 3  Wrong?" in painted(app))
        await pilot.press("f4")
        await until(pilot, lambda: app.screen.query(CorrectionEditor))
        app.screen.query_one(CorrectionEditor).text = "Lima"
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "Teach 3 more" in painted(app))
        teach(fresh, 3)
        await app.workspace.chat.records_changed()
        await until(pilot, lambda: "3 of 3  F5" in painted(app))
        await pilot.press("f5", "enter")
        fresh.tuning.step()
        await pilot.press("escape")
        await until(pilot, lambda: "Imitate (SFT) 1/3" in painted(app))
        assert "of 3" not in painted(app), "it trains"
        await pilot.press("f5", "x", "escape")
        await until(pilot, lambda: "3 of 3  F5" in painted(app))
        await pilot.press("f5", "enter")
        fresh.tuning.step(3)
        await until(pilot, lambda: app.workspace.tuner.versions.active == "v1")
        await pilot.press("escape")
        await until(pilot, lambda: "of 3" not in painted(app))
        assert config.load(fresh.paths.config_file).screen.guide is False
        assert fresh.adapters.versions()


async def test_the_next_step_is_told_although_the_chat_lags_behind_its_reply(
    fresh: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken_up = ChatScreen.apply

    async def later(screen: ChatScreen, act: Callable[[], Sequence[Change]]) -> None:
        for _ in range(100):
            await asyncio.sleep(0)  # the app has its turn, and takes it
        await taken_up(screen, act)

    async with opened(fresh) as (app, pilot):
        await ready(app, pilot)
        monkeypatch.setattr(ChatScreen, "apply", later)
        await say(pilot, "Capital of Peru?")
        await answered(app, pilot, 1)
        await until(pilot, lambda: "2 of 3  Wrong?" in painted(app))


async def test_the_steps_are_skipped_for_good(fresh: Home) -> None:
    async with opened(fresh) as (app, pilot):
        await until(pilot, lambda: "1 of 3" in painted(app))
        await say(pilot, "/skip")
        await until(pilot, lambda: "1 of 3" not in painted(app))
        assert fresh.chat.prompts == []
    fresh.config = config.load(fresh.paths.config_file)
    fresh.chat = FakeChat(fresh.bridge.emit, adapters=fresh.adapters)
    async with opened(fresh) as (app, pilot):
        await ready(app, pilot)
        assert "of 3" not in painted(app)
