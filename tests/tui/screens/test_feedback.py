"""Feedback by keys: thumbs, reasons, corrections, undo, and what is left after a restart."""

from pathlib import Path
from typing import Any

import pytest
from textual import events
from textual.pilot import Pilot
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
from tui.app.tutee_app import TuteeApp
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


async def test_without_a_reply_the_keys_say_why(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await pilot.press("f2", "f3", "f4")
        assert isinstance(app.screen, ChatScreen)
        assert verdicts(home.repository) == []
        await until(pilot, lambda: "There is no complete reply yet. Ask something" in toasts(app))


async def two_replies_one_in_progress(home: Home, app: TuteeApp, pilot: Pilot[Any]) -> None:
    """One complete reply, and the next one half written."""
    await say(pilot, "First")
    home.chat.write("one")
    home.chat.finish()
    await answered(app, pilot, 1)
    await say(pilot, "Second")
    home.chat.write("two")
    await until(pilot, lambda: "two" in painted(app))


@pytest.fixture
def slow(home: Home) -> Home:
    """A home whose model writes when it is told to."""
    home.chat = FakeChat(home.bridge.emit, adapters=home.adapters, writes_by_itself=False)
    return home


@pytest.mark.parametrize(("key", "label"), [("f2", True), ("f3", False)])
@pytest.mark.parametrize("focused", [False, True])
async def test_a_reply_in_progress_is_rated_when_it_ends(
    slow: Home, key: str, label: bool, focused: bool
) -> None:
    async with opened(slow) as (app, pilot):
        await two_replies_one_in_progress(slow, app, pilot)
        if focused:
            await pilot.press("ctrl+up")
        await pilot.press(key)
        assert isinstance(app.screen, ChatScreen)
        assert verdicts(slow.repository) == []
        await until(pilot, lambda: f"writing… · {'👍' if label else '👎'}" in painted(app))
        slow.chat.write(" and more")
        slow.chat.finish()
        await answered(app, pilot, 2)
        await until(pilot, lambda: [v.label for v in views(app)] == [None, label])
        assert verdicts(slow.repository)[0].completion == "two and more"


async def test_the_last_key_counts_while_a_reply_is_written_and_undo_takes_it_back(
    slow: Home,
) -> None:
    async with opened(slow) as (app, pilot):
        await two_replies_one_in_progress(slow, app, pilot)
        await pilot.press("f2", "f3")
        await say(pilot, "/bad too long")
        await until(pilot, lambda: "writing… · 👎" in painted(app))
        slow.chat.finish()
        await answered(app, pilot, 2)
        (verdict,) = verdicts(slow.repository)
        assert (verdict.label, verdict.comment) == (False, "too long")
        await say(pilot, "Third")
        slow.chat.write("three")
        await until(pilot, lambda: "three" in painted(app))
        await pilot.press("f2")
        await until(pilot, lambda: "writing… · 👍" in painted(app))
        await say(pilot, "/undo")
        await until(pilot, lambda: "writing… · 👍" not in painted(app))
        slow.chat.finish()
        await answered(app, pilot, 3)
        assert len(verdicts(slow.repository)) == 1, "the reply before keeps its own"


async def test_correcting_a_reply_in_progress_opens_the_editor_when_it_ends(slow: Home) -> None:
    async with opened(slow) as (app, pilot):
        await two_replies_one_in_progress(slow, app, pilot)
        await pilot.press("f3", "f4")
        assert isinstance(app.screen, ChatScreen)
        await until(pilot, lambda: "writing… · 👎 ✎" in painted(app))
        slow.chat.finish()
        await until(pilot, lambda: isinstance(app.screen, CorrectScreen))
        assert app.screen.query_one(TextArea).text == "two"
        assert [v.completion for v in verdicts(slow.repository)] == ["two"]
        await pilot.press("escape")


async def test_the_editor_does_not_open_over_what_one_writes(slow: Home) -> None:
    async with opened(slow) as (app, pilot):
        await two_replies_one_in_progress(slow, app, pilot)
        await pilot.press("f4", "h")
        slow.chat.finish()
        await until(pilot, lambda: "The reply is complete. F4 corrects it." in toasts(app))
        assert isinstance(app.screen, ChatScreen)
        assert app.screen.query_one(Prompt).text == "h"


async def test_a_correction_given_as_a_command_waits_for_the_reply(slow: Home) -> None:
    async with opened(slow) as (app, pilot):
        await two_replies_one_in_progress(slow, app, pilot)
        await say(pilot, "/fix three")
        slow.chat.finish()
        await until(pilot, lambda: [v.correction for v in views(app)] == [None, "three"])
        assert isinstance(app.screen, ChatScreen)


async def test_a_reply_that_never_began_cannot_be_rated_and_says_so(slow: Home) -> None:
    async with opened(slow) as (app, pilot):
        await say(pilot, "First")
        slow.chat.write("one")
        slow.chat.finish()
        await answered(app, pilot, 1)
        await say(pilot, "Second")
        await until(pilot, lambda: "writing…" in painted(app))
        await pilot.press("f2", "escape")
        await until(pilot, lambda: "there is nothing to rate" in toasts(app))
        assert verdicts(slow.repository) == []


async def test_a_rating_reaches_its_reply_in_a_chat_that_was_left(slow: Home) -> None:
    async with opened(slow) as (app, pilot):
        await say(pilot, "First")
        slow.chat.write("one")
        await until(pilot, lambda: "one" in painted(app))
        await pilot.press("f2", "ctrl+n")
        slow.chat.finish()
        await until(pilot, lambda: [v.label for v in verdicts(slow.repository)] == [True])
        assert verdicts(slow.repository)[0].completion == "one"


async def test_what_else_writes_records_waits_for_the_reply(slow: Home) -> None:
    async with opened(slow) as (app, pilot):
        await two_replies_one_in_progress(slow, app, pilot)
        for command in ("/prefer", "/exclude", "/undo"):
            await say(pilot, command)
            await until(pilot, lambda: "The reply is still being written." in toasts(app))
        assert slow.repository.records() == []


async def test_a_command_that_is_not_possible_says_why_and_leaves_the_prompt_empty(
    home: Home,
) -> None:
    async with opened(home) as (app, pilot):
        await say(pilot, "/bad")
        await until(pilot, lambda: "There is no complete reply yet. Ask something" in toasts(app))
        assert app.screen.query_one(Prompt).text == ""
        await say(pilot, "/save")
        await until(pilot, lambda: "This chat has no messages yet." in toasts(app))
        assert home.chat.prompts == []
        await say(pilot, "/bad because")
        prompt = app.screen.query_one(Prompt)
        await until(pilot, lambda: prompt.text == "/bad because")
        await pilot.press("x")
        assert prompt.text == "x", "typing replaces it"


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


@pytest.mark.parametrize("first", ["f4", "c"])
async def test_a_burst_that_opens_a_dialog_reaches_it_whole(home: Home, first: str) -> None:
    async with opened(home) as (app, pilot):
        await say(pilot, "Hello")
        await answered(app, pilot, 1)
        await pilot.press(*(["escape"] if first == "c" else []))
        for key in (first, "ctrl+u", *"no"):
            app.post_message(events.Key(key, key if len(key) == 1 else None))
        await until(pilot, lambda: isinstance(app.screen, CorrectScreen))
        await until(pilot, lambda: app.screen.query_one(TextArea).text == "no")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, ChatScreen))
        assert app.screen.query_one(Prompt).text == ""
        assert views(app)[0].correction == "no"


