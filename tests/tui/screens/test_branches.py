"""Branches: regenerate, continue, edit; nothing is ever lost."""

import pytest
from textual.widgets import Markdown

from tests.fakes import FakeChat, Home
from tests.live_records import preferences, verdicts
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
from tui.widgets.messages import UserMessage
from tui.widgets.prompt import Prompt, PromptBar


def script(home: Home, *texts: str) -> FakeChat:
    """Script the next replies."""
    home.chat = FakeChat(home.bridge.emit, texts, adapters=home.adapters)
    return home.chat


def by_hand(home: Home) -> FakeChat:
    """A chat worker whose replies the test writes."""
    home.chat = FakeChat(home.bridge.emit, adapters=home.adapters, writes_by_itself=False)
    return home.chat


def path(home: Home) -> list[str]:
    """The texts of the current branch."""
    (conversation,) = home.repository.conversations()
    return [m.content for m in home.repository.messages(conversation.id) if m.role != "system"]


def asked(app: TuteeApp) -> list[str]:
    return [m.view.text for m in transcript(app).query(UserMessage) if m.view]


async def test_again_puts_another_reply_beside_the_first(home: Home) -> None:
    chat = script(home, "one", "two")
    async with opened(home) as (app, pilot):
        await say(pilot, "Count")
        await answered(app, pilot, 1)
        await pilot.press("escape", "r")
        await until(pilot, lambda: [view.text for view in views(app)] == ["two"])
        assert (views(app)[0].place, views(app)[0].places) == (2, 2)
        assert "2/2" in painted(app)
        assert chat.prompts[0] == chat.prompts[1]
        assert path(home) == ["Count", "two"]
        assert app.focused is replies(app)[0]
        await pilot.press("left")
        await until(pilot, lambda: [view.text for view in views(app)] == ["one"])
        assert "1/2" in painted(app)
        assert app.focused is replies(app)[0]
        assert path(home) == ["Count", "one"]
        await pilot.press("left", "left", "right", "right")
        await until(pilot, lambda: [view.text for view in views(app)] == ["two"])


async def test_each_reply_keeps_its_own_feedback_and_what_followed_it(home: Home) -> None:
    script(home, "one", "after one", "two")
    async with opened(home) as (app, pilot):
        for count, text in enumerate(("Count", "And?"), 1):
            await say(pilot, text)
            await answered(app, pilot, count)
        await pilot.press("escape", "up", "plus", "r")
        await until(pilot, lambda: [view.text for view in views(app)] == ["two"])
        assert views(app)[0].label is None
        assert asked(app) == ["Count"]
        await pilot.press("minus", "escape", "left")
        await until(pilot, lambda: len(views(app)) == 2)
        assert [view.text for view in views(app)] == ["one", "after one"]
        assert [view.label for view in views(app)] == [True, None]
        assert [r.completion for r in verdicts(home.repository)] == ["one", "two"]
        assert all(len(r.prompt) == 2 for r in verdicts(home.repository))


async def test_an_earlier_reply_can_be_written_again(home: Home) -> None:
    chat = script(home, "one", "two", "other")
    async with opened(home) as (app, pilot):
        for count, text in enumerate(("First", "Second"), 1):
            await say(pilot, text)
            await answered(app, pilot, count)
        await pilot.press("escape", "k", "r")
        await until(pilot, lambda: [view.text for view in views(app)] == ["other"])
        assert [message.content for message in chat.prompts[-1]][1:] == ["First"]
        await pilot.press("escape")
        await say(pilot, "Third")
        await answered(app, pilot, 2)
        assert path(home)[:3] == ["First", "other", "Third"]


async def test_a_preferred_reply_makes_a_pair_with_each_other_one(home: Home) -> None:
    script(home, "one", "two")
    async with opened(home) as (app, pilot):
        await say(pilot, "Count")
        await answered(app, pilot, 1)
        await pilot.press("escape", "p")
        assert preferences(home.repository) == []
        await pilot.press("r")
        await until(pilot, lambda: views(app) and views(app)[0].text == "two")
        await pilot.press("p")
        await until(pilot, lambda: preferences(home.repository))
        (pair,) = preferences(home.repository)
        assert (pair.chosen, pair.rejected) == ("two", "one")
        await until(pilot, lambda: "preferred" in painted(app))
        await pilot.press("ctrl+z")
        assert preferences(home.repository) == []
        await until(pilot, lambda: "preferred" not in painted(app))


async def test_a_question_is_asked_otherwise_and_the_old_one_stays(home: Home) -> None:
    chat = script(home, "Lyon", "Rome")
    async with opened(home) as (app, pilot):
        prompt = app.screen.query_one(Prompt)
        await say(pilot, "Capital of France?")
        await answered(app, pilot, 1)
        await pilot.press(*"draft", "escape", "e")
        assert prompt.text == "Capital of France?"
        assert app.focused is prompt
        assert "Enter sends again" in painted(app)
        prompt.text = "Capital of Italy?"
        await pilot.press("enter")
        await until(pilot, lambda: [view.text for view in views(app)] == ["Rome"])
        assert prompt.text == "draft"
        assert asked(app) == ["Capital of Italy?"]
        assert "You  2/2" in painted(app)
        assert [message.content for message in chat.prompts[-1]][1:] == ["Capital of Italy?"]
        await pilot.press("escape", "left")
        await until(pilot, lambda: [view.text for view in views(app)] == ["Lyon"])
        assert asked(app) == ["Capital of France?"]
        assert app.focused is replies(app)[0]
        await pilot.press("right_square_bracket")
        await until(pilot, lambda: asked(app) == ["Capital of Italy?"])


