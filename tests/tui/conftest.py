"""A home with scripted workers and the app over it, driven by Pilot."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from tests.fakes import Home
from tui.app.tutee_app import TuteeApp
from tui.views.chat import ReplyView
from tui.widgets.messages import ReplyMessage
from tui.widgets.prompt import Prompt
from tui.widgets.transcript import Transcript

PATIENCE = 2000
"""Pauses of 5 ms before a condition counts as missed."""


@pytest.fixture(autouse=True)
def pilot_ends_with_the_app(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make Pilot wait no longer than the app lives.

    After each key and pause it waits until every widget and the app have answered, 30 s at most;
    an app that is ending takes the question and may never come to it.
    """
    answers = Pilot._wait_for_screen

    async def answers_or_end(self: Pilot[Any], timeout: float = 30.0) -> bool:
        waiting = asyncio.ensure_future(answers(self, timeout))
        app = self.app._task  # None where no test function drives it, as for a picture
        await asyncio.wait({waiting, app or waiting}, return_when=asyncio.FIRST_COMPLETED)
        if waiting.done():
            return waiting.result()
        waiting.cancel()
        return False

    monkeypatch.setattr(Pilot, "_wait_for_screen", answers_or_end)


@pytest.fixture
def home(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Home]:
    """A home. A defect fails the test, even if the app showed it as a toast."""
    monkeypatch.setattr(
        "tui.app.tutee_app.copy_to_desktop", lambda text: None
    )  # it is not the tests' own
    made = Home(tmp_path / "home")
    yield made
    made.close()
    defects = [r for r in caplog.get_records("call") if r.levelno >= logging.ERROR]
    assert not defects, f"The app met a defect: {defects[0].exc_text}"


@pytest.fixture
def editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An editor that appends a line."""
    script = tmp_path / "editor"
    script.write_text('#!/bin/sh\nprintf " and\\n更多\\n\\n" >> "$2"\n')
    script.chmod(0o700)
    monkeypatch.setenv("VISUAL", f"'{script}' -x")
    monkeypatch.setattr(TuteeApp, "suspend", lambda self: nullcontext())
    return script


def app_over(home: Home) -> TuteeApp:
    """Return the app, not yet running."""
    return TuteeApp(home.paths, home.config.screen.theme, home.services)


@asynccontextmanager
async def opened(
    home: Home, size: tuple[int, int] = (80, 24)
) -> AsyncIterator[tuple[TuteeApp, Pilot[Any]]]:
    """Run the app over `home`."""
    app = app_over(home)
    async with app.run_test(size=size, notifications=True) as pilot:
        await until(pilot, lambda: app.open)
        yield app, pilot
    assert home.chat.close(5.0)
    assert home.tuning.close(5.0)


async def until(pilot: Pilot[Any], condition: Callable[[], Any], what: str = "") -> None:
    """Wait for `condition`; a single pause is not enough, because the workers run in threads."""
    for _ in range(PATIENCE):
        if condition():
            await pilot.pause()
            return
        await pilot.pause(0.005)
    pytest.fail(f"It never came true: {what or condition}")


async def say(pilot: Pilot[Any], text: str) -> None:
    """Type `text` at once and send it."""
    pilot.app.screen.query_one(Prompt).insert(text)
    await pilot.press("enter")


def transcript(app: TuteeApp) -> Transcript:
    return app.screen_stack[0].query_one(Transcript)


def replies(app: TuteeApp) -> list[ReplyMessage]:
    return list(transcript(app).query(ReplyMessage))


def views(app: TuteeApp) -> list[ReplyView]:
    """List the finished replies on the screen."""
    return [reply.view for reply in replies(app) if reply.view is not None]


async def answered(app: TuteeApp, pilot: Pilot[Any], count: int) -> None:
    """Wait until `count` replies are stored and shown."""
    await until(pilot, lambda: len(views(app)) == count, f"{count} replies")


def painted(app: TuteeApp) -> str:
    """Return the screen as text, line by line, without trailing spaces."""
    strips = app.screen._compositor.render_strips()
    return "\n".join(strip.text.rstrip() for strip in strips)


def toasts(app: TuteeApp) -> str:
    """Return the texts of the toasts, one per line; the screen shows them wrapped."""
    return "\n".join(f"{toast.title} {toast.message}".strip() for toast in app._notifications)
