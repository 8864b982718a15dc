"""A second try as the correction of the first reply: offered, taken with one key, undone."""

from typing import Any

import pytest
from textual.pilot import Pilot

from tests.fakes import FakeChat, Home
from tests.live_records import instructions, preferences
from tests.tui.conftest import answered, opened, painted, say, toasts, until, views
from tui.app.tutee_app import TuteeApp
from tui.widgets.prompt import Prompt

OFFER = "Better? Ctrl+S makes this the correction of the first reply."
LONG = "The capital of France is Paris, a large city on the Seine."


@pytest.fixture
def talk(home: Home) -> Home:
    home.chat = FakeChat(home.bridge.emit, [LONG, "Paris.", "P."], adapters=home.adapters)
    return home


async def asked(app: TuteeApp, pilot: Pilot[Any], *texts: str) -> None:
    for text in texts:
        before = len(views(app))
        await say(pilot, text)
        await answered(app, pilot, before + 1)


async def test_the_reply_to_a_follow_up_corrects_the_first_one(talk: Home) -> None:
    async with opened(talk) as (app, pilot):
        await asked(app, pilot, "Capital of France?")
        assert OFFER not in painted(app)
        await asked(app, pilot, "shorter, please")
        await until(pilot, lambda: OFFER in painted(app))
        assert talk.repository.records() == [], "it is never taken by itself"
        await pilot.press("ctrl+s")
        await until(pilot, lambda: [v.correction for v in views(app)] == ["Paris.", None])
        (pair,) = preferences(talk.repository)
        (lesson,) = instructions(talk.repository)
        assert (pair.chosen, pair.rejected) == ("Paris.", LONG)
        assert [m.content for m in lesson.prompt][-1] == "Capital of France?"
        assert lesson.comment == "shorter, please"
        await until(pilot, lambda: "✎ corrects the first reply" in painted(app))
        assert OFFER not in painted(app)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: talk.repository.records() == [])
        await until(pilot, lambda: OFFER in painted(app))


async def test_it_is_undone_on_the_first_reply_too(talk: Home) -> None:
    async with opened(talk) as (app, pilot):
        await asked(app, pilot, "Capital of France?", "shorter, please")
        await say(pilot, "/better")
        await until(pilot, lambda: views(app)[0].correction == "Paris.")
        await pilot.press("ctrl+up", "up", "ctrl+z")
        await until(pilot, lambda: talk.repository.records() == [])


async def test_a_third_try_still_corrects_the_first_reply(talk: Home) -> None:
    async with opened(talk) as (app, pilot):
        await asked(app, pilot, "Capital of France?", "shorter", "even shorter")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: [v.correction for v in views(app)] == ["P.", None, None])


async def test_an_edited_question_corrects_the_reply_to_the_first_version(talk: Home) -> None:
    async with opened(talk) as (app, pilot):
        await asked(app, pilot, "Capital of France?")
        await pilot.press("escape", "e")
        app.screen.query_one(Prompt).text = "Capital of France, one word"
        await pilot.press("enter")
        await until(pilot, lambda: [v.text for v in views(app)] == ["Paris."])
        await until(pilot, lambda: OFFER in painted(app))
        await pilot.press("ctrl+s")
        await until(pilot, lambda: len(talk.repository.records()) == 2)
        (lesson,) = instructions(talk.repository)
        assert lesson.prompt[-1].content == "Capital of France?"
        assert lesson.completion == "Paris."


async def test_another_reply_to_the_same_question_corrects_the_first(talk: Home) -> None:
    async with opened(talk) as (app, pilot):
        await asked(app, pilot, "Capital of France?")
        await pilot.press("escape", "r")
        await until(pilot, lambda: [v.text for v in views(app)] == ["Paris."])
        await pilot.press("s")
        await until(pilot, lambda: len(talk.repository.records()) == 2)


@pytest.mark.parametrize(
    "text",
    ["And of Peru?", "Thanks!", "谢谢", "你喜欢哪个城市？", "Now tell me how the metro works"],
)
async def test_another_question_is_no_second_try_but_the_key_works(talk: Home, text: str) -> None:
    async with opened(talk) as (app, pilot):
        await asked(app, pilot, "Capital of France?", text)
        assert OFFER not in painted(app)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: views(app)[0].correction == "Paris.")


@pytest.mark.parametrize(
    "text",
    [
        "in Chinese",
        "No, as a list.",
        "Could you make it shorter?",
        "just one word please",
        "短一点",
        "用中文回答",
        "能不能再简单点？",
        "不对，重写",
    ],
)
async def test_wishes_for_another_try_are_known(talk: Home, text: str) -> None:
    async with opened(talk) as (app, pilot):
        await asked(app, pilot, "Capital of France?", text)
        await until(pilot, lambda: OFFER in painted(app))


async def test_nothing_is_offered_for_a_reply_that_was_good(talk: Home) -> None:
    async with opened(talk) as (app, pilot):
        await asked(app, pilot, "Capital of France?")
        await pilot.press("f2")
        await asked(app, pilot, "shorter")
        assert OFFER not in painted(app)


async def test_the_offer_leaves_with_the_next_question(talk: Home) -> None:
    async with opened(talk) as (app, pilot):
        await asked(app, pilot, "Capital of France?", "shorter", "And of Peru?")
        assert OFFER not in painted(app)


async def test_the_first_reply_says_that_there_is_none_to_correct(talk: Home) -> None:
    async with opened(talk) as (app, pilot):
        await asked(app, pilot, "Capital of France?")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "This is the first reply to its question" in toasts(app))
        assert talk.repository.records() == []
