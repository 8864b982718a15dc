"""The import screen: what a file would bring is shown first, and taken only then."""

import json
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from data import starter
from data.deduplication import Deduplicator
from tests.fakes import Home
from tests.live_records import instructions
from tests.tui.conftest import opened, painted, toasts, until
from tests.tui.screens.test_tuning import teach
from tui.app.tutee_app import TuteeApp
from tui.controllers.imports import preview_import, starter_preview
from tui.screens import import_records
from tui.screens.chat import ChatScreen
from tui.screens.import_records import ImportScreen
from tui.views.import_preview import complete_path, path_matches
from tui.widgets.form import Toggle


def row(number: int) -> dict[str, str]:
    return {"instruction": f"question {number}", "input": "", "output": f"answer {number}"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Three rows to take, one said twice and one of no use."""
    path = tmp_path / "lessons.jsonl"
    rows = [row(0), row(1), row(1), {"instruction": "and?", "output": ""}, row(2)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


CHAT = {
    "id": "c1",
    "title": "Cities",
    "chat": {
        "title": "Cities",
        "history": {
            "currentId": "m2",
            "messages": {
                "m1": {"id": "m1", "parentId": None, "role": "user", "content": "Capital?"},
                "m2": {"id": "m2", "parentId": "m1", "role": "assistant", "content": "Paris."},
            },
        },
    },
}


async def importing(app: TuteeApp, pilot: Pilot[Any], path: Path) -> None:
    """Open the screen and read a file."""
    await app.action_import()
    await until(pilot, lambda: isinstance(app.screen, ImportScreen))
    app.screen.query_one("#import-path Input", Input).value = str(path)
    await until(pilot, lambda: "Enter shows a preview first" in painted(app))
    await pilot.press("enter")


async def test_a_file_is_looked_at_first_and_then_taken(home: Home, file: Path) -> None:
    async with opened(home, (100, 30)) as (app, pilot):
        await importing(app, pilot, file)
        await until(pilot, lambda: "Enter imports 3 instructions" in painted(app))
        for text in (
            *("alpaca, 5 rows", "2 rows", "question 0", "› answer 0"),
            *("line 3 refused: duplicate of line 2", "line 4 refused: "),
        ):
            assert text in painted(app)
        assert home.repository.records() == []
        await pilot.press("enter")
        await until(pilot, lambda: "Imported 3 instructions." in toasts(app))
        await until(pilot, lambda: isinstance(app.screen, ChatScreen))
        assert [r.origin.source for r in home.repository.records()] == ["import:lessons.jsonl"] * 3
        await until(pilot, lambda: "3 to learn" in painted(app))


async def test_what_is_known_is_not_taken_again(home: Home, file: Path) -> None:
    async with opened(home, (100, 30)) as (app, pilot):
        await importing(app, pilot, file)
        await until(pilot, lambda: "Enter imports" in painted(app))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, ChatScreen))
        await importing(app, pilot, file)
        await until(pilot, lambda: "Nothing new to import" in painted(app))
        assert "3 records, skipped" in painted(app)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, ChatScreen))
        assert len(home.repository.records()) == 3


async def test_a_narrow_screen_does_not_cut_what_enter_does(home: Home, tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        row(0),
        {"prompt": "a", "chosen": "b", "rejected": "c"},
        {"prompt": "a", "completion": "b", "label": True},
        CHAT,
    ]
    (tmp_path / "all.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    async with opened(home, (60, 24)) as (app, pilot):
        await importing(app, pilot, tmp_path / "all.jsonl")
        await until(pilot, lambda: "Enter imports everything new" in painted(app))


async def test_leaving_takes_nothing(home: Home, file: Path) -> None:
    async with opened(home) as (app, pilot):
        await importing(app, pilot, file)
        await until(pilot, lambda: "Enter imports" in painted(app))
        await pilot.press("escape")
        assert isinstance(app.screen, ChatScreen)
        assert home.repository.records() == []


async def test_another_name_is_read_anew_and_kept(home: Home, file: Path) -> None:
    async with opened(home) as (app, pilot):
        await importing(app, pilot, file)
        await until(pilot, lambda: "Enter imports" in painted(app))
        await pilot.press("down", *"mine")
        await until(pilot, lambda: "Enter shows a preview first" in painted(app))
        await pilot.press("enter")
        await until(pilot, lambda: "Enter imports" in painted(app))
        await pilot.press("enter")
        await until(pilot, lambda: home.repository.records())
        assert {r.origin.source for r in home.repository.records()} == {"import:mine"}


async def test_a_file_of_no_use_is_explained_in_place(home: Home, tmp_path: Path) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text('[{"instruction": "a"', encoding="utf-8")
    async with opened(home, (120, 30)) as (app, pilot):
        await importing(app, pilot, broken)
        await until(pilot, lambda: "broken.json" in painted(app) and "column" in painted(app))
        assert isinstance(app.screen, ImportScreen)
        assert toasts(app) == ""


@pytest.mark.parametrize("learn", [False, True])
async def test_conversations_are_kept_and_learned_only_when_asked(
    home: Home, tmp_path: Path, learn: bool
) -> None:
    file = tmp_path / "chats.json"
    file.write_text(json.dumps([CHAT]), encoding="utf-8")
    async with opened(home, (100, 30)) as (app, pilot):
        await app.action_import()
        await until(pilot, lambda: isinstance(app.screen, ImportScreen))
        app.screen.query_one(Toggle).on = learn
        app.screen.query_one("#import-path Input", Input).value = str(file)
        await pilot.press("enter")
        await until(pilot, lambda: "1 conversation\n" in painted(app))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, ChatScreen))
        assert len(instructions(home.repository)) == learn
        await pilot.press("ctrl+r")
        await until(pilot, lambda: "Cities" in painted(app))


async def test_conversations_that_are_known_are_not_offered_again(
    home: Home, tmp_path: Path
) -> None:
    file = tmp_path / "chats.json"
    file.write_text(json.dumps([CHAT]), encoding="utf-8")
    async with opened(home, (100, 30)) as (app, pilot):
        await importing(app, pilot, file)
        await until(pilot, lambda: "Enter imports 1 conversation" in painted(app))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, ChatScreen))
        await importing(app, pilot, file)
        await until(pilot, lambda: "Nothing new to import" in painted(app))


async def test_many_records_are_imported_in_batches(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_records, "_RECORDS_PER_BATCH", 10)
    file = tmp_path / "many.jsonl"
    file.write_text("".join(json.dumps(row(n)) + "\n" for n in range(95)), encoding="utf-8")
    async with opened(home) as (app, pilot):
        await importing(app, pilot, file)
        await until(pilot, lambda: "Enter imports 95 instructions" in painted(app))
        await pilot.press("enter", "enter", "escape")
        await until(pilot, lambda: isinstance(app.screen, ChatScreen))
        assert len(home.repository.records()) == 95


async def test_a_home_without_feedback_is_offered_examples(home: Home) -> None:
    count = len(starter.instructions())
    async with opened(home) as (app, pilot):
        assert f"Ctrl+T offers {count} short examples" in painted(app)
        await pilot.press("ctrl+t")
        await until(pilot, lambda: f"Enter imports {count} instructions" in painted(app))
        assert home.repository.records() == []
        before = painted(app)
        await pilot.press("pagedown")
        await until(pilot, lambda: painted(app) != before)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, ChatScreen))
        await until(pilot, lambda: "short examples" not in painted(app))
        assert {r.origin.source for r in home.repository.records()} == {starter.SOURCE}


async def test_with_feedback_there_is_no_offer_but_still_a_way(home: Home) -> None:
    teach(home, 1)
    async with opened(home) as (app, pilot):
        assert "short examples" not in painted(app)
        await pilot.press("ctrl+t")
        await until(pilot, lambda: "Start with examples" in painted(app))


# -- paths ---------------------------------------------------------------------------------------


def test_paths_are_completed_as_far_as_they_are_clear(tmp_path: Path) -> None:
    (tmp_path / "Data").mkdir()
    for name in ("lessons-a.jsonl", "lessons-b.jsonl", ".hidden"):
        (tmp_path / name).touch()
    base = f"{tmp_path}/"
    assert path_matches(base) == [
        f"{base}Data/",
        f"{base}lessons-a.jsonl",
        f"{base}lessons-b.jsonl",
    ]
    assert path_matches(f"{base}.h") == [f"{base}.hidden"]
    assert complete_path(f"{base}da") == f"{base}Data/"
    assert complete_path(f"{base}le") == f"{base}lessons-"
    assert complete_path(f"{base}lessons-") == f"{base}lessons-"
    assert complete_path(f"{base}none") == f"{base}none"
    assert path_matches(f"{base}nowhere/x") == []
    assert complete_path("~") == "~/"


async def test_tab_completes_and_then_goes_on(home: Home, file: Path) -> None:
    async with opened(home, (120, 30)) as (app, pilot):
        await app.action_import()
        await until(pilot, lambda: isinstance(app.screen, ImportScreen))
        field = app.screen.query_one("#import-path Input", Input)
        field.value = str(file)[:-4]
        await pilot.press("tab")
        assert field.value == str(file)
        await pilot.press("tab")
        assert app.focused is app.screen.query_one("#import-name Input")


# -- what a folder holds -------------------------------------------------------------------------


def test_a_folder_is_read_whole_and_each_refusal_names_its_file(tmp_path: Path, file: Path) -> None:
    (tmp_path / "other.jsonl").write_text(json.dumps(row(2)) + "\n" + json.dumps(row(9)) + "\n")
    (tmp_path / "bad.json").write_text("{")
    said: list[str] = []
    found = preview_import(tmp_path, "", False, Deduplicator([], ()), said.append, lambda: False)
    assert [record.prompt[-1].content for record in found.records] == [
        f"question {number}" for number in (0, 1, 2, 9)
    ]
    assert found.known == 1
    assert any("bad.json" in line for line in found.refused)
    assert any(line.startswith("lessons.jsonl: line 3 refused: ") for line in found.refused)
    assert "Reading other.jsonl (3 of 3)…" in said


def test_the_starter_set_is_known_once_it_is_there() -> None:
    everything = starter.instructions()
    assert [r.id for r in starter_preview(Deduplicator([], ())).records] == [
        r.id for r in everything
    ]
    again = starter_preview(Deduplicator(everything, ()))
    assert (again.records, again.known, again.useful) == ((), len(everything), False)
