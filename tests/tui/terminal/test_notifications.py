"""The end of a run alerts a user who looks elsewhere, as the settings say."""

from collections.abc import Callable
from typing import Any

import pytest
from textual import events

from core.config import Config, Screen
from tests.fakes import Home
from tests.tui.conftest import opened, until
from tests.tui.screens.test_tuning import ready, teach
from tui.terminal.notifications import notification


def test_what_a_terminal_is_sent() -> None:
    assert notification("Done; v2.\x1b[2J", {}) == "\x1b]9;Tutee: Done, v2. [2J\x07"
    assert notification("Done.", {"TERM": "foot"}) == "\x1b]777;notify;Tutee;Done.\x07"
    wrapped = notification("Done.", {"TMUX": "/tmp/tmux"})
    assert wrapped == "\x1bPtmux;\x1b\x1b]9;Tutee: Done.\x07\x1b\\"


@pytest.mark.parametrize(
    ("screen", "away", "sent"),
    [
        (Screen(), False, ["\a"]),
        (Screen(), True, ["\a", "Done: Imitate (SFT) made v1"]),
        (Screen(bell=False), True, ["Done: Imitate (SFT) made v1"]),
        (Screen(notify=False), True, ["\a"]),
        (Screen(bell=False, notify=False), True, []),
    ],
)
async def test_the_end_of_a_run_is_told(
    home: Home, monkeypatch: pytest.MonkeyPatch, screen: Screen, away: bool, sent: list[str]
) -> None:
    home.config = Config(screen=screen)
    teach(home, 4)
    async with opened(home) as (app, pilot):
        await ready(app, pilot)
        written: list[str] = []
        monkeypatch.setattr(app, "bell", lambda: written.append("\a"))
        keep: Callable[[str], Any] = written.append
        monkeypatch.setattr(app._driver, "write", keep)
        if away:
            app.post_message(events.AppBlur())
        await pilot.press("f5", "enter")
        home.tuning.step(3)
        await until(pilot, lambda: app.workspace.tuner.versions.active == "v1")
        kept = [text for text in written if text == "\a" or "Tutee:" in text]
        assert len(kept) == len(sent)
        assert all(part in text for part, text in zip(sent, kept, strict=True))
