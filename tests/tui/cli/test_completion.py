"""`tutee completion`, in the shells themselves."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from tui.cli.root import cli

pytestmark = pytest.mark.waits

ROOT = Path(__file__).parents[3]
ASKS = {
    "bash": """
        eval "$(tutee completion bash)"
        COMP_WORDS=(tutee re) COMP_CWORD=1
        _tutee_completion tutee; printf '%s\\n' "${COMPREPLY[@]}"
        COMP_WORDS=(tutee export --format a) COMP_CWORD=3
        _tutee_completion tutee; printf '%s\\n' "${COMPREPLY[@]}"
    """,
    "zsh": """
        autoload -U compinit; compinit -u
        eval "$(tutee completion zsh)"
        compadd() { :; }
        _describe() { print -l -- ${(P)3}; print -l -- ${(P)5}; }
        words=(tutee re) CURRENT=2 _tutee_completion
        words=(tutee export --format a) CURRENT=4 _tutee_completion
    """,
    "fish": """
        tutee completion fish | source
        complete -C 'tutee re'
        complete -C 'tutee export --format a'
    """,
}


@pytest.mark.parametrize("shell", ASKS)
def test_commands_and_choices_are_completed(shell: str, tmp_path: Path) -> None:
    if not shutil.which(shell):
        pytest.skip(f"there is no {shell} here")
    command = tmp_path / "tutee"
    command.write_text(f"#!/bin/sh\nexec '{sys.executable}' -m tui \"$@\"\n")
    command.chmod(0o700)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [shell, "-c", ASKS[shell]],
        cwd=ROOT,
        env=os.environ | {"PATH": path, "HOME": str(tmp_path), "TUTEE_HOME": str(tmp_path / "h")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert {"recipe", "records", "report", "alpaca"} <= {*done.stdout.split()}, done.stderr
    assert "train" not in done.stdout.split()


@pytest.mark.parametrize("shell", ASKS)
def test_every_shell_has_its_script(shell: str) -> None:
    done = CliRunner().invoke(cli, ["completion", shell])
    assert done.exit_code == 0
    assert "_TUTEE_COMPLETE" in done.stdout
