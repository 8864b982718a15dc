"""The endpoint under load: 16 clients for some minutes, nothing lost, memory flat.

`python -m tests.bench serve` takes five minutes; each client asks, reads to the end (every third by
stream, every tenth leaves in mid-reply), and asks again.
"""

import json
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from queue import SimpleQueue

import psutil

from core.config import Config
from core.events import Event, ModelReady
from core.workers.chat import ChatWorker
from store.paths import locate

CLIENTS = 16
SECONDS = 300.0
_PATIENCE = 600.0


def run(seconds: float = SECONDS, model: str = "builtin") -> Iterable[dict[str, object]]:
    """One row: requests that were answered, left and failed, and memory before and after."""
    from tui.endpoint.application import Deps
    from tui.endpoint.server import Server

    with tempfile.TemporaryDirectory() as folder:
        events: SimpleQueue[Event] = SimpleQueue()
        worker = ChatWorker(events.put)
        worker.start(model, locate(None).cache, Path(folder) / "models")
        while not isinstance(events.get(timeout=_PATIENCE), ModelReady):
            pass

        def no_feedback(*_: object) -> None:
            raise AssertionError

        deps = Deps(worker, Config, no_feedback)  # type: ignore[arg-type]
        server = Server(deps, "127.0.0.1", 0, None)
        server.start()
        port = int(server.url.split(":")[2].partition("/")[0])
        began = time.monotonic()
        _ask(port, 0)
        process = psutil.Process()
        third = began + seconds / 3
        memory: list[float] = []

        def client(number: int) -> list[str]:
            outcomes = []
            asked = number
            while time.monotonic() < began + seconds:
                outcomes.append(_ask(port, asked))
                asked += CLIENTS
                if number == 0 and (time.monotonic() > third or not memory):
                    memory.append(process.memory_info().rss / 2**20)
            return outcomes

        with ThreadPoolExecutor(CLIENTS) as pool:
            outcomes = [one for some in pool.map(client, range(CLIENTS)) for one in some]
        server.stop()
        worker.close(_PATIENCE)
    yield {
        "clients": CLIENTS,
        "seconds": round(time.monotonic() - began),
        **{kind: outcomes.count(kind) for kind in ("whole", "stream", "left", "failed")},
        "MB after a third": round(memory[min(1, len(memory) - 1)]),
        "MB at the end": round(memory[-1]),
    }


def _ask(port: int, number: int) -> str:
    kind = "left" if number % 10 == 9 else "stream" if number % 3 == 0 else "whole"
    body = {
        "messages": [{"role": "user", "content": f"Name {number % 7 + 1} colours."}],
        "stream": kind != "whole",
        "max_tokens": 24,
    }
    connection = HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)
    try:
        connection.request("POST", "/v1/chat/completions", json.dumps(body))
        response = connection.getresponse()
        if kind == "left":
            response.readline()
            return kind
        text = response.read().decode()
        ended = text.endswith("data: [DONE]\n\n") if kind == "stream" else "usage" in text
        return kind if response.status == 200 and ended else "failed"
    except OSError:
        return "failed"
    finally:
        connection.close()
