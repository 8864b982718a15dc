"""The whole loop on the real built-in model, through the app itself."""

import json
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from textual.pilot import Pilot
from textual.widgets import TextArea

from core.config import Chat, Config
from store.paths import locate
from store.records import Sampling
from store.repository import Repository
from tests.tui.conftest import painted, say, toasts, views
from tui.app.tutee_app import TuteeApp
from tui.composition import compose

if TYPE_CHECKING:
    from core.models.folder import ModelFolder

QUESTION = "What is your name?"
REPLY = "My name is Tutee."
PATIENCE = 900.0
"""Seconds; loading, training and swapping are real here."""


async def until(pilot: Pilot[Any], condition: Callable[[], Any]) -> None:
    deadline = monotonic() + PATIENCE
    while not condition():
        assert isinstance(pilot.app, TuteeApp)
        assert monotonic() < deadline, painted(pilot.app)
        await pilot.pause(0.05)


async def test_a_correction_and_f5_change_the_next_reply(
    tmp_path: Path, builtin_folder: "ModelFolder"
) -> None:
    config = Config(
        chat=Chat(model="builtin"),
        sampling=Sampling(temperature=0, repetition_penalty=1.0, max_new_tokens=24),
    )
    paths = locate(tmp_path)
    with Repository.open(paths) as repository:
        app = TuteeApp(paths, "auto", lambda: compose(paths, config, repository))
        async with app.run_test(size=(100, 30), notifications=True) as pilot:
            await until(pilot, lambda: app.open)
            await say(pilot, QUESTION)
            await until(pilot, lambda: len(views(app)) == 1)
            assert REPLY not in views(app)[0].text

            await pilot.press("f4")
            await until(pilot, lambda: app.screen.query("#version"))
            app.screen.query_one("#version", TextArea).text = REPLY
            await pilot.press("ctrl+s")
            await until(pilot, lambda: REPLY in painted(app))

            await pilot.press("f5")
            await until(pilot, lambda: "3 more corrections or 👍" in painted(app))
            await pilot.press("1", "enter")
            await until(pilot, lambda: "● v1" in painted(app))
            await pilot.press("escape", "ctrl+n")
            await say(pilot, QUESTION)
            await until(pilot, lambda: len(views(app)) == 1)
            assert views(app)[0].text == REPLY

            await pilot.press("f8", "enter")
            await until(pilot, lambda: "Exported" in toasts(app))
            await pilot.press("ctrl+q")
            await until(pilot, lambda: not app.is_running)
    (exported,) = paths.exports.rglob("instruction.jsonl")
    assert json.loads(exported.read_text(encoding="utf-8"))["messages"][-1]["content"] == REPLY
