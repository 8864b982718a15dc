"""What talking looks like, held as pictures; `pytest --snapshot-update` renews them."""

from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import OptionList

from store.records import Conversation, ImportedConversation, Message
from tests.fakes import FakeChat, Home
from tests.tui.conftest import painted, say, toasts, until, views
from tests.tui.screens.test_snapshots import held
from tui.app.tutee_app import TuteeApp

SIZES = [(80, 24), (200, 60)]
ANSWERS = (
    "Paris. It lies on the *Seine*.",
    "Try:\n\n```python\nprint('你好')\n```",
    "Paris!",
)


@pytest.fixture
def talking(home: Home) -> Home:
    home.chat = FakeChat(home.bridge.emit, ANSWERS, adapters=home.adapters)
    return home


@pytest.mark.parametrize("size", SIZES)
def test_a_reply_in_focus(talking: Home, snap_compare: Any, size: tuple[int, int]) -> None:
    async def script(app: TuteeApp, pilot: Pilot[Any]) -> None:
        for count, text in enumerate(("Capital of France?", "And code for 你好?"), 1):
            await say(pilot, text)
            await until(pilot, lambda: len(views(app)) == count)  # noqa: B023
        await pilot.press("escape", "k", "r")
        await until(pilot, lambda: [view.text for view in views(app)] == ["Paris!"])
        await pilot.press("left")
        await until(pilot, lambda: len(views(app)) == 2)
        await pilot.press("plus", "j", "plus", "x")

    assert held(talking, snap_compare, script, terminal_size=size)


@pytest.mark.parametrize("size", SIZES)
def test_the_commands(talking: Home, snap_compare: Any, size: tuple[int, int]) -> None:
    async def script(app: TuteeApp, pilot: Pilot[Any]) -> None:
        await say(pilot, "Capital of France?")
        await until(pilot, lambda: views(app))
        await pilot.press("slash", "down", "down")

    assert held(talking, snap_compare, script, terminal_size=size)


@pytest.mark.parametrize("size", SIZES)
def test_the_list_of_chats(home: Home, snap_compare: Any, size: tuple[int, int]) -> None:
    for number, (title, text) in enumerate(
        (
            ("关于茶的问题", "What is the best water for tea?"),
            ("[b]Lisbon[/b] when it rains", "Where do I drink tea in Lisbon?"),
            ("A very long title " * 6, "tea"),
            ("Sentiment of film reviews", "No, tea is not a film."),
        ),
        1,
    ):
        moment: Any = f"2026-01-{number:02}T12:00:00Z"
        talk = Conversation(id=f"c{number}", title=title, created=moment, updated=moment)
        said = Message(
            id=f"m{number}", conversation_id=talk.id, role="user", content=text, created=moment
        )
        home.repository.add_imported((), [ImportedConversation(talk, (said,))])
    home.repository.pin_conversation("c2", True)

    async def script(app: TuteeApp, pilot: Pilot[Any]) -> None:
        await pilot.press("ctrl+r", *"tea", "down", "down")
        await until(pilot, lambda: app.screen.query_one(OptionList).option_count == 4)

    assert held(home, snap_compare, script, terminal_size=size)


def test_the_settings_of_a_chat(home: Home, snap_compare: Any) -> None:
    async def script(app: TuteeApp, pilot: Pilot[Any]) -> None:
        await say(pilot, "/preset creative")
        await until(pilot, lambda: bool(toasts(app)))
        app.clear_notifications()  # how long it stays is a matter of time
        await until(pilot, lambda: not app.screen.query("Toast"))
        await say(pilot, "/system")
        await until(pilot, lambda: "System prompt" in painted(app))

    assert held(home, snap_compare, script)


def test_what_waits_and_what_goes_along(
    home: Home, snap_compare: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.md").write_text("one\ntwo\n")
    home.chat = FakeChat(home.bridge.emit, adapters=home.adapters, writes_by_itself=False)

    async def script(app: TuteeApp, pilot: Pilot[Any]) -> None:
        await say(pilot, "Summarise @notes.md")
        home.chat.write("The notes count to")
        await until(pilot, lambda: "count to" in painted(app))
        await say(pilot, "In Chinese, please: 你好")
        await pilot.press(*"And @no")

    assert held(home, snap_compare, script)
