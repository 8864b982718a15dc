"""F5: the run beside the chat, the new version, and the way back."""

from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from core.runs.saved_run import unfinished
from store.errors import TuteeError
from tests.fakes import FakeChat, FakeTuning, Home
from tests.live_records import instructions
from tests.tui.conftest import answered, opened, painted, say, toasts, until
from tui.app.tutee_app import TuteeApp
from tui.screens.chat import ChatScreen
from tui.screens.log import LogScreen
from tui.screens.report_card import ReportCardScreen
from tui.screens.tuning import TuningScreen
from tui.widgets.prompt import Prompt
from tui.widgets.tuning import PlanRow


def teach(home: Home, records: int, pairs: int = 0) -> None:
    """Give `home` liked replies and corrections from earlier chats."""
    for number in range(records):
        conversation = home.repository.start_conversation()
        home.repository.add_message(conversation.id, "user", f"question {number}")
        reply = home.repository.add_message(conversation.id, "assistant", f"answer {number}")
        if number < pairs:
            home.repository.correct(reply.id, f"better {number}")
        else:
            home.repository.rate(reply.id, True)


def rows(app: TuteeApp) -> list[str]:
    return [str(row.content).replace("\n", " ") for row in app.screen.query(PlanRow)]


async def ready(app: TuteeApp, pilot: object) -> None:
    await until(pilot, lambda: "Fake-1" in painted(app), "the model is ready")  # type: ignore[arg-type]


async def test_a_run_from_start_to_the_new_version_and_back(home: Home) -> None:
    teach(home, 4)
    async with opened(home, (100, 30)) as (app, pilot):
        await ready(app, pilot)
        assert "4 to learn" in painted(app)
        await pilot.press("f5")
        await until(pilot, lambda: rows(app))
        await pilot.press("enter")
        home.tuning.step()
        await until(pilot, lambda: "loss 3.00" in painted(app))
        assert "212 tok/s" in painted(app)
        await pilot.press("escape")
        assert isinstance(app.screen, ChatScreen)
        assert "▸ Imitate (SFT) 1/3" in painted(app)
        await say(pilot, "Still there?")
        await answered(app, pilot, 1)
        home.tuning.step(2)
        await until(pilot, lambda: "✓ v1 is ready. 1 of 2 now as you taught" in painted(app))
        assert "Fake-1 · v1" in painted(app)
        assert "0 to learn" in painted(app)
        assert "▸" not in painted(app)
        assert home.adapters.active() == "v1"
        await pilot.press("f5")
        await until(pilot, lambda: "● v1    active" in painted(app))
        assert "Imitate (SFT) · learned 1 of 2 · 4 records · from base" in painted(app)
        await pilot.press("escape")
        await app.run_action("app.roll_back")
        await until(pilot, lambda: "Fake-1 · base" in painted(app))
        assert home.adapters.active() == "base"
        assert "4 to learn" in painted(app)
        assert "Rolled back; v1 is kept." in toasts(app)


async def test_an_open_tuning_screen_follows_the_run(home: Home) -> None:
    teach(home, 20, pairs=20)
    async with opened(home) as (app, pilot):
        await ready(app, pilot)
        await pilot.press("f5")
        await until(pilot, lambda: rows(app))
        await pilot.press("enter")
        home.tuning.step(7)
        await until(pilot, lambda: "Judge (reward model) 1/3" in painted(app))
        home.tuning.step(2)
        await until(pilot, lambda: "✓ Imitate (SFT) made v1 in" in painted(app))
        await until(pilot, lambda: "● v2    active" in painted(app))
        assert "4 more corrections or 👍" in rows(app)[0]


async def test_cancel_stops_the_run_and_changes_nothing(home: Home) -> None:
    teach(home, 4)
    async with opened(home) as (app, pilot):
        await ready(app, pilot)
        await pilot.press("f5")
        await until(pilot, lambda: rows(app))
        await pilot.press("x")
        await pilot.press("enter")
        home.tuning.step()
        await until(pilot, lambda: "Imitate (SFT) 1/3" in painted(app))
        await pilot.press("x")
        await until(pilot, lambda: "Canceled. Nothing was changed." in painted(app))
        assert home.adapters.versions() == []
        await pilot.press("enter")
        await until(pilot, lambda: len(home.tuning.plans) == 2)


async def test_a_run_that_fails_is_told_and_can_be_started_again(home: Home) -> None:
    teach(home, 4)
    home.tuning.fail_next = TuteeError("Tuning ran out of memory.", "Close other programs.")
    async with opened(home, (100, 30)) as (app, pilot):
        await ready(app, pilot)
        await pilot.press("f5")
        await until(pilot, lambda: rows(app))
        await pilot.press("enter")
        home.tuning.step()
        await until(pilot, lambda: "Tuning ran out of memory." in toasts(app))
        figures = str(app.screen.query_one("#figures", Static).content)
        assert figures == "Tuning ran out of memory. Close other programs."
        home.tuning.fail_next = None
        await pilot.press("enter")
        home.tuning.step(3)
        await until(pilot, lambda: home.adapters.active() == "v1")


