"""Installed as a tool, outside of the clone, Tutee has everything with it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
NOT_CODE = ("*.tcss", "*.po", "*.jsonl")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what `pip install .` copies; the libraries are those of this environment."""
    target = tmp_path_factory.mktemp("installed")
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation")
    # A copy, because setuptools builds beside the source.
    source = target / "source"
    files = subprocess.run(
        ("git", "ls-files", "-z"), cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    for name in filter(None, files.split("\0")):
        if (ROOT / name).is_file() and not name.startswith("tests/"):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    subprocess.run((*pip, "--target", str(target / "lib"), str(source)), check=True)
    return target


def run(installed: Path, *command: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(installed / "lib")}
    done = subprocess.run(
        (sys.executable, *command),
        cwd=installed,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_every_file_is_there(installed: Path) -> None:
    there = {path.relative_to(installed / "lib") for path in (installed / "lib").rglob("*")}
    wanted = {
        path.relative_to(ROOT)
        for folder in ("store", "data", "core", "tui")
        for pattern in ("*.py", *NOT_CODE)
        for path in (ROOT / folder).rglob(pattern)
    }
    assert wanted <= there
    assert not (installed / "lib" / "tests").exists()


def test_the_command_runs(installed: Path) -> None:
    command = (str(installed / "lib" / "bin" / "tutee"), "--home", str(installed / "home"))
    assert "tutee" in run(installed, *command, "--version")
    assert "app.quit" in run(installed, *command, "keys")  # every screen can be imported
    assert "导出" in run(installed, "-c", CHINESE)


CHINESE = """
import core, data, store, tui, sys
assert all("lib" in module.__file__ for module in (core, data, store, tui))
from store.i18n import _, set_language
set_language("zh")
print(_("Export"))
"""
