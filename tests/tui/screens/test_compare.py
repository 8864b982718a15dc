"""F6: two versions on one prompt, blind until the choice, and the choice is kept."""

from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Static, TextArea

from store.errors import TuteeError
from store.records import ChatMessage, Preference, Verdict
from tests.fakes import FakeChat, Home
from tests.live_records import preferences, verdicts
from tests.tui.conftest import answered, opened, painted, replies, say, toasts, until
from tests.tui.screens.test_tuning import ready
from tests.tui.screens.test_versions import made
from tui.app.tutee_app import TuteeApp
from tui.controllers.comparison import ComparisonController
from tui.screens.chat import ChatScreen
from tui.screens.compare import CompareScreen
from tui.widgets.comparison import ComparisonPane


@pytest.fixture
def versions(home: Home) -> Home:
    """Two versions, the second made from the first and answering; replies come in this order."""
    made(home), made(home, parent="v1")
    home.adapters.use("v2")
    home.chat = FakeChat(
        home.bridge.emit, ("Paris.", "It is [b]Paris[/b].", "Lyon."), adapters=home.adapters
    )
    return home


async def comparing(
    app: TuteeApp, pilot: Pilot[Any], *, swap: bool = False
) -> ComparisonController:
    """Open the screen; `swap` decides what the dice would."""
    await ready(app, pilot)
    await pilot.press("f6")
    await until(pilot, lambda: isinstance(app.screen, CompareScreen) and app.screen.is_mounted)
    assert isinstance(app.screen, CompareScreen)
    app.screen._comparison._swap = lambda: swap
    return app.screen._comparison


def titles(app: TuteeApp) -> list[str]:
    return [str(pane.border_title) for pane in app.screen.query(ComparisonPane)]


async def asked(app: TuteeApp, pilot: Pilot[Any], prompt: str = "Capital of France?") -> None:
    """Ask both, and wait until one can choose."""
    app.screen.query_one(TextArea).text = prompt
    await pilot.press("enter")
    await until(pilot, lambda: "↓ both bad" in painted(app))


