"""What the screens about records look like, held as pictures."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from store.records import ChatMessage, Instruction, Origin, Preference, Record, Sampling, Verdict
from tests.fakes import Home
from tests.tui.conftest import painted, until
from tests.tui.screens.test_snapshots import held
from tui.app.tutee_app import TuteeApp
from tui.screens.import_records import ImportScreen
from tui.widgets.record import RecordBody
from tui.widgets.records import RecordTable

CREATED = datetime(2024, 3, 1, 12, tzinfo=UTC)
MODEL = Origin(source="import:teacher.jsonl", model="teacher-7B", sampling=Sampling(), seed=7)


def said(number: int, question: str) -> dict[str, Any]:
    return {
        "id": f"{number:012x}",
        "created": CREATED.replace(minute=number),
        "prompt": (ChatMessage(role="user", content=question),),
        "origin": MODEL,
    }


LESSONS: list[Record] = [
    Instruction(**said(1, "Translate into Chinese: See you tomorrow."), completion="明天见。"),
    Verdict(
        **said(2, "用一句话总结：外面下雨了，所以我们待在家里。"), completion="下雨。", label=True
    ),
    Verdict(
        **said(3, "Write to anna@example.org that [b]I[/b] am late."),
        completion="Dear Anna,\n\nI am late.",
        label=False,
        reasons=("wrong", "style"),
        comment="too stiff for a friend",
    ),
    Preference(
        **said(4, "Is this review positive or negative? “a gob of drivel so sickly sweet”"),
        chosen="negative",
        rejected="The sentiment of this review is generally negative, because it calls it drivel.",
    ),
    *(
        Instruction(**said(number, f"Why is rule {number} a good rule?"), completion="It is short.")
        for number in range(5, 30)
    ),
]


@pytest.fixture(autouse=True)
def at_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The pictures show the time of the day."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def taught(home: Home) -> Home:
    home.repository.add_imported(LESSONS)
    return home


async def to_the_records(app: TuteeApp, pilot: Pilot[Any]) -> None:
    await until(pilot, lambda: "Fake-1" in painted(app))
    await pilot.press("f7")
    await until(pilot, lambda: "1 with problems" in painted(app))


async def records(app: TuteeApp, pilot: Pilot[Any]) -> None:
    await to_the_records(app, pilot)
    await pilot.press("ctrl+end", "up", "space", "up", "up", "up")


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_the_records(taught: Home, snap_compare: Any, size: tuple[int, int]) -> None:
    assert held(taught, snap_compare, records, terminal_size=size)


def test_what_is_wrong_with_them(taught: Home, snap_compare: Any) -> None:
    async def script(app: TuteeApp, pilot: Pilot[Any]) -> None:
        await to_the_records(app, pilot)
        await pilot.press("ctrl+k")
        await until(pilot, lambda: app.screen.query_one(RecordTable).shown < len(LESSONS))

    assert held(taught, snap_compare, script)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_one_record(taught: Home, snap_compare: Any, size: tuple[int, int]) -> None:
    async def script(app: TuteeApp, pilot: Pilot[Any]) -> None:
        await to_the_records(app, pilot)
        await pilot.press("slash", *"drivel", "enter")
        await until(pilot, lambda: app.screen.query_one(RecordTable).shown == 1)
        await pilot.press("enter")
        await until(pilot, lambda: app.screen.query(RecordBody) and "Learned" in painted(app))

    assert held(taught, snap_compare, script, terminal_size=size)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_the_statistics(taught: Home, snap_compare: Any, size: tuple[int, int]) -> None:
    async def script(app: TuteeApp, pilot: Pilot[Any]) -> None:
        await to_the_records(app, pilot)
        await app.run_action("app.statistics")
        await until(pilot, lambda: "lessons" in painted(app))

    assert held(taught, snap_compare, script, terminal_size=size)


def test_an_import(
    home: Home, snap_compare: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [{"instruction": f"question {n}", "output": f"answer {n}"} for n in (0, 1, 1, 2)]
    lines = [*map(json.dumps, rows), '{"instruction": "cut off']
    (tmp_path / "lessons.jsonl").write_text("\n".join(lines))
    monkeypatch.chdir(tmp_path)

    async def script(app: TuteeApp, pilot: Pilot[Any]) -> None:
        await until(pilot, lambda: "Fake-1" in painted(app))
        await app.run_action("app.import")
        await until(pilot, lambda: isinstance(app.screen, ImportScreen))
        field = app.screen.query_one("#import-path Input", Input)
        field.value = "lessons.jsonl"
        field.cursor_position = len(field.value)
        await pilot.press("enter")
        await until(pilot, lambda: "Enter imports" in painted(app))

    assert held(home, snap_compare, script)


def test_an_export(taught: Home, snap_compare: Any) -> None:
    async def script(app: TuteeApp, pilot: Pilot[Any]) -> None:
        await until(pilot, lambda: "Fake-1" in painted(app))
        await pilot.press("f8")
        await until(pilot, lambda: app.screen.query("#folder"))
        app.screen.query_one("#folder Input", Input).value = "~/lessons"
        await pilot.press("down")
        await until(pilot, lambda: "instruction.jsonl" in painted(app))

    assert held(taught, snap_compare, script)


def test_an_empty_home(home: Home, snap_compare: Any) -> None:
    async def script(app: TuteeApp, pilot: Pilot[Any]) -> None:
        await until(pilot, lambda: "0 to learn" in painted(app))

    assert held(home, snap_compare, script)