async def test_a_burst_reaches_a_second_dialog_and_the_screen_below(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await say(pilot, "Hello")
        await answered(app, pilot, 1)
        for key in ("f3", "2", "enter", *"Go on"):
            app.post_message(events.Key(key, key if len(key) == 1 else None))
        prompt = app.screen.query_one(Prompt)
        await until(pilot, lambda: prompt.text == "Go on")
        assert views(app)[0].reasons == ("ignored the instruction",)


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


async def test_an_unchanged_correction_is_a_thumb_up(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await say(pilot, "Hello")
        await answered(app, pilot, 1)
        await pilot.press("f3", "escape", "f4", "ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, ChatScreen))
        await until(pilot, lambda: "Unchanged, so it is kept as 👍." in toasts(app))
        assert [v.label for v in verdicts(home.repository)] == [True]
        assert [i.completion for i in instructions(home.repository)] == ["Paris."]
        await pilot.press("escape", "ctrl+z")
        assert [v.label for v in verdicts(home.repository)] == [False]


async def test_going_back_to_the_original_takes_the_correction_back(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await say(pilot, "Hello")
        await answered(app, pilot, 1)
        await say(pilot, "/fix Lima.")
        await until(pilot, lambda: views(app)[0].correction == "Lima.")
        await say(pilot, "/fix Paris.")
        await until(pilot, lambda: views(app)[0].label is True)
        assert views(app)[0].correction is None
        assert preferences(home.repository) == []
        await say(pilot, "/undo")
        await until(pilot, lambda: views(app)[0].correction == "Lima.")


async def test_a_correction_that_cannot_be_kept_is_told_and_not_lost(home: Home) -> None:
    text, told = "", "A correction cannot be empty."
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
