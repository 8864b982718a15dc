"""A real server on the tiny model, and a client without a library."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from core.config import Config
from core.events import ModelReady
from core.models.folder import ModelFolder
from core.workers.chat import ChatWorker
from store.paths import Paths, locate
from store.records import Sampling
from store.repository import Repository
from tests.core.ears import PATIENCE, Ears

if TYPE_CHECKING:
    from tui.endpoint.application import Deps, Served
    from tui.endpoint.server import Server

ASK = {"messages": [{"role": "user", "content": "hello world"}]}
CONFIG = Config(
    sampling=Sampling(temperature=0, top_p=1, repetition_penalty=1.0, max_new_tokens=12)
)


@dataclass
class Client:
    """A program that uses the endpoint."""

    port: int
    headers: dict[str, str] = field(default_factory=dict)

    def sent(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] = {}
    ) -> HTTPConnection:
        """A connection whose response is still to come."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        connection.request(method, path, data, {**self.headers, **headers})
        return connection

    def open(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] = {}
    ) -> tuple[HTTPConnection, HTTPResponse]:
        connection = self.sent(method, path, body, headers)
        return connection, connection.getresponse()

    def ask(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] = {}
    ) -> tuple[int, Any]:
        """The status and the JSON."""
        connection, response = self.open(method, path, body, headers)
        try:
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    def chat(self, **fields: object) -> Any:
        status, reply = self.ask("POST", "/v1/chat/completions", {**ASK, **fields})
        assert status == 200, reply
        return reply

    def refused(self, path: str, **fields: object) -> tuple[int, dict[str, Any]]:
        status, reply = self.ask("POST", path, fields)
        assert set(reply) == {"error"}
        assert set(reply["error"]) == {"message", "type", "param", "code"}
        return status, reply["error"]

    def stream(self, path: str, **fields: object) -> list[Any]:
        """The pieces; the last one is "[DONE]"."""
        connection, response = self.open("POST", path, {**fields, "stream": True})
        try:
            assert response.status == 200
            assert response.headers["content-type"].startswith("text/event-stream")
            events = response.read().decode().split("\n\n")
        finally:
            connection.close()
        assert events.pop() == ""
        data = [event.removeprefix("data: ") for event in events]
        return [piece if piece == "[DONE]" else json.loads(piece) for piece in data]


@dataclass
class Running:
    worker: ChatWorker
    server: "Server"
    client: Client
    paths: Paths
    served: "list[Served]"
    deps: "Deps"

    def repository(self) -> Repository:
        return Repository.open(self.paths, write=False)


@pytest.fixture
def worker(tiny_folder: ModelFolder, tmp_path: Path) -> Iterator[ChatWorker]:
    ears = Ears()
    made = ChatWorker(ears)
    made.start(str(tiny_folder.path), tmp_path / "cache", tmp_path / "home" / "models")
    ears.wait_for(ModelReady)
    yield made
    assert made.close(PATIENCE)


@pytest.fixture
def running(worker: ChatWorker, tmp_path: Path) -> Iterator[Running]:
    pytest.importorskip("uvicorn")
    with serving(worker, locate(tmp_path / "home")) as one:
        yield one


@pytest.fixture
def client(running: Running) -> Client:
    return running.client


@contextmanager
def serving(
    worker: ChatWorker, paths: Paths, key: str | None = None, config: Config = CONFIG
) -> Iterator[Running]:
    from tui.cli.serve import HomeRecords, home_writer
    from tui.endpoint.application import Deps
    from tui.endpoint.server import Server

    served: list[Served] = []
    records = HomeRecords(paths).trainable
    deps = Deps(worker, lambda: config, home_writer(paths), served.append, records)
    server = Server(deps, "127.0.0.1", 0, key)
    server.start()
    port = int(server.url.rpartition(":")[2].partition("/")[0])
    try:
        yield Running(worker, server, Client(port), paths, served, deps)
    finally:
        assert server.stop(PATIENCE)
