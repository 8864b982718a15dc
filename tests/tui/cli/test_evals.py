"""`tutee eval` as a script meets it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from core.adapters.registry import Adapters
from core.models.folder import ModelFolder
from store.errors import TuteeError
from store.paths import locate
from tests.lora import taught_version
from tui.cli.root import cli

Run = Callable[..., Result]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def run(home: Path, tiny_folder: ModelFolder) -> Run:
    def run(*args: str) -> Result:
        line = ["--home", str(home), "--model", str(tiny_folder.path), *args]
        return CliRunner().invoke(cli, line)

    return run


@pytest.fixture
def evals(tmp_path: Path) -> Path:
    path = tmp_path / "evals.jsonl"
    rows = [{"prompt": f"hello {n}", "exact": "never", "id": f"row {n}"} for n in range(6)]
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return path


def report(run: Run, *args: str) -> Any:
    result = run("eval", *args, "--max-new-tokens", "6", "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_versions_beside_the_base(
    run: Run, home: Path, tiny_folder: ModelFolder, evals: Path
) -> None:
    adapters = Adapters(locate(home).models, tiny_folder)
    version = taught_version(adapters)
    base, tuned = report(run, str(evals), "--adapter", version)
    assert (base["version"], tuned["version"]) == ("base", version)
    assert (base["right"], base["total"], base["p"]) == (0, 6, 1.0)
    assert base["items"][0]["id"] == "row 0"
    assert base["items"][0]["failed"] == ["exact"]
    # What the version really says is right for it, and for the base it is not.
    said = {item["prompt"]: item["reply"] for item in tuned["items"]}
    rows = [{"prompt": prompt, "contains": reply} for prompt, reply in said.items() if reply]
    evals.write_text("\n".join(json.dumps(row) for row in rows))
    base, tuned = report(run, str(evals), "--adapter", version, "--adapter", "base")
    assert tuned["right"] == len(rows)
    assert tuned["gained"] > 0
    shown = run("eval", str(evals), "--adapter", version, "--max-new-tokens", "6", "--failures")
    assert f"{len(rows)}/{len(rows)} right, 100%" in shown.stdout
    assert "against the base" in shown.stdout
    assert "contains" in shown.stdout


def test_a_mistake_is_told_before_the_model_is_loaded(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "evals.jsonl"
    path.write_text('{"prompt": "a", "regex": "("}')
    result = CliRunner().invoke(cli, ["--model", "/nowhere", "eval", str(path)])
    assert isinstance(result.exception, TuteeError)
    assert "Line 1" in result.exception.title
    path.write_text("")
    assert isinstance(run("eval", str(path)).exception, TuteeError)


def test_an_unknown_version_is_refused(run: Run, evals: Path) -> None:
    error = run("eval", str(evals), "--adapter", "v9").exception
    assert isinstance(error, TuteeError)
    assert "v9" in error.title


def test_corrections_as_examples_stand_beside_the_versions(
    run: Run, home: Path, evals: Path
) -> None:
    taught = home.parent / "taught.jsonl"
    taught.write_text(json.dumps({"prompt": "hello 1", "completion": "never"}) + "\n")
    assert run("import", str(taught)).exit_code == 0
    base, recall = report(run, str(evals), "--recall")
    assert (base["version"], recall["version"]) == ("base", "base+recall")
    assert [item["reply"] for item in base["items"]] != [item["reply"] for item in recall["items"]]
