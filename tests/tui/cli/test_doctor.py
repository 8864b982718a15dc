"""`tutee doctor` on the tiny model."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from core.models.folder import ModelFolder
from tui.cli import doctor
from tui.cli.root import cli


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_SECONDS", 0.2)


def run(folder: ModelFolder, home: Path, *options: str) -> str:
    command = ["--home", str(home), "--model", str(folder.path), "doctor", *options]
    result = CliRunner().invoke(cli, command, catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_it_says_what_answers_and_how_fast(tiny_folder: ModelFolder, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[serving]\nprecision = "fp32"\n', encoding="utf-8")
    told = json.loads(run(tiny_folder, tmp_path, "--json"))
    assert told["chat weights"].startswith("fp32, ")
    assert told["version"] == "base"
    assert told["precision"] == "fp32"
    assert "torch" in told["libraries"]
    for measured in ("reads", "writes"):
        assert float(told[measured].split()[0].replace(",", "")) > 0


def test_without_speed_the_model_is_not_loaded(
    tiny_folder: ModelFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.doctor.serving", None)
    told = run(tiny_folder, tmp_path, "--no-speed")
    assert "graphics card" in told
    assert "no: on a processor 4 bits are far slower" in told
    (tmp_path / "config.toml").write_text('[serving]\nfour_bit = "always"\n', encoding="utf-8")
    assert "yes: as the settings say" in run(tiny_folder, tmp_path, "--no-speed")
    assert "writes" not in told
