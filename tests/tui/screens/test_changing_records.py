"""F7: records in another order, kept out of training, and edited; all of it can be taken back."""

from typing import Any

from textual.pilot import Pilot
from textual.widgets import Input, TextArea

from store.records import Instruction
from tests.fakes import Home
from tests.live_records import preferences, verdicts
from tests.tui.conftest import opened, painted, toasts, until
from tests.tui.screens.test_records import bring, looking, table
from tests.tui.screens.test_tuning import teach
from tui.app.tutee_app import TuteeApp
from tui.screens.correct import CorrectScreen
from tui.screens.edit_record import EditRecordScreen
from tui.screens.reasons import ReasonsScreen
from tui.screens.record import RecordScreen
from tui.screens.records import RecordsScreen


def prompts(app: TuteeApp) -> list[str]:
    return [view.prompt for view in table(app)._views]


async def editing(app: TuteeApp, pilot: Pilot[Any], kind: type[object]) -> None:
    await pilot.press("enter")
    await until(pilot, lambda: isinstance(app.screen, RecordScreen) and app.screen.is_mounted)
    await pilot.press("e")
    await until(pilot, lambda: isinstance(app.screen, kind) and app.screen.is_mounted)


async def back(app: TuteeApp, pilot: Pilot[Any]) -> None:
    await until(pilot, lambda: isinstance(app.screen, RecordsScreen))


async def test_records_come_in_another_order(home: Home) -> None:
    bring(home, 3)
    async with opened(home) as (app, pilot):
        await looking(app, pilot, 3)
        assert prompts(app) == ["question 0", "question 1", "question 2"]
        await pilot.press("ctrl+y")
        await until(pilot, lambda: prompts(app)[0] == "question 2")
        assert "oldest first" in painted(app)
        await pilot.press("ctrl+y", "ctrl+y")
        await until(pilot, lambda: "by prompt" in painted(app))
        assert prompts(app) == ["question 0", "question 1", "question 2"]
        await pilot.click("RecordTable", offset=(4, 0))  # the head of the first column
        await until(pilot, lambda: "by prompt" not in painted(app))
        await pilot.click("RecordTable", offset=(4, 0))
        await until(pilot, lambda: "oldest first" in painted(app))


async def test_several_are_kept_out_of_training_and_let_in_again(home: Home) -> None:
    bring(home, 5)
    async with opened(home) as (app, pilot):
        await looking(app, pilot, 5)
        await pilot.press("space", "space", "ctrl+x")
        await until(pilot, lambda: "Excluded 2 records from training." in toasts(app))
        assert len(home.repository.trainable()) == 3
        await until(pilot, lambda: [view.excluded for view in table(app)._views].count(True) == 2)
        await pilot.press(*"excluded", "enter")
        await until(pilot, lambda: table(app).shown == 2)
        await pilot.press("ctrl+z")
        await until(pilot, lambda: len(home.repository.trainable()) == 5)
        assert "Undone for 2 records." in toasts(app)


async def test_an_imported_record_is_edited_and_counts_as_new(home: Home) -> None:
    bring(home, 1)
    (before,) = home.repository.records()
    async with opened(home) as (app, pilot):
        await looking(app, pilot, 1)
        await editing(app, pilot, EditRecordScreen)
        app.screen.query_one(TextArea).text = "A better answer"
        app.screen.query_one("#comment Input", Input).value = "shorter"
        await pilot.press("ctrl+s")
        await back(app, pilot)
        await until(pilot, lambda: "A better answer" in painted(app))
        (after,) = home.repository.records()
        assert isinstance(after, Instruction)
        assert (after.completion, after.comment) == ("A better answer", "shorter")
        assert after.id != before.id
        await pilot.press("ctrl+z")
        await until(pilot, lambda: home.repository.records() == [before])


async def test_an_edit_is_not_lost_by_leaving_or_by_an_error(home: Home) -> None:
    bring(home, 1)
    async with opened(home) as (app, pilot):
        await looking(app, pilot, 1)
        await editing(app, pilot, EditRecordScreen)
        app.screen.query_one(TextArea).text = " "
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "The texts of a record cannot be empty." in toasts(app))
        await pilot.press("escape")
        await until(pilot, lambda: "Not saved." in painted(app))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, RecordScreen))
        assert len(home.repository.records()) == 1


async def test_a_record_about_a_reply_is_edited_as_in_the_chat(home: Home) -> None:
    teach(home, 1, pairs=1)
    async with opened(home) as (app, pilot):
        await looking(app, pilot, 1)
        await editing(app, pilot, CorrectScreen)
        app.screen.query_one(TextArea).text = "best 0"
        await pilot.press("ctrl+s")
        await back(app, pilot)
        await until(pilot, lambda: "best 0" in painted(app))
        assert preferences(home.repository)[0].chosen == "best 0"


async def test_the_reasons_of_a_thumb_down_are_edited(home: Home) -> None:
    conversation = home.repository.start_conversation()
    home.repository.add_message(conversation.id, "user", "Hi")
    reply = home.repository.add_message(conversation.id, "assistant", "Ho")
    home.repository.rate(reply.id, False)
    async with opened(home) as (app, pilot):
        await looking(app, pilot, 1)
        await editing(app, pilot, ReasonsScreen)
        await pilot.press("3", "enter")
        await back(app, pilot)
        await until(pilot, lambda: verdicts(home.repository)[0].reasons == ("wrong",))
