"""Film reviews and the question about them: the task the built-in model fails before it learns."""

import sys
from dataclasses import dataclass
from pathlib import Path

QUESTION = "What is the sentiment of this review, positive or negative?"
DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "sst2-clairett"


@dataclass(frozen=True)
class Review:
    text: str
    reply: str

    @property
    def prompt(self) -> str:
        return f"{QUESTION}\n{self.text}"


def reviews(name: str, count: int, skip: int = 0) -> list[Review]:
    """`count` reviews of `train.tsv` or `dev.tsv`; ends the program where the data is absent."""
    path = DATA / name
    if not path.exists():
        sys.exit(f"This benchmark needs {path}, which is not part of the project.")
    lines = path.read_text(encoding="utf-8").splitlines()[skip : skip + count]
    rows = [line.rsplit("\t", 1) for line in lines]
    return [Review(text, "positive" if label == "1" else "negative") for text, label in rows]
