"""F8: the choices, what they would write, and the files that are written."""

import json
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, TextArea

from store.records import ChatMessage, Instruction
from tests.fakes import Home
from tests.tui.conftest import answered, opened, painted, say, toasts, until
from tests.tui.screens.test_tuning import teach
from tui.app.tutee_app import TuteeApp
from tui.screens.chat import ChatScreen
from tui.screens.export_records import ExportScreen
from tui.widgets.form import Choice, Toggle


async def exporting(app: TuteeApp, pilot: Pilot[Any]) -> None:
    await pilot.press("f8")
    await until(pilot, lambda: isinstance(app.screen, ExportScreen))
    await until(pilot, lambda: "Counting" not in painted(app))


def tick(app: TuteeApp, name: str) -> None:
    app.screen.query_one(f"#{name}", Toggle).action_tick()


def write(app: TuteeApp, name: str, text: str) -> None:
    app.screen.query_one(f"#{name} Input", Input).value = text


async def test_f8_and_enter_write_everything_and_copy_where(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied: list[str] = []
    monkeypatch.setattr("tui.app.tutee_app.copy_to_desktop", copied.append)
    async with opened(home, (120, 40)) as (app, pilot):
        await say(pilot, "首都？")
        await answered(app, pilot, 1)
        await pilot.press("f3", "escape", "f4")
        app.screen.query_one(TextArea).text = "巴黎。"
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "corrected" in painted(app))
        await pilot.press("f8", "enter")
        await until(pilot, lambda: "The path is on the clipboard." in toasts(app))
        await until(pilot, lambda: isinstance(app.screen, ChatScreen))
        (folder,) = home.paths.exports.iterdir()
        assert "Exported 1 instruction, 1 preference, 1 verdict." in toasts(app)
        assert app.clipboard == str(folder)
        assert copied == [str(folder)]
        rows = {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}
        kinds = {"instruction.jsonl", "preference.jsonl", "verdict.jsonl"}
        assert set(rows) == {*kinds, "README.md"}
        assert "巴黎。" in rows["instruction.jsonl"]
        assert json.loads(rows["preference.jsonl"])["rejected"][0]["content"] == "Paris."
        assert json.loads(rows["verdict.jsonl"])["label"] is False
        assert all(path.stat().st_mode & 0o777 == 0o600 for path in folder.iterdir())


async def test_the_choices_say_what_they_would_write_and_write_it(
    home: Home, tmp_path: Path
) -> None:
    teach(home, 3, pairs=2)
    prompt = (ChatMessage(role="user", content="Write to anna@example.com"),)
    home.repository.add_imported([Instruction(prompt=prompt, completion="Dear Anna")])
    target = tmp_path / "mine"
    async with opened(home, (120, 40)) as (app, pilot):
        await exporting(app, pilot)
        await until(pilot, lambda: "instruction.jsonl" in painted(app))
        assert "4 rows  messages" in painted(app)
        await pilot.press("down", "right")
        await until(pilot, lambda: "4 rows  alpaca" in painted(app))
        await pilot.press("down", "space")
        await until(pilot, lambda: "preference.jsonl" not in painted(app))
        tick(app, "redact")
        await until(pilot, lambda: "1 record with redactions" in painted(app))
        write(app, "folder", str(target))
        write(app, "licence", "CC-BY-4.0")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, ChatScreen))
        assert {path.name for path in target.iterdir()} == {
            *("instruction.jsonl", "verdict.jsonl", "README.md"),
        }
        rows = (target / "instruction.jsonl").read_text(encoding="utf-8").splitlines()
        assert "[e-mail]" in json.loads(rows[-1])["instruction"]
        assert "cc-by-4.0" in (target / "README.md").read_text(encoding="utf-8").lower()


async def test_llama_factory_gets_formats_it_reads(home: Home) -> None:
    teach(home, 2, pairs=2)
    async with opened(home, (120, 40)) as (app, pilot):
        await exporting(app, pilot)
        choice = app.screen.query_one("#format-preference", Choice)
        assert choice.value == "trl"
        tick(app, "info")
        await until(pilot, lambda: choice.value == "sharegpt")
        assert app.screen.query_one("#format-instruction", Choice).value == "messages"
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, ChatScreen))
        (folder,) = home.paths.exports.iterdir()
        entries = json.loads((folder / "dataset_info.json").read_text(encoding="utf-8"))
        files = {entry["file_name"] for entry in entries.values()}
        assert files == {"instruction.jsonl", "preference.jsonl"}


async def test_a_date_that_is_none_is_told_and_nothing_is_written(home: Home) -> None:
    teach(home, 1)
    async with opened(home, (100, 30)) as (app, pilot):
        await exporting(app, pilot)
        write(app, "since", "soon")
        await until(pilot, lambda: "“soon” is not a date." in painted(app))
        await pilot.press("enter")
        await until(pilot, lambda: "“soon” is not a date." in toasts(app))
        assert isinstance(app.screen, ExportScreen)
        write(app, "since", "2999-01-01")
        await until(pilot, lambda: "Nothing would be written." in painted(app))
        await pilot.press("enter")
        await until(pilot, lambda: "There is nothing to export." in toasts(app))
        await pilot.press("escape")
        assert isinstance(app.screen, ChatScreen)
        assert list(home.paths.exports.iterdir()) == []


async def test_with_nothing_taught_there_is_nothing_to_export(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await pilot.press("f8")
        await until(pilot, lambda: "There is nothing to export yet." in toasts(app))
        assert isinstance(app.screen, ChatScreen)