async def test_esc_leaves_a_question_as_it_was(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await say(pilot, "Hello")
        await answered(app, pilot, 1)
        await pilot.press(*"draft", "escape", "e", *" there", "escape")
        assert app.screen.query_one(Prompt).text == "draft"
        assert app.screen.query_one(PromptBar).editing == ""
        assert path(home) == ["Hello", "Paris."]
        assert len(home.chat.prompts) == 1


async def test_a_stopped_reply_goes_on_and_the_short_one_stays(home: Home) -> None:
    chat = by_hand(home)
    async with opened(home) as (app, pilot):
        await say(pilot, "Tell")
        chat.write("Once upon ")
        await until(pilot, lambda: "Once upon" in painted(app))
        await pilot.press("escape")
        await answered(app, pilot, 1)
        await pilot.press("escape")
        await until(pilot, lambda: "G continues" in painted(app))
        await pilot.press("g")
        await until(pilot, lambda: len(chat.prompts) == 2)
        assert chat.prompts[1][-1].role == "assistant"
        assert chat.prompts[1][-1].content == "Once upon"
        assert "Once upon" in painted(app)
        chat.write(" a time")
        chat.finish()
        await answered(app, pilot, 1)
        assert views(app)[0].text == "Once upon a time"
        assert replies(app)[0].query_one(Markdown).source == "Once upon a time"
        assert not views(app)[0].stopped
        assert path(home) == ["Tell", "Once upon a time"]
        await pilot.press("left")
        await until(pilot, lambda: views(app)[0].text == "Once upon ")
        assert views(app)[0].stopped


async def test_again_stopped_before_its_first_word_shows_the_first_reply(home: Home) -> None:
    chat = by_hand(home)
    async with opened(home) as (app, pilot):
        await say(pilot, "Tell")
        chat.write("one")
        chat.finish()
        await answered(app, pilot, 1)
        await pilot.press("escape", "r")
        await until(pilot, lambda: len(chat.prompts) == 2)
        assert views(app) == []
        await pilot.press("escape")
        await answered(app, pilot, 1)
        assert (views(app)[0].text, views(app)[0].places) == ("one", 1)
        assert path(home) == ["Tell", "one"]


async def test_a_question_without_a_reply_is_asked_again(home: Home) -> None:
    chat = by_hand(home)
    async with opened(home) as (app, pilot):
        await say(pilot, "Tell")
        await until(pilot, lambda: len(chat.prompts) == 1)
        await pilot.press("escape")
        await until(pilot, lambda: replies(app) == [])
        await say(pilot, "/retry")
        await until(pilot, lambda: len(chat.prompts) == 2)
        chat.write("told")
        chat.finish()
        await answered(app, pilot, 1)
        assert path(home) == ["Tell", "told"]


async def test_while_a_reply_is_written_the_way_stays(home: Home) -> None:
    chat = by_hand(home)
    async with opened(home) as (app, pilot):
        await say(pilot, "one")
        chat.write("1")
        chat.finish()
        await answered(app, pilot, 1)
        await say(pilot, "two")
        await until(pilot, lambda: len(chat.prompts) == 2)
        await say(pilot, "/retry")
        await until(pilot, lambda: "A reply is being written." in toasts(app))
        assert app.screen.query_one(Prompt).text == ""
        chat.write("2")
        chat.finish()
        await answered(app, pilot, 2)
        assert path(home) == ["one", "1", "two", "2"]


@pytest.mark.parametrize("key", ["r", "e", "g", "p", "x", "m", "y", "Y", "left", "c", "plus"])
async def test_these_keys_are_letters_while_one_writes(home: Home, key: str) -> None:
    async with opened(home) as (app, pilot):
        await say(pilot, "Hello")
        await answered(app, pilot, 1)
        await pilot.press(key)
        assert app.focused is app.screen.query_one(Prompt)
        assert len(home.chat.prompts) == 1
        assert home.repository.records() == []


@pytest.mark.parametrize(
    ("again", "badge", "hint"),
    [
        ("Negative.", "✓ as you taught", "+ keeps it as learned."),
        ("Hard to say.", "✗ not as you taught", "You taught: negative"),
    ],
)
async def test_asked_again_a_reply_says_whether_it_is_as_taught(
    home: Home, again: str, badge: str, hint: str
) -> None:
    script(home, "It is a film.", "Paris.", again)
    async with opened(home, (100, 30)) as (app, pilot):
        await say(pilot, "Good film?")
        await answered(app, pilot, 1)
        await say(pilot, "Capital?")
        await answered(app, pilot, 2)
        home.repository.correct(views(app)[0].id, "negative")
        await pilot.press("escape", "up", "r")  # an earlier question, not the last one
        await until(pilot, lambda: badge in painted(app))
        assert hint in painted(app)
        assert (views(app)[0].text, views(app)[0].place) == (again, 2)
        await pilot.press("+")
        await until(pilot, lambda: badge not in painted(app))
        assert views(app)[0].label is True
