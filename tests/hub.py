"""A hub on loopback that speaks both protocols, as far as the real clients ask for it.

It can be made to fail as hubs and networks do; what it was asked for is kept.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from urllib.parse import parse_qs, unquote, urlsplit

COMMIT = "a" * 40
_CHUNK = 16384


@dataclass
class Hub:
    """What the server has and does."""

    url: str = ""
    repositories: dict[str, Path] = field(default_factory=dict)
    gated: set[str] = field(default_factory=set)
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Name of each file that was asked for, and the range."""
    cut: dict[str, int] = field(default_factory=dict)
    """Answers about a file that are to break off in the middle."""
    wrong: set[str] = field(default_factory=set)
    """Files of which other bytes arrive than the listing says."""
    missing: set[str] = field(default_factory=set)
    """Files that are listed, but are not there."""
    status: int = 0
    """What everything is answered with, where it is set."""
    held: dict[str, Event] = field(default_factory=dict)
    """Files of which only half arrives until the event is set."""

    def environment(self) -> dict[str, str]:
        return {"HF_ENDPOINT": self.url, "MODELSCOPE_ENDPOINT": self.url}

    def ranges(self, name: str) -> list[str]:
        return [found for path, found in self.asked if path == name]


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    """Run `hub` until the block ends."""

    class Handler(_Handler):
        pass

    Handler.hub = hub
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield hub
    finally:
        for event in hub.held.values():
            event.set()
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, *args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        path = unquote(url.path)
        if self.hub.status:
            self._json(self.hub.status, {"Code": self.hub.status, "Message": "no"})
        elif match := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/(.+))?", path):
            self._hf_listing(match[1], match[2] or "main")
        elif match := re.fullmatch(r"/api/models/([^/]+/[^/]+)/tree/.+", path):
            self._hf_tree(match[1])
        elif match := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            self._file(match[1], match[3], body)
        elif match := re.fullmatch(r"/api/v1/models/([^/]+/[^/]+)/repo/files", path):
            self._modelscope_listing(match[1], query.get("Revision", "master"))
        elif match := re.fullmatch(r"/api/v1/models/([^/]+/[^/]+)/repo", path):
            self._file(match[1], query["FilePath"], body)
        else:
            self._json(404, {"Code": 404, "Message": "not found", "Success": False})

    def _hf_listing(self, name: str, revision: str) -> None:
        if name in self.hub.gated:
            return self._json(403, {"error": "gated"}, {"X-Error-Code": "GatedRepo"})
        if name not in self.hub.repositories:
            return self._json(404, {"error": "none"}, {"X-Error-Code": "RepoNotFound"})
        if revision not in ("main", COMMIT):
            return self._json(404, {"error": "none"}, {"X-Error-Code": "RevisionNotFound"})
        siblings = []
        for path, content in self._files(name):
            found: dict[str, object] = {
                "rfilename": path,
                "size": len(content),
                "blobId": hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest(),
            }
            if path.endswith((".safetensors", ".bin")):
                sha256 = hashlib.sha256(content).hexdigest()
                found["lfs"] = {"sha256": sha256, "size": len(content), "pointerSize": 134}
            siblings.append(found)
        self._json(200, {"id": name, "sha": COMMIT, "siblings": siblings})

    def _hf_tree(self, name: str) -> None:
        tree = [
            {
                "type": "file",
                "path": path,
                "size": len(content),
                "oid": hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest(),
            }
            for path, content in self._files(name)
        ]
        self._json(200, tree)

    def _modelscope_listing(self, name: str, revision: str) -> None:
        if name not in self.hub.repositories or revision != "master":
            return self._json(404, {"Code": 10010205001, "Message": "none", "Success": False})
        files = [
            {
                "Path": path,
                "Name": path,
                "Type": "blob",
                "Size": len(content),
                "Sha256": hashlib.sha256(content).hexdigest(),
            }
            for path, content in self._files(name)
        ]
        self._json(200, {"Code": 200, "Success": True, "Data": {"Files": files}})

    def _files(self, name: str) -> list[tuple[str, bytes]]:
        folder = self.hub.repositories[name]
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        return [(str(path.relative_to(folder)), path.read_bytes()) for path in paths]

    def _json(self, code: int, said: object, headers: dict[str, str] | None = None) -> None:
        content = json.dumps(said).encode()
        self.send_response(code)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _file(self, name: str, path: str, body: bool) -> None:
        if path in self.hub.missing:
            return self._json(404, {"Code": 404, "Message": "none"})
        content = (self.hub.repositories[name] / path).read_bytes()
        if path in self.hub.wrong:
            content = content[:-1] + bytes([content[-1] ^ 1])
        total, wanted = len(content), self.headers.get("Range", "")
        if body:
            self.hub.asked.append((path, wanted))
        start, end = 0, total - 1
        if match := re.fullmatch(r"bytes=(\d+)-(\d*)", wanted):
            start, end = int(match[1]), int(match[2] or total - 1)
        part = content[start : end + 1]
        self.send_response(206 if wanted else 200)
        if wanted:
            self.send_header("Content-Range", f"bytes {start}-{end}/{total}")
        self.send_header("Content-Length", str(len(part)))
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        if body:
            self._send(path, part)

    def _send(self, path: str, part: bytes) -> None:
        half = len(part) // 2
        self.wfile.write(part[:half])
        self.wfile.flush()
        if self.hub.cut.get(path, 0):
            self.hub.cut[path] -= 1
            self.close_connection = True
            self.connection.shutdown(2)
            return
        if path in self.hub.held:
            self.hub.held[path].wait(60)
        self.wfile.write(part[half:])
