"""Run benchmarks by name, print a table each, keep the figures as JSON.

Options after the names go to `lessons`. A column that holds a list is for the JSON only. The file
is written anew after each row, so that a long benchmark that is stopped keeps what it has measured.
"""

import json
import platform
import sys
from collections.abc import Callable, Iterable, Sequence
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
    lessons,
    passes,
    prefers,
    ready,
    recall,
    reinforces,
    rounds,
    screen,
    serving,
    steps,
    store,
    token,
)

BENCHES: dict[str, Callable[..., Iterable[dict[str, object]]]] = {
    "decode": decode.run,
    "decode-qwen": decode.run_qwen,
    "token": token.run,
    "beside": beside.run,
    "lessons": lessons.run,
    "recall": recall.run,
    "rounds": rounds.run,
    "gate": gate.run,
    "prefers": prefers.run,
    "reinforces": reinforces.run,
    "steps": steps.run,
    "passes": passes.run,
    "keys": keys.run,
    "screen": screen.run,
    "ready": ready.run,
    "imports": imports.run,
    "serve": serving.run,
    "store": store.run,
    "card": card.run,
}
RESULTS = Path(__file__).parent / "results"


def main(arguments: Sequence[str]) -> None:
    first = next((i for i, text in enumerate(arguments) if text.startswith("-")), len(arguments))
    names, options = arguments[:first], arguments[first:]
    unknown = [name for name in names if name not in BENCHES]
    if unknown:
        sys.exit(f"No benchmark {', '.join(unknown)}; there are: {', '.join(BENCHES)}")
    if options and names != ["lessons"]:
        sys.exit("Only `lessons` alone takes options.")
    console = Console(width=None if sys.stdout.isatty() else 140)
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{datetime.now(UTC):%Y%m%dT%H%M%S}.json"
    machine = {"machine": platform.machine(), "torch": version("torch"), "trl": version("trl")}
    results: dict[str, list[dict[str, object]]] = {}
    for name in names or everything():
        console.rule(name)
        rows = results[name] = []
        shown = []
        for row in BENCHES[name](*options):
            rows.append(row)
            path.write_text(json.dumps({**machine, "results": results}, indent=2), encoding="utf-8")
            shown.append({key: value for key, value in row.items() if not isinstance(value, list)})
            console.print(*shown[-1].values(), sep=" · ", style="dim")
        table = Table(box=None, header_style="dim")
        for column in shown[0]:
            table.add_column(column)
        for cells in shown:
            table.add_row(*map(str, cells.values()))
        console.print(table)
    console.print(f"Figures: {path}", style="dim")


def everything() -> list[str]:
    """All that can be measured on this machine."""
    return [name for name in BENCHES if name != "card" or device() == "cuda"]


if __name__ == "__main__":
    main(sys.argv[1:])
