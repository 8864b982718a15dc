"""Feedback by keys: thumbs, reasons, corrections, undo, and what is left after a restart."""

from pathlib import Path

import pytest
from textual import events
from textual.widgets import Input, Markdown, TextArea

from store.errors import TuteeError
from tests.fakes import FakeChat, Home
from tests.live_records import instructions, preferences, verdicts
from tests.tui.conftest import (
    answered,
    opened,
    painted,
    replies,
    say,
    toasts,
    transcript,
    until,
    views,
)
from tui.screens.chat import ChatScreen
from tui.screens.correct import CorrectScreen
from tui.screens.reasons import ReasonsScreen
from tui.widgets.prompt import Prompt


async def test_thumb_up_stores_badges_and_counts(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await say(pilot, "Capital of France?")
        await answered(app, pilot, 1)
        assert "0 to learn" in painted(app)
        await pilot.press("f2")
        assert "1 to learn" in painted(app)
        assert "👍 · 41 tok/s" in painted(app)
        (record,) = instructions(home.repository)
        assert record.completion == "Paris."
        assert record.prompt[-1].content == "Capital of France?"
        assert app.focused is app.screen.query_one(Prompt)


async def test_keys_act_on_the_focused_reply_else_on_the_last(home: Home) -> None:
    async with opened(home) as (app, pilot):
        for count in (1, 2):
            await say(pilot, "Hello")
            await answered(app, pilot, count)
        await pilot.press("escape", "up", "f2")
        assert [view.label for view in views(app)] == [True, None]
        await pilot.press("escape", "f2")
        assert [view.label for view in views(app)] == [True, True]


async def test_without_a_reply_the_keys_do_nothing(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await pilot.press("f2", "f3", "f4")
        assert isinstance(app.screen, ChatScreen)
        assert verdicts(home.repository) == []


async def test_a_reply_under_way_cannot_be_judged(home: Home) -> None:
    home.chat = FakeChat(home.bridge.emit, adapters=home.adapters, writes_by_itself=False)
    async with opened(home) as (app, pilot):
        await say(pilot, "Hello")
        home.chat.write("so far")
        await until(pilot, lambda: "so far" in painted(app))
        await pilot.press("f2")
        assert verdicts(home.repository) == []
        home.chat.finish()
        await answered(app, pilot, 1)


async def test_thumb_down_is_stored_before_its_reasons(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await say(pilot, "Hello")
        await answered(app, pilot, 1)
        await pilot.press("f3")
        assert isinstance(app.screen, ReasonsScreen)
        assert [verdict.label for verdict in verdicts(home.repository)] == [False]
        await pilot.press("escape")
        assert views(app)[0].label is False
        assert "👎 · 41 tok/s" in painted(app)


async def test_reasons_and_a_comment_go_with_the_thumb(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await say(pilot, "Hello")
        await answered(app, pilot, 1)
        await pilot.press("f3", "9", "2", "1", "1", "tab", *"too long", "enter")
        await until(pilot, lambda: isinstance(app.screen, ChatScreen))
        (verdict,) = verdicts(home.repository)
        assert verdict.reasons == ("ignored the instruction", "style")
        assert verdict.comment == "too long"
        assert "👎 ignored the instruction, style" in painted(app)
        await pilot.press("f3")
        assert app.screen.query_one(Input).value == "too long"
        await pilot.press("enter", "escape", "ctrl+z")
        assert verdicts(home.repository) == []


async def test_a_reason_that_is_no_longer_offered_stays_until_it_is_taken_away(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await say(pilot, "Hello")
        await answered(app, pilot, 1)
        home.repository.rate(views(app)[0].id, False, ("harmful or biased",))
        await pilot.press("f3")
        assert "[x]    harmful or biased" in painted(app)
        await pilot.press("0", "enter")
        await until(pilot, lambda: isinstance(app.screen, ChatScreen))
        assert verdicts(home.repository)[0].reasons == ("other", "harmful or biased")
        await pilot.press("f3", "end", "space", "enter")
        await until(pilot, lambda: isinstance(app.screen, ChatScreen))
        assert verdicts(home.repository)[0].reasons == ("other",)


async def test_keys_that_come_in_one_burst_keep_their_order(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await say(pilot, "Hello")
        await answered(app, pilot, 1)
        await pilot.press("f3")
        for key in ("2", "3", "enter"):
            app.post_message(events.Key(key, key if key != "enter" else None))
        await until(pilot, lambda: isinstance(app.screen, ChatScreen))
        assert views(app)[0].reasons == ("ignored the instruction", "wrong")


async def test_reasons_can_be_clicked(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await say(pilot, "Hello")
        await answered(app, pilot, 1)
        await pilot.press("f3")
        await pilot.click("OptionList", offset=(6, 2))
        assert "[x] 3  wrong" in painted(app)
        await pilot.press("space", "space", "up", "space", "enter")
        await until(pilot, lambda: isinstance(app.screen, ChatScreen))
        assert views(app)[0].reasons == ("ignored the instruction", "wrong")


async def test_a_correction_replaces_the_reply_and_keeps_the_original_in_reach(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await say(pilot, "Capital of [b]Peru[/b]?")
        await answered(app, pilot, 1)
        await pilot.press("f4")
        editor = app.screen.query_one(TextArea)
        assert editor.text == "Paris."
        assert "Capital of [b]Peru[/b]?" in painted(app)
        editor.text = "Lima, 利马."
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, ChatScreen))
        assert "✎ corrected" in painted(app)
        assert "O shows the original: Paris." in painted(app)
        (pair,) = preferences(home.repository)
        assert (pair.chosen, pair.rejected) == ("Lima, 利马.", "Paris.")
        markdown = replies(app)[0].query_one(Markdown)
        assert markdown.source == "Lima, 利马."
        await pilot.press("escape", "o")
        assert markdown.source == "Paris."
        assert "O shows your correction: Lima, 利马." in painted(app)
        await pilot.press("o")
        assert markdown.source == "Lima, 利马."
        await pilot.press("ctrl+z")
        assert markdown.source == "Paris."
        assert instructions(home.repository) == []


async def test_the_next_reply_is_asked_for_with_the_correction_in_place(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await say(pilot, "Capital of Peru?")
        await answered(app, pilot, 1)
        await pilot.press("f4")
        app.screen.query_one(TextArea).text = "Lima."
        await pilot.press("ctrl+s")
        await say(pilot, "And of France?")
        await answered(app, pilot, 2)
        assert [turn.content for turn in home.chat.prompts[-1]][1:] == [
            "Capital of Peru?",
            "Lima.",
            "And of France?",
        ]


async def test_leaving_a_changed_correction_asks_first(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await say(pilot, "Hello")
        await answered(app, pilot, 1)
        await pilot.press("f4", "escape")
        assert isinstance(app.screen, ChatScreen)
        await pilot.press("f4", "x", "escape")
        assert "Esc again discards your version" in painted(app)
        await pilot.press("y", "escape")
        assert isinstance(app.screen, CorrectScreen)
        await pilot.press("escape")
        assert isinstance(app.screen, ChatScreen)
        assert instructions(home.repository) == []


@pytest.mark.parametrize(
    ("text", "told"),
    [("", "A correction cannot be empty."), ("Paris.", "The correction is the same as the reply.")],
)
async def test_a_correction_that_cannot_be_kept_is_told_and_not_lost(
    home: Home, text: str, told: str
) -> None:
    async with opened(home) as (app, pilot):
        await say(pilot, "Hello")
        await answered(app, pilot, 1)
        await pilot.press("f4")
        app.screen.query_one(TextArea).text = text
        await pilot.press("ctrl+s")
        await until(pilot, lambda: told in toasts(app))
        assert isinstance(app.screen, CorrectScreen)
        assert app.screen.query_one(TextArea).text == text


async def test_the_panes_stand_side_by_side_where_there_is_room(home: Home) -> None:
    for width, beside in ((70, False), (80, True)):
        async with opened(home, (width, 30)) as (app, pilot):
            await say(pilot, "Hello")
            await answered(app, pilot, 1)
            await pilot.press("f4")
            original = app.screen.query_one("#original").region
            version = app.screen.query_one("#version").region
            assert (original.y == version.y) is beside
            assert (original.x == version.x) is not beside
        home.chat = FakeChat(home.bridge.emit, adapters=home.adapters)


async def test_a_corrected_reply_cannot_be_liked_and_says_why(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await say(pilot, "Hello")
        await answered(app, pilot, 1)
        await pilot.press("f4", "x", "ctrl+s", "f2")
        await until(pilot, lambda: "This reply is already corrected" in toasts(app))
        assert verdicts(home.repository) == []


async def test_undo_takes_one_act_after_the_other_back(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await say(pilot, "Hello")
        await answered(app, pilot, 1)
        await pilot.press("f2", "f3", "escape", "escape", "ctrl+z")
        assert views(app)[0].label is True
        await pilot.press("ctrl+z")
        assert views(app)[0].label is None
        await pilot.press("ctrl+z")
        assert verdicts(home.repository) == []


async def test_ctrl_z_in_the_prompt_undoes_typing_not_teaching(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await say(pilot, "Hello")
        await answered(app, pilot, 1)
        await pilot.press("f2", "x", "ctrl+z")
        assert app.screen.query_one(Prompt).text == ""
        assert views(app)[0].label is True


async def test_badges_are_there_again_after_a_restart(home: Home, tmp_path: Path) -> None:
    async with opened(home) as (app, pilot):
        for count in (1, 2, 3):
            await say(pilot, f"question {count}")
            await answered(app, pilot, count)
        await pilot.press("f3", "3", "enter", "escape", "up", "f2", "up", "f4", "x", "ctrl+s")
        before = views(app)
    home.close()
    again = Home(tmp_path / "home")
    try:
        async with opened(again, (80, 40)) as (app, pilot):
            await pilot.press("ctrl+r", "enter")
            await until(pilot, lambda: len(views(app)) == 3)
            assert views(app) == before
            for badge in (
                "✎ corrected",
                "👍 · 41 tok/s",
                "👎 wrong",
                "O shows the original: Paris.",
            ):
                assert badge in painted(app)
            assert "2 to learn" in painted(app)
    finally:
        again.close()


async def test_what_cannot_be_stored_is_told_and_nothing_is_shown_as_kept(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise TuteeError("The disk is full.", "Make room.")

    async with opened(home) as (app, pilot):
        await say(pilot, "Hello")
        await answered(app, pilot, 1)
        monkeypatch.setattr(home.repository, "rate", full)
        await pilot.press("f2")
        await until(pilot, lambda: "The disk is full. Make room." in toasts(app))
        assert views(app)[0].label is None
        assert transcript(app).target() is not None
