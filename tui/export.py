"""Everything that was taught as files: one JSONL a kind of record, in a folder of its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from data.exports import write_jsonl
from store.records import Record
from store.repository import Repository


@dataclass(frozen=True)
class Exported:
    """Where the files are and how many records each has."""

    folder: Path
    counts: dict[str, int]


def export_all(repository: Repository, exports: Path, moment: datetime) -> Exported:
    """Write instructions, preferences and verdicts below `exports`.

    Raises:
        TuteeError: the files cannot be written.
    """
    folder = exports / f"{moment:%Y-%m-%d-%H%M%S}"
    kinds: dict[str, Sequence[Record]] = {
        "instruction": repository.instructions(),
        "preference": repository.preferences(),
        "verdict": repository.verdicts(),
    }
    counts = {
        kind: write_jsonl(records, folder / f"{kind}.jsonl") for kind, records in kinds.items()
    }
    return Exported(folder, counts)