@pytest.mark.parametrize("failing", [False, True])
async def test_a_pass_that_was_finished_before_the_run_ended_is_used(
    home: Home, failing: bool
) -> None:
    teach(home, 5, pairs=2)
    async with opened(home) as (app, pilot):
        await ready(app, pilot)
        await pilot.press("f5")
        await until(pilot, lambda: rows(app))
        await pilot.press("4")
        await until(pilot, lambda: rows(app)[3].startswith("[x]"))
        await pilot.press("enter")
        home.tuning.step(4)
        await until(pilot, lambda: "Judge (reward model) 1/3" in painted(app))
        assert home.adapters.active() == "base"
        if failing:
            home.tuning.fail_next = TuteeError("Tuning ran out of memory.", "Close others.")
            home.tuning.step()
        else:
            await pilot.press("x")
        await until(pilot, lambda: "● v1" in painted(app))
        assert home.adapters.active() == "v1"


async def test_a_version_the_chat_cannot_load_is_not_left_active(home: Home) -> None:
    teach(home, 4)
    home.chat.fail_swap = TuteeError("v1 cannot be loaded.", "Train again.")
    async with opened(home) as (app, pilot):
        await ready(app, pilot)
        await pilot.press("f5")
        await until(pilot, lambda: rows(app))
        await pilot.press("enter")
        home.tuning.step(3)
        await until(pilot, lambda: "v1 cannot be loaded." in toasts(app))
        assert home.adapters.active() == "base"
        await pilot.press("escape")
        assert "Fake-1 · base" in painted(app)


async def test_with_nothing_before_it_there_is_nothing_to_roll_back_to(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await ready(app, pilot)
        await app.run_action("app.roll_back")
        await until(pilot, lambda: "There is nothing to roll back to" in toasts(app))


@pytest.mark.parametrize("size", [(40, 24), (80, 24), (200, 60)])
async def test_the_screen_fits(home: Home, size: tuple[int, int]) -> None:
    teach(home, 4)
    async with opened(home, size) as (app, pilot):
        await pilot.press("f5")
        await until(pilot, lambda: isinstance(app.screen, TuningScreen) and rows(app))
        for panel in app.screen.query("PlanPanel, LearningPanel, VersionsPanel"):
            assert panel.region.width > 20
            assert panel.region.height >= 4
            assert panel.region.right <= size[0]


async def test_the_line_over_the_footer_is_a_door_to_the_run(home: Home) -> None:
    teach(home, 4)
    async with opened(home) as (app, pilot):
        await ready(app, pilot)
        await pilot.press("f5")
        await until(pilot, lambda: rows(app))
        await pilot.press("enter", "escape")
        home.tuning.step()
        await until(pilot, lambda: "▸ Imitate (SFT) 1/3" in painted(app))
        await pilot.click("#activity")
        await until(pilot, lambda: isinstance(app.screen, TuningScreen))


async def interrupted(home: Home) -> None:
    """Leave a run behind, as quitting does."""
    teach(home, 4)
    async with opened(home) as (app, pilot):
        await ready(app, pilot)
        await pilot.press("f5")
        await until(pilot, lambda: rows(app))
        await pilot.press("enter")
        home.tuning.step()
        await until(pilot, lambda: "Imitate (SFT) 1/3" in painted(app))
        await pilot.press("ctrl+q", "enter")
        await until(pilot, lambda: app.return_value is True)
    home.chat = FakeChat(home.bridge.emit, adapters=home.adapters)
    home.tuning = FakeTuning(home.bridge.emit)


async def test_an_interrupted_run_is_offered_and_goes_on(home: Home) -> None:
    await interrupted(home)
    async with opened(home) as (app, pilot):
        await until(pilot, lambda: "▸ A training run was interrupted. F5" in painted(app))
        await pilot.press("f5")
        await until(pilot, lambda: rows(app))
        assert "was interrupted" in str(app.screen.query_one("#figures", Static).content)
        assert "Enter Resume" in painted(app)
        assert "X Drop the old run" in painted(app)
        await pilot.press("1")  # what the run does was decided when it began
        await pilot.press("enter")
        home.tuning.step(3)
        await until(pilot, lambda: home.adapters.active() == "v1")
        (plan,) = home.tuning.plans
        assert [planned.name for planned in plan.wanted] == ["sft"]
        await pilot.press("escape")
        assert "▸" not in painted(app)


async def test_an_interrupted_run_can_be_dropped(home: Home) -> None:
    await interrupted(home)
    async with opened(home) as (app, pilot):
        await ready(app, pilot)
        await pilot.press("f5")
        await until(pilot, lambda: "X Drop the old run" in painted(app))
        await pilot.press("x")
        await until(pilot, lambda: "Enter Start" in painted(app))
        assert "interrupted" not in painted(app)
        assert home.tuning.plans == []
        assert unfinished(home.adapters, home.repository.records()) is None
        await pilot.press("escape")
        assert "▸" not in painted(app)


async def test_a_run_on_records_that_are_gone_is_dropped_with_a_word(home: Home) -> None:
    await interrupted(home)
    home.repository.delete_records([instructions(home.repository)[0].id])
    async with opened(home) as (app, pilot):
        await until(pilot, lambda: "The interrupted training run was dropped" in toasts(app))
        assert "▸" not in painted(app)


async def test_a_run_rests_and_goes_on(home: Home) -> None:
    teach(home, 4)
    async with opened(home) as (app, pilot):
        await ready(app, pilot)
        await pilot.press("f5", "enter")
        home.tuning.step()
        await until(pilot, lambda: "Imitate (SFT) 1/3" in painted(app))
        await pilot.press("p")
        assert home.tuning.paused
        await until(pilot, lambda: "Paused." in painted(app) and "P Resume" in painted(app))
        await pilot.press("escape")
        await until(pilot, lambda: "Tuning is paused at step 1 of 3" in painted(app))
        await pilot.press("f5")
        await until(pilot, lambda: "P Resume" in painted(app))
        await pilot.press("p")
        assert not home.tuning.paused
        home.tuning.step(2)
        await until(pilot, lambda: "Imitate (SFT) made v1" in painted(app))
        await pilot.press("g")
        await until(pilot, lambda: isinstance(app.screen, LogScreen) and app.screen.is_mounted)
        await until(pilot, lambda: "Resumed." in painted(app))
        lines = [line for _, line in app.workspace.tuner.run.log]
        assert lines[0] == "Started: Imitate (SFT)."
        assert lines[1].startswith("Imitate (SFT): 3 steps on 4 records")
        assert "Paused." in lines
        assert any("made v1 in 0:12. Loss 3.00 → 1.00." in line for line in lines)
        assert lines[-1] == "Done. v1 is ready."


async def trained(home: Home, app: TuteeApp, pilot: Pilot[Any]) -> None:
    """Train to the line that says what was made, and be in the chat."""
    await ready(app, pilot)
    await pilot.press("f5")
    await until(pilot, lambda: rows(app))
    await pilot.press("enter")
    home.tuning.step(3)
    await until(pilot, lambda: "made v1 in" in painted(app))
    await pilot.press("escape")
    await until(pilot, lambda: "✓ v1 is ready. 1 of 2 now as you taught." in painted(app))


async def test_the_line_at_the_end_shows_the_report_and_undoes(home: Home) -> None:
    teach(home, 4)
    async with opened(home, (100, 30)) as (app, pilot):
        await trained(home, app, pilot)
        assert "Enter shows them, Ctrl+U undoes." in painted(app)
        assert "Now using" not in toasts(app), "once is enough"
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, ReportCardScreen))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, ChatScreen))
        await pilot.press("ctrl+u")
        await until(pilot, lambda: home.adapters.active() == "base")
        await until(pilot, lambda: "✓ v1" not in painted(app))


