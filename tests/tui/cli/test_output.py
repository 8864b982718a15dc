"""What the commands write to terminals, pipes and locales of every kind, as real processes."""

import json
import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from store.paths import locate
from store.records import ChatMessage, Instruction
from store.repository import Repository

pytestmark = pytest.mark.waits

ROOT = Path(__file__).parents[3]
PATIENCE = 120.0
"""Seconds before a command counts as hanging."""
HOSTILE = "\x1b]0;PWN\x07\x1b[2J\x9b31m\x9d0;PWN\x9c\u202egnp\u2066x 👍 茶"
"""A title to set, a screen to clear, the same in C1, a changed direction, and ordinary text."""
_STYLE = re.compile(rb"\x1b\[[0-9;]*m|\r\x1b\[K")
_DRIVING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home whose texts, names and settings all try to drive the terminal."""
    home = tmp_path / "home"
    record = Instruction(
        id="hostile",
        prompt=(ChatMessage(role="user", content=HOSTILE),),
        completion=f"reply {HOSTILE}",
    )
    with Repository.open(locate(home)) as repository:
        repository.add_imported([record])
        talk = repository.start_conversation()
        repository.add_message(talk.id, "user", f"ask {HOSTILE}")
        repository.add_message(talk.id, "assistant", f"reply {HOSTILE}")
    return home


@pytest.fixture
def chat(home: Path) -> str:
    with Repository.open(locate(home), write=False) as repository:
        return repository.conversations()[0].id


def command(home: Path, *args: str) -> list[str]:
    return [sys.executable, "-m", "tui", "--home", str(home), *args]


def on_terminal(home: Path, *args: str, stdin: int = subprocess.DEVNULL) -> bytes:
    """Everything that reaches the terminal from both streams, line ends as they were written."""
    screen, terminal = pty.openpty()
    running = subprocess.Popen(
        command(home, *args), cwd=ROOT, stdin=stdin, stdout=terminal, stderr=terminal
    )
    os.close(terminal)
    shown, deadline = b"", time.monotonic() + PATIENCE
    try:
        while time.monotonic() < deadline:
            if select.select([screen], [], [], 1.0)[0]:
                try:
                    shown += os.read(screen, 65536)
                except OSError:  # the last one has closed it
                    break
        running.wait(PATIENCE)
    finally:
        running.kill()
        os.close(screen)
    return shown.replace(b"\r\n", b"\n")


def in_pipe(home: Path, *args: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        command(home, *args),
        cwd=ROOT,
        capture_output=True,
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        timeout=PATIENCE,
    )


def driving(shown: bytes) -> list[str]:
    """The characters that steer a terminal, but for styles and redrawn lines of our own."""
    return _DRIVING.findall(_STYLE.sub(b"", shown).decode())


@pytest.mark.parametrize(
    "args",
    [
        ("chats",),
        ("chats", "show", "CHAT"),
        ("chats", "rename", "CHAT", f"title {HOSTILE}"),
        ("records",),
        ("records", "--json"),
        ("show", "hostile"),
        ("show", "hostile", "--json"),
        ("export", "--kind", "instruction"),
        ("export", "--kind", "instruction", "--format", "csv"),
        ("delete", "--source", HOSTILE),
        ("--model", f"/no/{HOSTILE}", "models", "info", f"/no/{HOSTILE}"),
        ("import", f"/no/{HOSTILE}"),
        (f"no-{HOSTILE}",),
    ],
)
def test_no_text_drives_the_terminal(home: Path, chat: str, args: tuple[str, ...]) -> None:
    shown = on_terminal(home, *(arg.replace("CHAT", chat) for arg in args))
    assert "茶" in shown.decode() or "\\u8336" in shown.decode()
    assert driving(shown) == []


def test_a_model_and_its_files_do_not_drive_the_terminal(home: Path, tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text(json.dumps({"architectures": [f"X{HOSTILE}"]}))
    (model / "model.safetensors").write_bytes(b"\2\0\0\0\0\0\0\0{}")
    (model / "tokenizer.json").write_text("{}")
    shown = on_terminal(home, "--model", str(model), "ask", "hi")
    assert b"tutee: " in shown
    assert driving(shown) == []
    (home / "config.toml").write_text(f"[chat]\n{json.dumps(HOSTILE)} = 1\n")
    shown = on_terminal(home, "stats")
    assert b"tutee: " in shown
    assert driving(shown) == []


def test_a_pipe_gets_texts_as_they_are(home: Path, chat: str) -> None:
    exported = in_pipe(home, "export", "--kind", "instruction", "--format", "csv").stdout
    assert HOSTILE in exported.decode()
    shown = json.loads(in_pipe(home, "show", "hostile", "--json").stdout)
    assert shown["completion"] == f"reply {HOSTILE}"


@pytest.mark.parametrize("encoding", ["gbk", "cp1252", "ascii"])
def test_no_locale_cuts_the_output(home: Path, chat: str, encoding: str) -> None:
    for args in (
        ("keys",),
        ("models",),
        ("records",),
        ("show", "hostile"),
        ("chats",),
        ("chats", "show", chat),
        ("stats",),
        ("check",),
        ("--help",),
    ):
        done = in_pipe(home, *args, PYTHONIOENCODING=encoding)
        assert done.returncode == 0, (args, done.stderr)
        done.stdout.decode("utf-8" if encoding == "ascii" else encoding)
    for args in (("show", "hostile"), ("records",)):
        done = in_pipe(home, *args, "--json", PYTHONIOENCODING=encoding)
        assert json.loads(done.stdout)["completion"] == f"reply {HOSTILE}"
    exported = in_pipe(home, "export", "--kind", "instruction", PYTHONIOENCODING=encoding)
    assert json.loads(exported.stdout)["messages"][1]["content"] == f"reply {HOSTILE}"


@pytest.fixture
def gone() -> Iterator[int]:
    """A pipe that nobody reads."""
    reader, writer = os.pipe()
    os.close(reader)
    yield writer
    os.close(writer)


@pytest.mark.parametrize(
    "args", [("keys",), ("records", "--json"), ("show", "hostile"), ("--help",), ("locate",)]
)
def test_a_reader_who_leaves_is_no_error(home: Path, gone: int, args: tuple[str, ...]) -> None:
    done = subprocess.run(
        command(home, *args), cwd=ROOT, stdout=gone, stderr=subprocess.PIPE, timeout=PATIENCE
    )
    assert (done.returncode, done.stderr) == (0, b"")
