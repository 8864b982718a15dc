"""`tutee export` as a script meets it: rows on stdout, everything else on stderr."""

import csv
import io
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from data.imports import read_file
from store.errors import TuteeError
from store.paths import locate
from store.records import ChatMessage, Instruction, Preference, Record, Verdict
from store.repository import Repository
from tui.cli.exports import export
from tui.cli.invocation import Invocation

Export = Callable[..., Result]


def asked(text: str) -> tuple[ChatMessage, ...]:
    return (ChatMessage(role="user", content=text),)


RECORDS: list[Record] = [
    Instruction(
        prompt=asked("I am a@b.io"), completion="世界", created=datetime(2026, 1, 1, tzinfo=UTC)
    ),
    Instruction(prompt=asked("two"), completion="2", created=datetime(2026, 6, 1, tzinfo=UTC)),
    Preference(prompt=asked("three"), chosen="yes", rejected="no"),
    Verdict(prompt=asked("four"), completion="no", label=False),
]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def run(home: Path) -> Export:
    """Run the command in a home with a few records; a `TuteeError` is left in the result."""
    with Repository.open(locate(home)) as repository:
        repository.add_imported(RECORDS)

    def run(*args: str) -> Result:
        return CliRunner().invoke(export, args, obj=Invocation(locate(home), None))

    return run


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_one_kind_goes_to_standard_output(run: Export) -> None:
    ran = run("--kind", "instruction")
    assert (ran.exit_code, ran.stderr) == (0, "")
    rows = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [row["messages"][-1]["content"] for row in rows] == ["世界", "2"]
    assert "世界" in ran.stdout


def test_a_dash_is_standard_output(run: Export, tmp_path: Path) -> None:
    assert run("--kind", "instruction", "-o", "-").stdout == run("--kind", "instruction").stdout
    for wrong in ([], ["--kind", "verdict", "--split"]):
        assert run("-o", "-", *wrong).exit_code == 2


def test_a_format_and_redaction(run: Export) -> None:
    ran = run("--kind", "instruction", "--format", "csv", "--redact")
    (head, first, _) = csv.reader(io.StringIO(ran.stdout, newline=""))
    assert head == ["system", "prompt", "completion"]
    assert first == ["", "I am [e-mail]", "世界"]
    assert ran.stderr == "Redacted 1 record.\n"


@pytest.mark.parametrize(("since", "rows"), [("2026-05-01", 1), ("2025-01-01 10:00:00", 2)])
def test_since(run: Export, since: str, rows: int) -> None:
    assert len(run("--kind", "instruction", "--since", since).stdout.splitlines()) == rows


@pytest.mark.parametrize("name", ["out.jsonl", "out.JSON"])
def test_one_kind_goes_to_a_file(run: Export, tmp_path: Path, name: str) -> None:
    ran = run("--kind", "verdict", "-o", str(tmp_path / name))
    assert (ran.exit_code, ran.stdout) == (0, "")
    assert ran.stderr == f"Wrote 1 verdict to {tmp_path / name}.\n"
    assert json.loads((tmp_path / name).read_text(encoding="utf-8"))["label"] is False


def test_a_csv_file_is_csv(run: Export, tmp_path: Path) -> None:
    run("--kind", "preference", "-o", str(tmp_path / "out.csv"))
    text = (tmp_path / "out.csv").read_bytes()
    assert text == b"system,prompt,chosen,rejected\r\n,three,yes,no\r\n"


def test_all_kinds_go_to_a_folder_with_a_card(run: Export, tmp_path: Path) -> None:
    folder = tmp_path / "a" / "out"
    ran = run("-o", str(folder), "--dataset-info", "--licence", "CC BY 4.0", "--format", "sharegpt")
    assert (ran.exit_code, ran.stdout) == (0, "")
    kinds = {"instruction.jsonl", "preference.jsonl", "verdict.jsonl"}
    assert names(folder) == kinds | {"README.md", "dataset_info.json"}
    assert f"Wrote 2 instructions to {folder / 'instruction.jsonl'}.\n" in ran.stderr
    assert "CC BY 4.0" in (folder / "README.md").read_text(encoding="utf-8")


def test_without_a_place_a_folder_is_made_in_the_home(run: Export, home: Path) -> None:
    ran = run("--kind", "instruction", "--kind", "verdict", "--split")
    assert ran.exit_code == 0
    (folder,) = (home / "exports").iterdir()
    assert str(folder) in ran.stderr
    assert names(folder) <= {
        f"{kind}-{split}.jsonl"
        for kind in ("instruction", "verdict")
        for split in ("train", "test")
    } | {"README.md"}
    written = [path for path in folder.iterdir() if path.suffix == ".jsonl"]
    assert sum(len(path.read_text().splitlines()) for path in written) == 3


def test_a_home_can_move(run: Export, home: Path, tmp_path: Path) -> None:
    run("--format", "tutee", "-o", str(tmp_path / "out"))
    with Repository.open(locate(tmp_path / "new")) as repository:
        for path in (tmp_path / "out").glob("*.jsonl"):
            repository.add_imported(read_file(path).records)
        moved = repository.records()
    with Repository.open(locate(home)) as repository:
        assert moved == repository.records()


def test_what_cannot_be_carried_is_told(run: Export, tmp_path: Path) -> None:
    ran = run("--format", "kto", "-o", str(tmp_path / "out"))
    assert ran.exit_code == 0
    assert "left out: 2 × instruction: the format kto is not for this kind" in ran.stderr
    assert names(tmp_path / "out") == {"verdict.jsonl", "README.md"}


@pytest.mark.parametrize("output", ["out", "out.jsonl"])
def test_nothing_to_export_is_an_error(run: Export, tmp_path: Path, output: str) -> None:
    ran = run("--kind", "instruction", "--since", "2030-01-01", "-o", str(tmp_path / output))
    assert isinstance(ran.exception, TuteeError)
    assert "nothing to export" in str(ran.exception)
    assert not (tmp_path / output).exists()


@pytest.mark.parametrize(
    "args",
    [
        ["-o", "out.jsonl"],
        ["--kind", "verdict", "--split", "-o", "out.jsonl"],
        ["--kind", "verdict", "--licence", "mit", "-o", "out.csv"],
        ["--kind", "thumb"],
        ["--format", "xml"],
        ["--since", "yesterday"],
    ],
)
def test_wrong_usage_exits_with_2(
    run: Export, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, args: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(*args).exit_code == 2
    assert names(tmp_path) == {"home"}
