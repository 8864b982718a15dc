"""Reward scores beside replies: only if shown, and only by a trusted reward model."""

import pytest

from core.config import Chat, Config
from store.records import ChatMessage
from tests.fakes import FakeChat, Home
from tests.tui.conftest import answered, opened, painted, say, until
from tests.tui.screens.test_tuning import ready
from tests.tui.screens.test_versions import made

SCORED = Config(chat=Chat(show_rewards=True))


def judge(home: Home, *, passed: bool) -> None:
    made(home, kind="reward", pass_name="reward", metrics={"passed": passed})
    home.chat = FakeChat(home.bridge.emit, ("Paris.",), adapters=home.adapters)


async def test_a_reply_shows_its_score_also_once_the_chat_is_drawn_anew(home: Home) -> None:
    judge(home, passed=True)
    home.config = SCORED
    async with opened(home) as (app, pilot):
        await ready(app, pilot)
        await say(pilot, "Capital of France?")
        await until(pilot, lambda: "reward +1.8" in painted(app))
        ((turns, reply, judge_name),) = home.chat.scored
        assert turns[-1] == ChatMessage(role="user", content="Capital of France?")
        assert (reply, judge_name) == ("Paris.", "r1")
        await pilot.press("f7", "escape")
        await until(pilot, lambda: "reward +1.8" in painted(app))


@pytest.mark.parametrize(("passed", "config"), [(False, SCORED), (True, Config())])
async def test_otherwise_nothing_is_scored(home: Home, passed: bool, config: Config) -> None:
    judge(home, passed=passed)
    home.config = config
    async with opened(home) as (app, pilot):
        await ready(app, pilot)
        await say(pilot, "Capital of France?")
        await answered(app, pilot, 1)
        assert "tok/s" in painted(app)
        assert not home.chat.scored
