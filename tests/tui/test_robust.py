"""Nothing crashes the screen: hostile text on every screen, a dead worker, a storm of resizes."""

import asyncio
from typing import Any

import pytest
from textual import events
from textual.geometry import Size
from textual.pilot import Pilot

from store.errors import TuteeError
from tests.fakes import FakeChat, Home
from tests.tui.conftest import answered, opened, painted, say, toasts, until, views
from tests.tui.screens.test_tuning import ready, teach
from tui.app.tutee_app import TuteeApp
from tui.screens.chat import ChatScreen
from tui.screens.compare import CompareScreen
from tui.screens.correct import CorrectScreen
from tui.screens.record import RecordScreen
from tui.screens.records import RecordsScreen

HOSTILE = {
    "markup": "[b]bold[/b] [@click=app.quit]quit[/] [/] [not closed $error",
    "escapes": "\x1b[2J\x1b]0;owned\x07\x1b[31mred\x9b31m\x00\x08\x7f end",
    "zero width": "a\u200bb\u200c\u200d\u2060c\ufeff e\u0301\u0302\u0303 👨‍👩‍👧‍👦 🏳️‍🌈 \u3164 end",
    "right to left": "\u202eevil\u202c שלום עולם \u2067مرحبا\u2069 mixed 123 end",
    "halves": "\ud83d half a pair end",
    "one long word": "w" * 3000,
    "many lines": "\n" * 300 + "end",
    "broken Markdown": "```\n" * 7 + "| a | b\n|--\n> > > [x](javascript:1) <script>&#0;</script>",
    "one long line": "word " * 2000,
}


@pytest.fixture(params=HOSTILE, ids=[name.replace(" ", "-") for name in HOSTILE])
def hostile(request: pytest.FixtureRequest, home: Home) -> str:
    """A hostile text, written by the model and by the user."""
    text = HOSTILE[request.param]
    conversation = home.repository.start_conversation()
    home.repository.add_message(conversation.id, "user", text)
    reply = home.repository.add_message(conversation.id, "assistant", text)
    home.repository.rate(reply.id, False, ("wrong",), text)
    home.repository.correct(reply.id, f"better {text}", text)
    return conversation.id


def steering(app: TuteeApp) -> set[str]:
    """Return the characters on the screen that would control a terminal."""
    return {c for c in painted(app) if c != "\n" and (ord(c) < 32 or 127 <= ord(c) < 160)}


async def shown(app: TuteeApp, pilot: Pilot[Any], kind: type[object]) -> None:
    await until(pilot, lambda: isinstance(app.screen, kind) and app.screen.is_mounted)
    await pilot.pause()
    assert steering(app) == set()


@pytest.mark.parametrize("size", [(80, 24), (30, 8)])
async def test_hostile_text_is_only_text_on_every_screen(
    home: Home, hostile: str, size: tuple[int, int]
) -> None:
    async with opened(home, size) as (app, pilot):
        app.workspace.session.conversation.open(hostile)
        await app.workspace.chat.screen.renew()
        await shown(app, pilot, ChatScreen)
        await pilot.press("f4")
        await shown(app, pilot, CorrectScreen)
        await pilot.press("escape", "f7")
        await shown(app, pilot, RecordsScreen)
        await until(pilot, lambda: app.screen.query_one("RecordTable").shown)  # type: ignore[attr-defined]
        await pilot.press("enter")
        await shown(app, pilot, RecordScreen)
        await pilot.press("escape", "escape", "f6")
        await shown(app, pilot, CompareScreen)
        await pilot.press("escape")
        await shown(app, pilot, ChatScreen)


async def test_hostile_text_is_streamed(home: Home) -> None:
    home.chat = FakeChat(home.bridge.emit, HOSTILE.values(), adapters=home.adapters)
    del HOSTILE["halves"]  # no tokenizer gives half a character
    async with opened(home) as (app, pilot):
        for number in range(4):
            await say(pilot, "Go on")
            await answered(app, pilot, number + 1)
            assert steering(app) == set()
        assert [view.text for view in views(app)] == list(HOSTILE.values())[:4]


async def test_a_reply_of_100_kb_is_shown_whole(home: Home) -> None:
    text = "\n\n".join(f"{n} " + "word " * 60 for n in range(320))
    conversation = home.repository.start_conversation()
    home.repository.add_message(conversation.id, "user", "Go on and on.")
    home.repository.add_message(conversation.id, "assistant", text)
    async with opened(home) as (app, pilot):
        app.workspace.session.conversation.open(conversation.id)
        await app.workspace.chat.screen.renew()
        await until(pilot, lambda: "319 word" in painted(app))
        assert views(app)[0].text == text
        assert len(text) > 95_000


async def test_a_storm_of_resizes_leaves_a_whole_screen(home: Home) -> None:
    teach(home, 3)
    async with opened(home) as (app, pilot):
        await ready(app, pilot)
        await say(pilot, "Hello")
        await answered(app, pilot, 1)
        for screen in ("", "f5", "escape", "f7", "escape", "f9"):
            if screen:
                await pilot.press(screen)
            for width, height in ((1, 1), (200, 60), (20, 5), (79, 23), (300, 2), (80, 24)):
                size = Size(width, height)
                app._driver._size = (width, height)  # type: ignore[union-attr]
                app.post_message(events.Resize(size, size, size, None))
                await asyncio.sleep(0)
            await pilot.pause()
        await pilot.press("escape")
        await until(pilot, lambda: "Ask anything" in painted(app))
        assert "Paris." in painted(app)


async def test_a_worker_that_dies_is_told_and_the_chat_goes_on(home: Home) -> None:
    home.chat.fail_next = TuteeError("Tutee ran out of memory.", "Close something else.")
    async with opened(home) as (app, pilot):
        await say(pilot, "Hello")
        await until(pilot, lambda: "ran out of memory" in toasts(app))
        await say(pilot, "Hello again")
        await until(pilot, lambda: views(app) and views(app)[-1].text == "Paris.")
