"""F7: the records of a home, looked through, checked, deleted and brought back."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from textual.pilot import Pilot

from core.adapters.registry import Adapters
from store.records import ChatMessage, Instruction, Origin, Preference, now
from tests.fakes import Home
from tests.tui.conftest import answered, opened, painted, say, toasts, until, views
from tests.tui.screens.test_tuning import ready, teach
from tui.app.tutee_app import TuteeApp
from tui.screens import records as records_screen
from tui.screens.chat import ChatScreen
from tui.screens.confirm import ConfirmScreen
from tui.screens.record import RecordScreen
from tui.screens.records import FilterInput, RecordsScreen
from tui.widgets.records import RecordTable

if TYPE_CHECKING:
    from core.models.folder import ModelFolder


def bring(home: Home, count: int, source: str = "import:many.jsonl") -> None:
    """Instructions from elsewhere, number 0 the newest."""
    home.repository.add_imported(
        [
            Instruction(
                prompt=(ChatMessage(role="user", content=f"question {number}"),),
                completion=f"answer {number}",
                origin=Origin(source=source),
                created=now() - timedelta(minutes=number),
            )
            for number in range(count)
        ]
    )


async def looking(app: TuteeApp, pilot: Pilot[Any], shown: int) -> RecordTable:
    """Open the records and wait until so many are shown."""
    await pilot.press("f7")
    await until(pilot, lambda: isinstance(app.screen, RecordsScreen))
    await showing(app, pilot, shown)
    return table(app)


async def showing(app: TuteeApp, pilot: Pilot[Any], shown: int) -> None:
    await until(pilot, lambda: table(app).shown == shown, f"{shown} records shown")


def table(app: TuteeApp) -> RecordTable:
    return app.screen.query_one(RecordTable)


async def test_records_are_listed_newest_first_with_what_they_say(home: Home) -> None:
    teach(home, 2, pairs=1)
    bring(home, 1)
    async with opened(home, (140, 30)) as (app, pilot):
        await looking(app, pilot, 3)
        lines = [line for line in painted(app).splitlines() if "question" in line]
        assert lines[0].split()[1:6] == ["instruction", "question", "0", "answer", "0"]
        assert sum("👍" in line for line in lines) == 1
        assert any("✎ correction" in line and "better 0 › answer 0" in line for line in lines)
        assert "Records  5" in painted(app)


async def test_what_a_version_learned_is_said(home: Home) -> None:
    teach(home, 4)
    async with opened(home) as (app, pilot):
        await ready(app, pilot)
        await pilot.press("f5")
        await until(pilot, lambda: "4 to learn" in painted(app))
        await pilot.press("enter")
        home.tuning.step(3)
        await until(pilot, lambda: "● v1" in painted(app))
        await pilot.press("escape")
        app.clear_notifications()
        await looking(app, pilot, 4)
        lines = [line for line in painted(app).splitlines() if "question" in line]
        assert sum("👍" in line and line.endswith("v1") for line in lines) == 4


async def test_the_filter_finds_by_words_and_by_kind(home: Home) -> None:
    teach(home, 3, pairs=1)
    async with opened(home) as (app, pilot):
        await looking(app, pilot, 3)
        await pilot.press(*"question", "space", "1")
        await showing(app, pilot, 1)
        assert "6 · 2 match" in painted(app)
        await pilot.press("space", *"kind", "colon", *"verdict", "enter")
        await until(pilot, lambda: "6 · 1 match" in painted(app))
        assert app.focused is table(app)
        await pilot.press("slash", *"zzz")
        await until(pilot, lambda: "No record matches." in painted(app))
        await pilot.press("escape")
        await showing(app, pilot, 3)
        assert app.screen.query_one(FilterInput).value == ""
        assert app.focused is table(app)


async def test_a_record_opens_with_its_reply_in_view(home: Home) -> None:
    prompt = (
        ChatMessage(role="user", content="\n".join(f"line {number}" for number in range(60))),
    )
    long_reply = "\n".join(f"reply {number}" for number in range(60))
    origin = Origin(source="import:long.jsonl")
    home.repository.add_imported(
        [
            Preference(prompt=prompt, chosen="better", rejected="worse", origin=origin),
            Instruction(
                prompt=prompt,
                completion=long_reply,
                origin=origin,
                created=now() - timedelta(days=1),
            ),
        ]
    )
    async with opened(home) as (app, pilot):
        await looking(app, pilot, 2)
        await pilot.press("enter")
        await until(pilot, lambda: "better" in painted(app) and "worse" in painted(app))
        assert "line 59" in painted(app)
        await pilot.press("right")
        await until(pilot, lambda: "reply 0" in painted(app))
        await pilot.press("home")
        await until(pilot, lambda: "line 0" in painted(app))


async def test_many_records_are_drawn_as_one_goes_down(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records_screen, "PAGE", 40)
    bring(home, 100)
    async with opened(home) as (app, pilot):
        shown = await looking(app, pilot, 40)
        assert "Scroll down for 60 more." in painted(app)
        await pilot.press("ctrl+end")
        await showing(app, pilot, 80)
        assert shown.current is not None
        await pilot.press("ctrl+end")
        await showing(app, pilot, 100)
        assert "Scroll down" not in painted(app)
        await pilot.press("ctrl+end", "enter")
        await until(pilot, lambda: "question 99" in painted(app))
        assert "100 of 100" in painted(app)
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, RecordsScreen))
        assert (table(app).shown, table(app).cursor_row) == (100, 99)


async def test_deleting_asks_and_undo_brings_back_exactly(home: Home) -> None:
    teach(home, 3)
    before = home.repository.records()
    async with opened(home) as (app, pilot):
        await looking(app, pilot, 3)
        await pilot.press("space", "space")
        assert "2 marked" in painted(app)
        await pilot.press("delete")
        assert isinstance(app.screen, ConfirmScreen)
        assert "Delete 4 records?" in painted(app)
        await pilot.press("escape")
        assert home.repository.records() == before
        await pilot.press("delete", "enter")
        await showing(app, pilot, 1)
        assert home.repository.records() == before[:2]
        assert "marked" not in painted(app).splitlines()[0]
        await pilot.press("delete", "enter")
        await showing(app, pilot, 0)
        await pilot.press("ctrl+z", "ctrl+z")
        await showing(app, pilot, 3)
        assert home.repository.records() == before
        await pilot.press("ctrl+z")
        assert home.repository.records() == before


async def test_the_chat_behind_shows_what_was_deleted(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await say(pilot, "Hello")
        await answered(app, pilot, 1)
        await pilot.press("f2")
        await looking(app, pilot, 1)
        await pilot.press("space", "delete", "enter")
        await until(pilot, lambda: "No records yet." in painted(app))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, ChatScreen))
        await until(pilot, lambda: views(app) and views(app)[0].label is None)
        assert "0 to learn" in painted(app)


async def test_what_is_wrong_is_said_and_shown_alone(home: Home) -> None:
    teach(home, 1)
    prompt = (ChatMessage(role="user", content="Write to anna@example.com"),)
    home.repository.add_imported([Instruction(prompt=prompt, completion="Dear Anna")])
    async with opened(home, (120, 30)) as (app, pilot):
        await looking(app, pilot, 2)
        await until(pilot, lambda: "1 with problems" in painted(app))
        await pilot.press("ctrl+k")
        await showing(app, pilot, 1)
        assert "Problem" in painted(app)
        assert "e-mail address" in painted(app)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, RecordScreen))
        await until(pilot, lambda: "e-mail address" in painted(app))
        await pilot.press("escape", "ctrl+k")
        await showing(app, pilot, 2)


async def test_one_record_whole(home: Home) -> None:
    teach(home, 1)
    pair = Preference(
        prompt=(
            ChatMessage(role="system", content="Be [b]polite[/b]."),
            ChatMessage(role="user", content="Rewrite: come here"),
        ),
        chosen="Could you come here, please?",
        rejected="Come here now!",
        origin=Origin(source="import:polite.jsonl", model="teacher-7B"),
    )
    home.repository.add_imported([pair])
    async with opened(home, (110, 30)) as (app, pilot):
        await looking(app, pilot, 2)
        await pilot.press("enter")
        await until(pilot, lambda: "Chosen" in painted(app))
        beside = next(line for line in painted(app).splitlines() if "Chosen" in line)
        assert "Rejected" in beside
        for text in (
            *("Be [b]polite[/b].", "Could you come here, please?", "Come here now!"),
            *("import:polite.jsonl", "teacher-7B", "no version yet", pair.id, "1 of 3"),
        ):
            assert text in painted(app)
        await pilot.resize_terminal(80, 30)
        await until(
            pilot,
            lambda: (
                not any(
                    "Chosen" in line and "Rejected" in line for line in painted(app).splitlines()
                )
            ),
        )
        await pilot.press("right")
        await until(pilot, lambda: "2 of 3" in painted(app))
        await pilot.press("right", "right", "escape")
        await until(pilot, lambda: isinstance(app.screen, RecordsScreen))
        assert table(app).cursor_row == 1


async def test_the_tokens_that_carry_loss_are_shown(home: Home, tiny_folder: "ModelFolder") -> None:
    bring(home, 1)
    home.adapters = home.chat._found = Adapters(home.paths.models, tiny_folder)
    async with opened(home, (120, 30)) as (app, pilot):
        await ready(app, pilot)
        await looking(app, pilot, 1)
        await pilot.press("enter", "m")
        await until(pilot, lambda: "tokens are learned" in painted(app))
        assert "<|im_start|>assistant" in painted(app)
        assert "answer 0<|im_end|>" in painted(app)
        await pilot.press("m")
        await until(pilot, lambda: "Learned in" in painted(app))


async def test_behind_a_long_prompt_the_tokens_that_carry_loss_are_in_view(
    home: Home, tiny_folder: "ModelFolder"
) -> None:
    prompt = (ChatMessage(role="user", content="line\n" * 100),)
    home.repository.add_imported([Instruction(prompt=prompt, completion="At last.")])
    home.adapters = home.chat._found = Adapters(home.paths.models, tiny_folder)
    async with opened(home, (80, 24)) as (app, pilot):
        await ready(app, pilot)
        await looking(app, pilot, 1)
        await pilot.press("enter", "m")
        await until(pilot, lambda: "At last.<|im_end|>" in painted(app))
        assert "line" in painted(app), "one sees what it follows"


async def test_tokens_before_the_model_is_there_are_told_off(home: Home) -> None:
    bring(home, 1)
    home.chat._load.clear()
    async with opened(home) as (app, pilot):
        await looking(app, pilot, 1)
        await pilot.press("enter", "m")
        await until(pilot, lambda: "The model is still loading." in toasts(app))
        await until(pilot, lambda: "Learned in" in painted(app))


async def test_with_nothing_taught_the_screen_says_what_to_do(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await pilot.press("f7")
        await until(pilot, lambda: "No records yet." in painted(app))
        await pilot.press("delete", "space", "enter", "ctrl+k")
        assert isinstance(app.screen, RecordsScreen)


@pytest.mark.parametrize("count", [0, 2])
async def test_escape_leads_back_from_the_filter(home: Home, count: int) -> None:
    bring(home, count)
    async with opened(home) as (app, pilot):
        await pilot.press("f7")
        await until(pilot, lambda: isinstance(app.screen, RecordsScreen))
        await pilot.press("slash", *"zzz")
        await until(pilot, lambda: app.screen.query_one(FilterInput).value == "zzz")
        await until(pilot, lambda: not table(app).display)
        await pilot.press("escape")
        await until(pilot, lambda: not app.screen.query_one(FilterInput).value)
        await showing(app, pilot, count)
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, ChatScreen))


async def test_f7_does_not_disturb_what_is_being_written(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await pilot.press(*"half", "f7")
        await until(pilot, lambda: isinstance(app.screen, RecordsScreen))
        await pilot.press("f7", *"way")
        assert app.screen_stack[0].query_one("#prompt").text == "halfway"  # type: ignore[attr-defined]


async def test_all_that_match_are_marked_at_one_key(home: Home) -> None:
    teach(home, 3, pairs=2)
    async with opened(home, (100, 30)) as (app, pilot):
        await looking(app, pilot, 3)
        screen = app.screen
        assert isinstance(screen, RecordsScreen)
        await pilot.press(*"kind:preference")
        await until(pilot, lambda: 0 < len(screen._matching) < len(screen._all))
        matching = {record.id for record in screen._matching}
        await pilot.press("ctrl+a")
        assert screen._marked == matching
        await pilot.press("ctrl+a")
        assert screen._marked == frozenset()
        await pilot.press("ctrl+a", "enter", "delete", "enter")
        await until(pilot, lambda: not matching & {r.id for r in home.repository.records()})
        await pilot.press("ctrl+z")
        await until(pilot, lambda: matching <= {r.id for r in home.repository.records()})


async def test_one_correction_is_one_row_and_goes_as_one(home: Home) -> None:
    async with opened(home, (140, 30)) as (app, pilot):
        await say(pilot, "Capital of Peru?")
        await answered(app, pilot, 1)
        await say(pilot, "/fix Lima.")
        await until(pilot, lambda: views(app)[0].correction == "Lima.")
        await looking(app, pilot, 1)
        await until(pilot, lambda: "✎ correction" in painted(app))
        await until(pilot, lambda: "Rejected" in painted(app), "the preview beside the table")
        await pilot.press("delete", "enter")
        await until(pilot, lambda: home.repository.records() == [])
        await pilot.press("ctrl+z")
        await until(pilot, lambda: len(home.repository.records()) == 2)
        await showing(app, pilot, 1)


async def test_an_import_is_undone_as_one(home: Home) -> None:
    teach(home, 1)
    before = {record.id for record in home.repository.records()}
    async with opened(home) as (app, pilot):
        await ready(app, pilot)
        library = app.workspace.navigation.library
        library.begin_import()
        for number in range(3):
            prompt = (ChatMessage(role="user", content=f"question {number}"),)
            library.add([Instruction(prompt=prompt, completion="yes")], [])
        assert len(home.repository.records()) == len(before) + 3
        await looking(app, pilot, 4)
        await pilot.press("ctrl+z")
        await until(pilot, lambda: {r.id for r in home.repository.records()} == before)
        await until(pilot, lambda: "Import undone: 3 records" in toasts(app))
