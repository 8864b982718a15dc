"""A large set of instructions comes in: how long it takes, and the most memory it needs."""

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import Any

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
ALPACA = SHARED / "llama-factory" / "alpaca_en_demo.json"
SIZES = (1_000, 10_000, 50_000)
MEBIBYTE = 1 << 20


def run() -> list[dict[str, Any]]:
    """Import rows in a process of its own, once from JSONL and once from one JSON array."""
    if not ALPACA.exists():
        raise SystemExit(f"This benchmark needs {ALPACA}.")
    return [_measured(count, suffix) for count in SIZES for suffix in ("jsonl", "json")]


def _measured(count: int, suffix: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"alpaca.{suffix}"
        rows = [*_rows(count)]
        text = "\n".join(map(json.dumps, rows)) if suffix == "jsonl" else json.dumps(rows, indent=2)
        file.write_text(text, encoding="utf-8")
        command = [sys.executable, "-m", __name__, str(Path(folder) / "home"), str(file)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        size = file.stat().st_size
    return {"rows": count, "file": suffix, "MiB": round(size / MEBIBYTE, 1)} | json.loads(
        done.stdout
    )


def _rows(count: int) -> Iterator[dict[str, str]]:
    """Real instructions, each time a little different, so that none is a duplicate."""
    real = json.loads(ALPACA.read_text(encoding="utf-8"))
    for number, row in enumerate(islice(cycle(real), count)):
        yield row | {"instruction": f"{number}. {row['instruction']}"}


def _import(home: Path, file: Path) -> dict[str, Any]:
    from data.imports import read_file
    from store.paths import locate
    from store.repository import Repository

    start = time.perf_counter()
    found = read_file(file)
    read = time.perf_counter()
    with Repository.open(locate(home)) as repository:
        added = repository.add_imported(found.records, found.conversations)
    kept = time.perf_counter()
    usage = resource.getrusage(resource.RUSAGE_SELF)
    peak = usage.ru_maxrss
    peak_bytes = peak if sys.platform == "darwin" else peak * 1024
    return {
        "taken": len(added.records),
        "read s": round(read - start, 2),
        "keep s": round(kept - read, 2),
        "processor s": round(usage.ru_utime + usage.ru_stime, 2),
        "peak MiB": round(peak_bytes / MEBIBYTE),
    }


if __name__ == "__main__":
    print(json.dumps(_import(Path(sys.argv[1]), Path(sys.argv[2]))))
