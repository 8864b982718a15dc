"""Run benchmarks by name, print a table each, keep the figures as JSON."""

import json
import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.table import Table

from core.runtime.device import device
from tests.bench import (
    beside,
    card,
    decode,
    gate,
    imports,
    keys,
    learns,
    passes,
    prefers,
    ready,
    reinforces,
    screen,
    steps,
    store,
    token,
)

BENCHES = {
    "decode": decode.run,
    "decode-qwen": decode.run_qwen,
    "token": token.run,
    "beside": beside.run,
    "learns": learns.run,
    "gate": gate.run,
    "prefers": prefers.run,
    "reinforces": reinforces.run,
    "steps": steps.run,
    "passes": passes.run,
    "keys": keys.run,
    "screen": screen.run,
    "ready": ready.run,
    "imports": imports.run,
    "store": store.run,
    "card": card.run,
}
RESULTS = Path(__file__).parent / "results"


def main(names: list[str]) -> None:
    unknown = [name for name in names if name not in BENCHES]
    if unknown:
        sys.exit(f"No benchmark {', '.join(unknown)}; there are: {', '.join(BENCHES)}")
    console = Console(width=None if sys.stdout.isatty() else 140)
    results = {}
    for name in names or everything():
        console.rule(name)
        rows = []
        for row in BENCHES[name]():
            rows.append(row)
            console.print(*row.values(), sep=" · ", style="dim")
        results[name] = rows
        table = Table(box=None, header_style="dim")
        for column in rows[0]:
            table.add_column(column)
        for row in rows:
            table.add_row(*(str(value) for value in row.values()))
        console.print(table)
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{datetime.now(UTC):%Y%m%dT%H%M%S}.json"
    machine = {"machine": platform.machine(), "torch": version("torch"), "trl": version("trl")}
    path.write_text(json.dumps({**machine, "results": results}, indent=2), encoding="utf-8")
    console.print(f"Figures: {path}", style="dim")


def everything() -> list[str]:
    """All that can be measured on this machine."""
    return [name for name in BENCHES if name != "card" or device() == "cuda"]


if __name__ == "__main__":
    main(sys.argv[1:])
