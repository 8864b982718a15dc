"""The last reply drawn again, ranked by the reward model, picked by the person."""

from typing import Any

import pytest
from textual.pilot import Pilot

from store.errors import TuteeError
from tests.fakes import FakeChat, Home
from tests.live_records import preferences
from tests.tui.conftest import answered, opened, painted, say, toasts, until, views
from tests.tui.screens.test_tuning import ready
from tests.tui.screens.test_versions import made
from tui.app.tutee_app import TuteeApp
from tui.screens.best_of import BestOfScreen
from tui.screens.chat import ChatScreen


@pytest.fixture
def judged(home: Home) -> Home:
    """A home with a reward model that passed, and a chat that draws two better replies."""
    made(home, kind="reward", pass_name="reward", metrics={"passed": True})
    home.chat = FakeChat(home.bridge.emit, ("Lyon.",), adapters=home.adapters)
    home.chat.candidates = ("It is [b]Paris[/b].", "Paris.")
    return home


async def drawn(app: TuteeApp, pilot: Pilot[Any]) -> None:
    """Ask something, and draw its reply again."""
    await ready(app, pilot)
    await say(pilot, "Capital of France?")
    await answered(app, pilot, 1)
    await pilot.press("ctrl+l")
    await until(pilot, lambda: "Enter uses the highlighted reply" in painted(app))


async def test_the_picked_reply_stands_and_is_preferred_over_the_others(judged: Home) -> None:
    async with opened(judged) as (app, pilot):
        await drawn(app, pilot)
        assert isinstance(app.screen, BestOfScreen)
        shown = painted(app)
        assert shown.index("reward +1.50") < shown.index("It is [b]Paris[/b].")
        assert shown.index("Paris.") < shown.index("reward -0.50  current reply")
        assert "Ranked by r1." in shown
        await pilot.press("down", "enter")
        await until(pilot, lambda: isinstance(app.screen, ChatScreen) and views(app))
        await until(pilot, lambda: "kept as 2 preferences" in toasts(app))
        (view,) = views(app)
        assert view.text == "Paris."
        assert view.preferred
        assert view.undoable
        pairs = preferences(judged.repository)
        assert [(pair.chosen, pair.rejected) for pair in pairs] == [
            ("Paris.", "It is [b]Paris[/b]."),
            ("Paris.", "Lyon."),
        ]
        assert pairs[0].prompt[-1].content == "Capital of France?"
        assert pairs[0].origin.adapter == "base"
        ((turns, judge),) = judged.chat.drawn
        assert turns == pairs[0].prompt
        assert judge == "r1"
        await pilot.press("escape", "ctrl+z")
        await until(pilot, lambda: judged.repository.records() == [])
        assert [view.text for view in views(app)] == ["Paris."]


async def test_the_reply_that_stood_can_be_picked_too(judged: Home) -> None:
    async with opened(judged) as (app, pilot):
        await drawn(app, pilot)
        await pilot.press("end", "enter")
        await until(pilot, lambda: len(preferences(judged.repository)) == 2)
        (conversation,) = judged.repository.conversations()
        messages = judged.repository.messages(conversation.id)
        assert messages[-1].content == "Lyon."
        assert {pair.message_id for pair in preferences(judged.repository)} == {messages[-1].id}


async def test_leaving_changes_nothing(judged: Home) -> None:
    async with opened(judged) as (app, pilot):
        await drawn(app, pilot)
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, ChatScreen))
        assert judged.repository.records() == []
        assert [view.text for view in views(app)] == ["Lyon."]
        assert judged.chat.answers_stopped == 1


async def test_where_all_are_the_same_there_is_nothing_to_pick(judged: Home) -> None:
    judged.chat.candidates = ("Lyon.",)
    async with opened(judged) as (app, pilot):
        await drawn(app, pilot)
        await pilot.press("enter")
        await until(pilot, lambda: "All replies are the same" in toasts(app))
        assert judged.repository.records() == []


async def test_a_reward_model_that_cannot_be_loaded_is_told(judged: Home) -> None:
    async with opened(judged) as (app, pilot):
        await ready(app, pilot)
        await say(pilot, "Capital of France?")
        await answered(app, pilot, 1)
        judged.chat.fail_next = TuteeError("The reward model could not be loaded.", "Train one.")
        await pilot.press("ctrl+l")
        await until(pilot, lambda: "could not be loaded" in toasts(app))
        await until(pilot, lambda: isinstance(app.screen, ChatScreen))


@pytest.mark.parametrize(
    ("metrics", "why"), [(None, "there is none yet"), ({}, "r1 did not pass its gate")]
)
async def test_without_a_trusted_reward_model_nothing_is_drawn(
    home: Home, metrics: dict[str, Any] | None, why: str
) -> None:
    if metrics is not None:
        made(home, kind="reward", pass_name="reward", metrics=metrics)
    async with opened(home) as (app, pilot):
        await ready(app, pilot)
        await pilot.press("ctrl+l")
        await until(pilot, lambda: "There is no complete reply to regenerate." in toasts(app))
        await say(pilot, "Capital of France?")
        await answered(app, pilot, 1)
        await pilot.press("ctrl+l")
        await until(pilot, lambda: why in toasts(app))
        assert isinstance(app.screen, ChatScreen)
        assert home.chat.drawn == []
