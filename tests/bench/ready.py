"""From the start of a process until the built-in model can answer: Tutee, and plain transformers.

In turn, so that what else runs falls on both alike. `python -m tests.bench.ready NAME` is one
start.
"""

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event

from store.paths import locate

STARTS = 5


def run() -> list[dict[str, object]]:
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in _WAYS}
    for _ in range(STARTS):
        for name, measured in found.items():
            started = time.perf_counter()
            command = [sys.executable, "-m", __name__, name]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            measured.append((time.perf_counter() - started, float(done.stdout)))
    return [
        {
            "": name,
            "ready s": round(min(wall for wall, _ in measured), 2),
            "processor s": round(min(spent for _, spent in measured), 2),
        }
        for name, measured in found.items()
    ]


def _tutee() -> None:
    from core.events import ModelReady
    from core.workers.chat import ChatWorker

    ready = Event()
    chat = ChatWorker(lambda event: ready.set() if isinstance(event, ModelReady) else None)
    with tempfile.TemporaryDirectory() as home:
        chat.start("builtin", locate(None).cache, Path(home))
        if not ready.wait(60):
            sys.exit("The built-in model was not ready within a minute.")
        chat.close(5)


def _transformers() -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from core.models import builtin

    path = builtin.target(locate(None).cache)
    AutoTokenizer.from_pretrained(path)
    AutoModelForCausalLM.from_pretrained(path)


_WAYS: dict[str, Callable[[], None]] = {
    "Tutee": _tutee,
    "transformers, float32": _transformers,
}

if __name__ == "__main__":
    _WAYS[sys.argv[1]]()
    spent = resource.getrusage(resource.RUSAGE_SELF)
    print(spent.ru_utime + spent.ru_stime)