async def test_files_of_the_last_question_go_along_unseen(
    versions: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.md").write_text("tea at five")
    async with opened(versions) as (app, pilot):
        await say(pilot, "Read @notes.md")
        await answered(app, pilot, 1)
        await comparing(app, pilot)
        assert app.screen.query_one(TextArea).text == "Read @notes.md"
        await asked(app, pilot, "Read @notes.md")
        assert all("tea at five" in turns[-1].content for _, turns in versions.chat.compared)


async def test_a_blind_choice_is_kept_and_then_told(versions: Home) -> None:
    async with opened(versions) as (app, pilot):
        await say(pilot, "Capital?")
        await answered(app, pilot, 1)
        await comparing(app, pilot, swap=True)
        await asked(app, pilot)
        assert [version for version, _ in versions.chat.compared] == ["v1", "v2"]
        assert titles(app) == ["A", "B"]
        assert "v1" not in painted(app).split("hide the versions")[1]
        assert "It is [b]Paris[/b]." in painted(app)
        await pilot.press("left")
        await until(pilot, lambda: "v1 was better than v2: kept as 1 preference." in painted(app))
        assert titles(app) == ["A · v1", "B · v2"]
        (record,) = versions.repository.records()
        assert isinstance(record, Preference)
        assert (record.chosen, record.rejected) == ("It is [b]Paris[/b].", "Lyon.")
        assert record.prompt[-1].content == "Capital of France?"
        assert record.conversation_id is None
        assert (record.origin.source, record.origin.adapter) == ("compare", "v1")
        assert record.origin.model == "fake-1"


@pytest.mark.parametrize(
    ("key", "label", "said"),
    [("up", True, "v2 and v1 were both good"), ("down", False, "v2 and v1 were both bad")],
)
async def test_two_as_good_as_each_other_get_a_thumb_each(
    versions: Home, key: str, label: bool, said: str
) -> None:
    async with opened(versions) as (app, pilot):
        await comparing(app, pilot)
        await asked(app, pilot)
        await pilot.press(key)
        await until(pilot, lambda: f"{said}: kept as 2 verdicts." in painted(app))
        records = versions.repository.records()
        assert [(r.completion, r.label) for r in records if isinstance(r, Verdict)] == [
            ("Paris.", label),
            ("It is [b]Paris[/b].", label),
        ]
        await pilot.press("left")  # the choice is made
        assert len(versions.repository.records()) == 2


async def test_a_choice_can_be_taken_back_and_made_again(versions: Home) -> None:
    async with opened(versions) as (app, pilot):
        await comparing(app, pilot)
        await asked(app, pilot)
        await pilot.press("right")
        await until(pilot, lambda: len(preferences(versions.repository)) == 1)
        await pilot.press("ctrl+z")
        await until(pilot, lambda: "Undone." in painted(app))
        assert versions.repository.records() == []
        assert titles(app) == ["A", "B"]
        await pilot.press("left")
        await until(pilot, lambda: len(preferences(versions.repository)) == 1)
        assert preferences(versions.repository)[0].chosen == "Paris."


async def test_the_last_question_is_asked_with_the_chat_before_it(versions: Home) -> None:
    async with opened(versions) as (app, pilot):
        await ready(app, pilot)
        await say(pilot, "I like short replies.")
        await answered(app, pilot, 1)
        await say(pilot, "Capital of\nFrance?")
        await answered(app, pilot, 2)
        await comparing(app, pilot)
        assert app.screen.query_one(TextArea).text == "Capital of\nFrance?"
        await pilot.press("enter")
        await until(pilot, lambda: "↓ both bad" in painted(app))
        for _, turns in versions.chat.compared:
            assert turns[-3:] == (
                ChatMessage(role="user", content="I like short replies."),
                ChatMessage(role="assistant", content="Paris."),
                ChatMessage(role="user", content="Capital of\nFrance?"),
            )
        (conversation,) = versions.repository.conversations()
        await pilot.press("up", "escape")
        assert verdicts(versions.repository)[0].conversation_id == conversation.id
        assert isinstance(app.screen, ChatScreen)
        assert len(replies(app)) == 2
        assert versions.chat.answers_stopped > 1


async def test_nothing_can_be_chosen_before_both_have_answered(versions: Home) -> None:
    versions.chat = FakeChat(
        versions.bridge.emit, adapters=versions.adapters, writes_by_itself=False
    )
    async with opened(versions) as (app, pilot):
        await comparing(app, pilot)
        await pilot.press(*"Hi", "enter")
        versions.chat.write("Hello")
        await until(pilot, lambda: "Hello" in painted(app))
        assert "Generating both replies" in painted(app)
        await pilot.press("left", "up")
        assert versions.repository.records() == []
        versions.chat.finish()
        versions.chat.write("Hello")
        versions.chat.finish()
        await until(pilot, lambda: "The replies are the same." in painted(app))
        await pilot.press("left")
        await until(pilot, lambda: "Both replies are the same" in toasts(app))
        await pilot.press("up")
        await until(pilot, lambda: "kept as 1 verdict." in painted(app))


async def test_names_can_be_shown_and_other_versions_chosen(versions: Home) -> None:
    async with opened(versions) as (app, pilot):
        await comparing(app, pilot, swap=True)
        await pilot.press("tab", "tab", "right", "tab", "space")
        await asked(app, pilot)
        assert [version for version, _ in versions.chat.compared] == ["v2", "base"]
        assert titles(app) == ["A · v2", "B · base"]


async def test_an_answer_that_fails_is_told_and_can_be_asked_again(versions: Home) -> None:
    versions.chat.fail_next = TuteeError("v2 cannot be loaded.", "Train again.")
    async with opened(versions) as (app, pilot):
        await comparing(app, pilot)
        await pilot.press(*"Hi", "enter")
        await until(pilot, lambda: "v2 cannot be loaded." in toasts(app))
        await asked(app, pilot)


async def test_with_the_base_alone_two_samples_of_it_are_compared(home: Home) -> None:
    home.chat = FakeChat(home.bridge.emit, ("Paris.", "Lyon."), adapters=home.adapters)
    async with opened(home) as (app, pilot):
        await comparing(app, pilot)
        await asked(app, pilot)
        assert [version for version, _ in home.chat.compared] == ["base", "base"]
        await pilot.press("left")
        await until(pilot, lambda: "A was better than B: kept as 1 preference." in painted(app))
        assert titles(app) == ["A · base", "B · base"]
        (pair,) = preferences(home.repository)
        assert (pair.chosen, pair.rejected) == ("Paris.", "Lyon.")
        assert pair.origin.sampling is not None
        assert pair.origin.sampling.temperature == 0.8


async def test_without_a_prompt_nothing_is_asked(versions: Home) -> None:
    async with opened(versions) as (app, pilot):
        await comparing(app, pilot)
        await pilot.press("enter")
        await until(pilot, lambda: "The prompt is empty." in toasts(app))
        assert versions.chat.compared == []


async def test_typing_replaces_the_question_and_it_is_shown_whole(versions: Home) -> None:
    asked_before = "What is the sentiment of this review? " + "word " * 40
    async with opened(versions) as (app, pilot):
        await ready(app, pilot)
        await say(pilot, asked_before)
        await answered(app, pilot, 1)
        await comparing(app, pilot)
        await pilot.press(*"Hi")
        assert app.screen.query_one(TextArea).text == "Hi"
        await asked(app, pilot, asked_before)
        asked_now = str(app.screen.query_one("#compare-asked Static", Static).render())
        assert asked_now.split() == asked_before.split()


async def test_after_a_choice_typing_begins_the_next_question(versions: Home) -> None:
    async with opened(versions) as (app, pilot):
        await comparing(app, pilot)
        await asked(app, pilot)
        await pilot.press("x", "left")
        await until(pilot, lambda: "kept as 1 preference" in painted(app))
        await pilot.press(*"New?", "enter")
        await until(pilot, lambda: versions.chat.compared[-1][1][-1].content == "New?")


async def test_without_a_version_it_says_that_both_are_the_original_model(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await comparing(app, pilot)
        await until(pilot, lambda: "Nothing is trained yet: both replies" in painted(app))