async def test_the_keys_of_that_line_leave_what_is_written_alone(home: Home) -> None:
    teach(home, 4)
    async with opened(home, (100, 30)) as (app, pilot):
        await trained(home, app, pilot)
        await pilot.press(*"Hallo", "ctrl+u")
        assert app.screen.query_one(Prompt).text == ""
        assert home.adapters.active() == "v1"
        await say(pilot, "And now?")
        await answered(app, pilot, 1)
        assert isinstance(app.screen, ChatScreen)
        assert "✓ v1 is ready." in painted(app)


async def test_without_a_new_version_the_keys_do_nothing(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await ready(app, pilot)
        await pilot.press("enter", "ctrl+u")
        assert isinstance(app.screen, ChatScreen)
        assert toasts(app) == ""


async def test_a_new_version_may_wait_until_the_user_says_so(home: Home) -> None:
    teach(home, 4)
    tuning = home.config.tuning.model_copy(update={"activate": "ask"})
    home.config = home.config.model_copy(update={"tuning": tuning})
    async with opened(home, (100, 30)) as (app, pilot):
        await trained(home, app, pilot)
        assert "Enter shows them, Ctrl+U uses it." in painted(app)
        assert home.adapters.active() == "base"
        await pilot.press("ctrl+u")
        await until(pilot, lambda: home.adapters.active() == "v1")
        await until(pilot, lambda: "Fake-1 · v1" in painted(app))


async def test_the_clock_of_a_run_ticks_between_its_events(home: Home) -> None:
    teach(home, 4)
    async with opened(home, (100, 30)) as (app, pilot):
        await ready(app, pilot)
        await pilot.press("f5")
        await until(pilot, lambda: rows(app))
        await pilot.press("enter", "escape")
        await until(pilot, lambda: "▸ Reading records" in painted(app))
        seen = painted(app)
        await until(pilot, lambda: painted(app) != seen)
        assert "▸ Reading records" in painted(app)
