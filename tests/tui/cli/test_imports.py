"""`tutee import` as a script meets it: what is told where, and with which exit code."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from store.paths import locate
from store.records import Record
from store.repository import Repository
from tui.cli.root import cli

Import = Callable[..., Result]
SHARED = Path(__file__).parents[2].parent / "shared" / "data"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def run(home: Path) -> Import:
    return lambda *args: CliRunner().invoke(cli, ["--home", str(home), "import", *map(str, args)])


def records(home: Path) -> list[Record]:
    with Repository.open(locate(home), write=False) as repository:
        return repository.records()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two good files, one that is broken, and one that holds nothing of use."""
    folder = tmp_path / "in"
    folder.mkdir()
    row = {"instruction": "hi", "output": "yo"}
    (folder / "a.jsonl").write_text(f"{json.dumps(row)}\n?\n{json.dumps(row)}\n")
    (folder / "b.csv").write_text("question,answer\nhi,yo\nho,ya\n")
    (folder / "c.json").write_text("[\n{]")
    (folder / "d.jsonl").write_text('{"te\\u001b[31mxt": 1}\n')
    return folder


def test_a_folder_is_taken_in_file_by_file(run: Import, home: Path, folder: Path) -> None:
    ran = run(folder)
    assert ran.exit_code == 0
    assert ran.stdout.splitlines() == [
        f"{folder}/a.jsonl: alpaca, 3 rows",
        "  1 record imported: 1 instruction",
        "  line 2 refused: not valid JSON (Expecting value at column 1)",
        "  line 3 refused: duplicate of line 1",
        f"{folder}/b.csv: csv, 2 rows",
        "  1 record imported: 1 instruction",
        "  1 already present",
        f"{folder}/d.jsonl: nothing usable, 1 row",
        "  line 1 refused: no known format; its keys: te [31mxt",
    ]
    broken, useless = ran.stderr.splitlines()
    assert broken.startswith(f"tutee: {folder}/c.json cannot be used: not valid JSON")
    assert "at line 2, column 2" in broken
    assert useless == f"tutee: Nothing in {folder}/d.jsonl can be used."
    assert [record.origin.source for record in records(home)] == ["import:a.jsonl", "import:b.csv"]


def test_importing_twice_adds_nothing(run: Import, home: Path, folder: Path) -> None:
    run(folder / "b.csv")
    kept = records(home)
    ran = run(folder / "b.csv", "--as", "again")
    assert "0 records imported" in ran.stdout
    assert "2 already present" in ran.stdout
    assert records(home) == kept


def test_a_dry_run_says_the_same_and_keeps_nothing(run: Import, home: Path, folder: Path) -> None:
    dry = run(folder, "--dry-run")
    assert not home.exists()
    wet = run(folder)
    assert dry.stdout.replace("would be imported", "imported") == wet.stdout
    again = run(folder / "b.csv", "--dry-run")
    assert "0 records would be imported\n  2 already present" in again.stdout


def test_a_dry_run_knows_the_messages_of_a_conversation_that_is_there(
    run: Import, tmp_path: Path
) -> None:
    path = tmp_path / "logs.json"
    talk = {"conversation_id": "c", "model": "m", "datetime_utc": "2025-02-16T22:34:30+00:00"}
    asked = [{**talk, "id": f"{n}", "prompt": f"q{n}", "response": f"r{n}"} for n in range(2)]
    path.write_text(json.dumps(asked[:1]))
    run(path)
    path.write_text(json.dumps(asked))
    for _ in range(2):
        dry, wet = run(path, "--dry-run"), run(path)
        assert dry.stdout.replace("would be imported", "imported") == wet.stdout


@pytest.mark.skipif(not SHARED.exists(), reason="the shared data is not here")
def test_a_dry_run_of_everything_says_what_happens(run: Import) -> None:
    for _ in range(2):
        dry, wet = run(SHARED, "--dry-run"), run(SHARED)
        assert dry.stdout.replace("would be imported", "imported") == wet.stdout


def test_rows_refused_for_one_reason_are_told_together(run: Import, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    lines = [{"q": 1}, {"q": 2}, {"instruction": "hi", "output": "yo"}, {"q": 3}, {"w": 4}]
    path.write_text("\n".join(map(json.dumps, lines)))
    assert run(path).stdout.splitlines()[2:] == [
        "  3 rows refused: no known format; its keys: q",
        "    lines 1-2, 4",
        "  line 5 refused: no known format; its keys: w",
    ]


@pytest.mark.parametrize("name", ["c.json", "d.jsonl", "none.jsonl"])
def test_a_named_file_of_no_use_is_a_failure_that_loses_no_other(
    run: Import, home: Path, folder: Path, name: str
) -> None:
    ran = run(folder / name, folder / "b.csv")
    assert ran.exit_code == 1
    assert name in ran.stderr
    assert len(records(home)) == 2


def test_a_folder_without_files_is_a_failure(run: Import, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    ran = run(empty)
    assert ran.exit_code == 1
    assert "nothing to import" in ran.stderr


def test_conversations_are_kept_and_learned_only_where_that_is_asked_for(
    run: Import, home: Path, tmp_path: Path
) -> None:
    path = tmp_path / "logs.json"
    talk = {"conversation_id": "c", "model": "m", "datetime_utc": "2025-02-16T22:34:30+00:00"}
    asked = [{**talk, "id": f"{n}", "prompt": f"q{n}", "response": f"r{n}"} for n in range(2)]
    path.write_text(json.dumps(asked))
    ran = run(path)
    assert ran.stdout.splitlines()[1:] == [
        "  0 records imported",
        "  1 conversation imported (4 messages)",
    ]
    assert records(home) == []
    learned = run(path, "--learn")
    assert "2 records imported: 2 instructions" in learned.stdout
    with Repository.open(locate(home), write=False) as repository:
        (conversation,) = repository.conversations()
        kept = {message.id for message in repository.messages(conversation.id)}
    assert conversation.source == "import:logs.json"
    assert {record.message_id for record in records(home)} < kept


def test_the_starter_set_is_taken_on_its_own(run: Import, home: Path, folder: Path) -> None:
    assert run("--starter").exit_code == 0
    assert {record.origin.source for record in records(home)} == {"starter"}
    assert len(records(home)) >= 60
    for wrong in ([], ["--starter", folder]):
        assert run(*wrong).exit_code == 2


def test_a_format_that_does_not_exist_is_wrong_usage(run: Import, folder: Path) -> None:
    ran = run(folder, "--format", "parquet")
    assert ran.exit_code == 2
    assert "sharegpt" in ran.stderr
