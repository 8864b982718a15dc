"""From key press to paint, through a real terminal: idle, while a reply streams, while tuning runs.

The app runs in a pseudo-terminal of 120×36. Each press types a character that appears nowhere else
on the screen; the time is taken from the write until that character comes back in the output. What
a terminal program adds to draw it is not in it. Another program is measured idle where
`BENCH_BESIDE` names its command and `BENCH_BESIDE_PAINTS` a text of its first screen.
"""

import json
import os
import pty
import select
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from fcntl import ioctl
from pathlib import Path
from termios import TIOCSWINSZ

from tests.bench.reviews import reviews

PRESSES, GAP, PATIENCE = 100, 0.05, 60.0
REPLIES = 6
"""Wait in a row, so that one of them is written at every press."""
F5, ENTER, ESCAPE, CTRL_C = b"\x1b[15~", b"\r", b"\x1b", b"\x03"


class Terminal:
    """A program in a pseudo-terminal, and all it has painted since it was last asked."""

    def __init__(self, command: list[str]) -> None:
        self._fd, child = pty.openpty()
        ioctl(child, TIOCSWINSZ, struct.pack("HHHH", 36, 120, 0, 0))
        environment = os.environ | {
            "TERM": "xterm-256color",
            "COLORTERM": "truecolor",
            "COLORFGBG": "15;0",  # nobody answers here what the background is
        }
        self._process = subprocess.Popen(
            command,
            stdin=child,
            stdout=child,
            stderr=child,
            env=environment,
            start_new_session=True,
        )
        os.close(child)
        self.pid = self._process.pid

    def press(self, keys: bytes) -> None:
        os.write(self._fd, keys)

    def wait_for(self, text: str) -> float:
        """Seconds until `text` is painted."""
        started, painted = time.perf_counter(), b""
        while text.encode() not in painted:
            left = started + PATIENCE - time.perf_counter()
            if left <= 0:
                sys.exit(f"“{text}” was not painted within {PATIENCE:.0f} s.")
            if select.select([self._fd], [], [], left)[0]:
                painted += os.read(self._fd, 65536)
        return time.perf_counter() - started

    def drain(self, seconds: float) -> None:
        until = time.perf_counter() + seconds
        while (left := until - time.perf_counter()) > 0:
            if select.select([self._fd], [], [], left)[0]:
                os.read(self._fd, 65536)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._fd)


def run() -> list[dict[str, object]]:
    with tempfile.TemporaryDirectory() as scratch:
        home = prepared_home(Path(scratch))
        terminal = Terminal(
            [sys.executable, "-m", "tui", "--home", str(home), "--model", "builtin"]
        )
        try:
            return measure(terminal) + beside()
        finally:
            terminal.close()


def beside() -> list[dict[str, object]]:
    """Another program, in whose first screen one can write."""
    command = os.environ.get("BENCH_BESIDE")
    if not command:
        return []
    terminal = Terminal(command.split())
    try:
        terminal.wait_for(os.environ["BENCH_BESIDE_PAINTS"])
        terminal.drain(5.0)
        return [row(f"{Path(command).name}, idle", presses(terminal, typing(terminal)))]
    finally:
        terminal.close()


def prepared_home(scratch: Path) -> Path:
    """A home with enough to train on for longer than the measurement takes."""
    home, file = scratch / "home", scratch / "corrections.jsonl"
    home.mkdir()
    (home / "config.toml").write_text("[tuning]\nepochs = 20\n", encoding="utf-8")
    rows = [
        {
            "messages": [
                {"role": "user", "content": review.prompt},
                {"role": "assistant", "content": review.reply},
            ]
        }
        for review in reviews("train.tsv", 64)
    ]
    file.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    command = [sys.executable, "-m", "tui", "--home", str(home), "import", str(file)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return home


def typing(terminal: Terminal) -> Callable[[], float]:
    """Types one character, and gives the seconds until it is painted."""
    fresh = iter(range(0x4E00, 0x9FFF))  # each character once, so that none is on screen already

    def type_one() -> float:
        character = chr(next(fresh))
        terminal.press(character.encode())
        return terminal.wait_for(character)

    return type_one


def measure(terminal: Terminal) -> list[dict[str, object]]:
    type_one = typing(terminal)
    terminal.wait_for("SmolLM2")
    terminal.drain(3.0)
    rows = [row("idle", presses(terminal, type_one))]
    terminal.press(CTRL_C)
    terminal.press(b"\x15")  # clear the line
    for _ in range(REPLIES):
        terminal.press(b"Write a very long story about a lighthouse." + ENTER)
        terminal.drain(0.3)
    rows.append(row("while a reply streams", presses(terminal, type_one)))
    terminal.drain(20.0)  # the last of them
    terminal.press(F5)
    terminal.drain(1.0)
    terminal.press(ENTER)
    terminal.wait_for("tok/s")
    terminal.press(ESCAPE)
    terminal.drain(1.0)
    rows.append(row("while tuning runs", presses(terminal, type_one)))
    return rows


def presses(terminal: Terminal, type_one: Callable[[], float]) -> list[float]:
    times = []
    for _ in range(PRESSES):
        times.append(type_one())
        terminal.drain(GAP)
    return times


def row(name: str, times: list[float]) -> dict[str, object]:
    cuts = statistics.quantiles(times, n=20)
    return {
        "key press to paint": name,
        "p50": f"{statistics.median(times) * 1000:.0f} ms",
        "p95": f"{cuts[-1] * 1000:.0f} ms",
        "max": f"{max(times) * 1000:.0f} ms",
        "presses": len(times),
    }
