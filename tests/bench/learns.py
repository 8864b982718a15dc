"""It learns: 16 corrections, one training run, exact replies to 200 reviews it never saw.

Everything goes through the commands, as a script would do it, each time in an empty home. Several
disjoint sets of 16, because one set says little about the next.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.bench.reviews import Review, reviews

CORRECTIONS, UNSEEN, SETS = 16, 200, 3


def run() -> list[dict[str, object]]:
    unseen = reviews("dev.tsv", UNSEEN)
    with tempfile.TemporaryDirectory() as scratch:
        before = exact(Path(scratch), unseen, Path(scratch) / "home")
    rows: list[dict[str, object]] = []
    for number in range(SETS):
        with tempfile.TemporaryDirectory() as scratch:
            rows.append(learn(Path(scratch), number, unseen, before))
    return rows


def learn(scratch: Path, number: int, unseen: list[Review], before: float) -> dict[str, object]:
    home, corrections = scratch / "home", scratch / "corrections.jsonl"
    with corrections.open("w", encoding="utf-8") as file:
        for review in reviews("train.tsv", CORRECTIONS, skip=number * CORRECTIONS):
            turns = [("user", review.prompt), ("assistant", review.reply)]
            messages = [{"role": role, "content": content} for role, content in turns]
            file.write(json.dumps({"messages": messages}) + "\n")
    tutee(home, "import", str(corrections))
    trained = json.loads(tutee(home, "train", "--json"))
    return {
        "corrections": f"{number * CORRECTIONS + 1}-{(number + 1) * CORRECTIONS}",
        "exact before": f"{before:.1%}",
        "exact after": f"{exact(scratch, unseen, home):.1%}",
        "training seconds": trained["seconds"],
        "steps": trained["steps"],
    }


def exact(scratch: Path, unseen: list[Review], home: Path) -> float:
    """The share of `unseen` that gets exactly the right reply, greedily."""
    questions = scratch / "questions.jsonl"
    rows = [json.dumps({"prompt": review.prompt}) for review in unseen]
    questions.write_text("\n".join(rows), encoding="utf-8")
    out = tutee(home, "ask", "--batch", str(questions), "--greedy", "--max-new-tokens", "16")
    replies = [json.loads(line)["reply"] for line in out.splitlines()]
    right = [r.reply == reply for r, reply in zip(unseen, replies, strict=True)]
    return sum(right) / len(right)


def tutee(home: Path, *args: str) -> str:
    command = [sys.executable, "-m", "tui", "--home", str(home), *args]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
