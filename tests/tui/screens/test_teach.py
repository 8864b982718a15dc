"""The teaching queue: one key for each reply, from chats, an import or a file of prompts."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import TextArea

from store.errors import TuteeError
from store.records import Conversation, ImportedConversation, Message
from tests.fakes import FakeChat, Home
from tests.live_records import instructions, preferences, verdicts
from tests.tui.conftest import answered, app_over, opened, painted, say, toasts, until, views
from tui.app.tutee_app import TuteeApp
from tui.screens.chat import ChatScreen
from tui.screens.correct import CorrectScreen
from tui.screens.teach import TeachScreen


def chat(home: Home, *replies: str) -> None:
    """A stored chat with a question before each reply."""
    conversation = home.repository.start_conversation()
    for reply in replies:
        home.repository.add_message(conversation.id, "user", f"Why {reply}?")
        home.repository.add_message(conversation.id, "assistant", reply)


async def teaching(app: TuteeApp, pilot: Pilot[Any], wanted: str = "") -> None:
    await say(pilot, f"/teach {wanted}".strip())
    await until(pilot, lambda: isinstance(app.screen, TeachScreen) and app.screen.is_mounted)


async def test_each_key_stores_feedback_and_shows_the_next_reply(home: Home) -> None:
    chat(home, "one", "two", "three", "four")
    async with opened(home) as (app, pilot):
        await teaching(app, pilot)
        await until(pilot, lambda: "1 of 4" in painted(app) and "Why one?" in painted(app))
        await pilot.press("g")
        await until(pilot, lambda: "2 of 4" in painted(app) and "Why two?" in painted(app))
        assert "after 2 earlier messages" in painted(app)
        await pilot.press("b")
        await until(pilot, lambda: "Why three?" in painted(app))
        await pilot.press("f")
        await until(pilot, lambda: isinstance(app.screen, CorrectScreen))
        app.screen.query_one(TextArea).text = "3"
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "Why four?" in painted(app))
        await pilot.press("s")
        await until(pilot, lambda: "That was the last one." in painted(app))
        assert [(v.completion, v.label) for v in verdicts(home.repository)] == [
            ("one", True),
            ("two", False),
        ]
        assert [p.chosen for p in preferences(home.repository)] == ["3"]
        assert [i.completion for i in instructions(home.repository)] == ["one", "3"]
        await pilot.press("escape")
        assert isinstance(app.screen, ChatScreen)
        await until(pilot, lambda: "2 to learn" in painted(app))


async def test_it_says_how_much_is_missing_until_the_next_training(home: Home) -> None:
    sft = home.config.tuning.sft.model_copy(update={"minimum_records": 2})
    tuning = home.config.tuning.model_copy(update={"sft": sft})
    home.config = home.config.model_copy(update={"tuning": tuning})
    chat(home, "one", "two", "three")
    async with opened(home) as (app, pilot):
        await until(pilot, lambda: "0 to learn" in painted(app))
        await teaching(app, pilot)
        await until(pilot, lambda: "2 more good or fixed replies until" in painted(app))
        await pilot.press("b")
        await until(pilot, lambda: "2 of 3 · 2 more good or fixed" in painted(app))
        await pilot.press("g")
        await until(pilot, lambda: "1 more good or fixed reply until" in painted(app))
        await pilot.press("g")
        await until(pilot, lambda: "enough to train: F5" in painted(app))


async def test_undo_returns_to_the_reply(home: Home) -> None:
    chat(home, "one", "two")
    async with opened(home) as (app, pilot):
        await teaching(app, pilot)
        await pilot.press("ctrl+z")
        await pilot.press("g", "s", "ctrl+z")
        await until(pilot, lambda: "1 of 2" in painted(app) and "Why one?" in painted(app))
        assert home.repository.records() == []


async def test_what_was_rated_does_not_come_again_and_none_is_told(home: Home) -> None:
    chat(home, "one", "two")
    async with opened(home) as (app, pilot):
        await teaching(app, pilot)
        await pilot.press("g", "escape")
        await teaching(app, pilot)
        await until(pilot, lambda: "1 of 1" in painted(app) and "Why two?" in painted(app))
        await pilot.press("b", "escape")
        await say(pilot, "/teach")
        await until(pilot, lambda: "There are no replies left to rate." in toasts(app))
        assert isinstance(app.screen, ChatScreen)


async def test_an_import_is_a_queue_of_its_own(home: Home) -> None:
    chat(home, "mine")
    conversation = Conversation(title="Theirs", source="import:old.json")
    asked = Message(conversation_id=conversation.id, role="user", content="Who?")
    reply = Message(
        conversation_id=conversation.id, parent_id=asked.id, role="assistant", content="Them."
    )
    home.repository.add_imported([], [ImportedConversation(conversation, (asked, reply))])
    async with opened(home) as (app, pilot):
        await teaching(app, pilot, "old.json")
        await until(pilot, lambda: "1 of 1" in painted(app) and "Them." in painted(app))
        await pilot.press("g", "escape")
        await say(pilot, "/teach nowhere")
        await until(pilot, lambda: "no file and no import named nowhere" in toasts(app))


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    path = tmp_path / "my prompts.txt"
    path.write_text("Capital of France?\nCapital of Peru?\n")
    return path


async def test_prompts_of_a_file_are_answered_first_and_kept_as_chats(
    home: Home, prompts: Path
) -> None:
    home.chat = FakeChat(home.bridge.emit, ["Paris.", "Lima."], adapters=home.adapters)
    async with opened(home) as (app, pilot):
        await teaching(app, pilot, f'"{prompts}"')
        await until(pilot, lambda: "Paris." in painted(app) and "1 of 2" in painted(app))
        await pilot.press("g")
        await until(pilot, lambda: "Lima." in painted(app))
        await pilot.press("b", "escape")
        assert [v.label for v in verdicts(home.repository)] == [True, False]
        assert len(home.repository.conversations()) == 2
        (lesson,) = instructions(home.repository)
        assert lesson.prompt[-1].content == "Capital of France?"
        assert lesson.origin.adapter == "base"
        await say(pilot, f"/teach {prompts.parent / 'none'}")
        await until(pilot, lambda: "There is no file and no import" in toasts(app))


async def test_a_reply_in_progress_cannot_be_rated_and_leaving_stops_it(
    home: Home, prompts: Path
) -> None:
    home.chat = FakeChat(home.bridge.emit, adapters=home.adapters, writes_by_itself=False)
    async with opened(home) as (app, pilot):
        await teaching(app, pilot, str(prompts))
        home.chat.write("Par")
        await until(pilot, lambda: "Par" in painted(app) and "writing…" in painted(app))
        await pilot.press("g")
        assert home.repository.records() == []
        assert "1 of 2" in painted(app)
        await pilot.press("escape")
        assert home.chat.answers_stopped >= 1
        home.chat.finish()
        home.chat.finish()


async def test_a_prompt_that_fails_can_be_tried_again(home: Home, prompts: Path) -> None:
    home.chat.fail_next = TuteeError("There is not enough memory.")
    async with opened(home) as (app, pilot):
        await teaching(app, pilot, str(prompts))
        await until(pilot, lambda: "There is not enough memory." in toasts(app))
        await until(pilot, lambda: "It could not be answered." in painted(app))
        await pilot.press("r")
        await until(pilot, lambda: "Paris." in painted(app))


async def test_the_app_can_open_in_the_queue(home: Home, prompts: Path) -> None:
    services = replace(home.services(), teach=str(prompts))
    app = app_over(home)
    app.startup.enter = lambda: services
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: app.open and isinstance(app.screen, TeachScreen))
        await until(pilot, lambda: "Paris." in painted(app))
        await pilot.press("g", "escape")
        await until(pilot, lambda: isinstance(app.screen, ChatScreen))
        assert views(app) == []
        await say(pilot, "Hello")
        await answered(app, pilot, 1)
    assert home.chat.close(5.0)
    assert home.tuning.close(5.0)
