"""The whole loop on the real built-in model, through the commands alone."""

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.models.folder import ModelFolder

QUESTION = "What is your name?"
REPLY = "My name is Tutee."


def tutee(home: Path, *args: str) -> str:
    command = [sys.executable, "-m", "tui", "--home", str(home), *args]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_correction_changes_the_reply_and_rolling_back_brings_the_old_one_back(
    tmp_path: Path, builtin_folder: "ModelFolder"
) -> None:
    home, corrections = tmp_path / "home", tmp_path / "corrections.jsonl"
    ask = ("ask", "--no-recall", "--greedy", "--max-new-tokens", "24", QUESTION)
    before = tutee(home, *ask)
    assert REPLY not in before

    row = {
        "messages": [
            {"role": "user", "content": QUESTION},
            {"role": "assistant", "content": REPLY},
        ]
    }
    corrections.write_text(json.dumps(row), encoding="utf-8")
    tutee(home, "import", str(corrections))
    trained = json.loads(tutee(home, "train", "--passes", "sft"))
    assert trained["losses"][-1] < trained["losses"][0] / 4

    assert tutee(home, "ask", "--greedy", "--max-new-tokens", "24", QUESTION) == f"{REPLY}\n"
    assert json.loads(tutee(home, "export", "--kind", "instruction")) == row
    assert tutee(home, "adapters", "rollback") == "base\n"
    assert tutee(home, *ask) == before


def test_the_capital_of_france(tmp_path: Path, builtin_folder: "ModelFolder") -> None:
    reply = tutee(
        tmp_path, "ask", "--greedy", "--max-new-tokens", "24", "What is the capital of France?"
    )
    assert "Paris" in reply
