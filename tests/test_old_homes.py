"""A home that an older version wrote opens as it did there, and goes on."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tui.cli.root import cli

HOMES = Path(__file__).parent / "homes"


@pytest.fixture(params=["0.1"])
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of an old home, with its base model and what was printed about it then."""
    return Path(shutil.copytree(HOMES / request.param, tmp_path / request.param))


def run(old: Path, *arguments: str) -> str:
    (model,) = old.glob("tiny-*")
    chosen = ("--home", str(old / "home"), "--model", str(model))
    done = CliRunner().invoke(cli, [*chosen, *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def rows(text: str) -> list[Any]:
    return [json.loads(line) for line in text.splitlines()]


def shared(now: Any, then: Any) -> Any:
    """Return `now` without the keys that were added since."""
    if isinstance(now, dict) and isinstance(then, dict):
        return {key: shared(now[key], value) for key, value in then.items() if key in now}
    if isinstance(now, list) and isinstance(then, list) and len(now) == len(then):
        return [shared(*pair) for pair in zip(now, then, strict=True)]
    return now


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("adapters", "adapters.json"),
        ("chats", "chats.json"),
        ("records", "records.jsonl"),
        ("stats", "stats.json"),
    ],
)
def test_every_command_prints_what_it_printed_then(old: Path, command: str, expected: str) -> None:
    then = rows((old / "expected" / expected).read_text(encoding="utf-8"))
    if command == "stats":
        del then[0]["untrained"]  # told apart now: to learn, held out, learned
    assert shared(rows(run(old, command, "--json")), then) == then


def test_its_settings_mean_what_they_meant(old: Path) -> None:
    (chosen,) = [line for line in run(old, "keys").splitlines() if line.endswith("*")]
    assert chosen.split()[:2] == ["chat.like", "f12"]


def test_its_adapter_answers(old: Path) -> None:
    ask = ("ask", "--no-recall", "--greedy", "--max-new-tokens", "40", "Name a fruit.")
    assert run(old, *ask, "--adapter", "first") != run(old, *ask, "--adapter", "base")


def test_its_interrupted_run_goes_on(old: Path) -> None:
    result = json.loads(run(old, "train", "--resume", "--json"))
    (made,) = result["passes"]
    assert made["version"] == "v2"
    versions = json.loads(run(old, "adapters", "--json"))["versions"]
    assert [one["version"] for one in versions] == ["v1", "v2"]
    assert versions[1]["metrics"]["steps"] == 180
