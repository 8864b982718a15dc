"""What the screen costs: until it is there, while nobody touches it, and with a long chat open.

In a pseudo-terminal as `tests.bench.keys`. Another program is measured the same way where
`BENCH_BESIDE` names its command and `BENCH_BESIDE_PAINTS` a text of its first screen; a chat of 500
messages cannot be put before it, so it is measured with none.
"""

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import psutil

from store.paths import locate
from store.repository import Repository
from tests.bench.keys import ENTER, Terminal
from tests.bench.store import fill

STARTS, IDLE_SECONDS, MESSAGES = 5, 10.0, 500
PAINTS, CTRL_R = "sk anything", b"\x12"
THERE = "trains the model"
"""What only the chat says, once the home is open."""
RECORDS = 100_000


def run() -> list[dict[str, object]]:
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, "-m", "tui", "--home", str(long_home(Path(scratch)))]
        rows = [
            measured("Tutee, an empty chat", command, PAINTS, THERE),
            measured(f"Tutee, {MESSAGES} messages", command, PAINTS, THERE, opens=True),
        ]
        large = Path(scratch) / "large"
        fill(locate(large), RECORDS)
        command = [*command[:-1], str(large)]
        rows.append(measured(f"Tutee, {RECORDS:,} records", command, PAINTS, THERE))
    beside = os.environ.get("BENCH_BESIDE")
    if beside:
        paints = os.environ["BENCH_BESIDE_PAINTS"]
        rows.append(measured(Path(beside).name, beside.split(), paints))
    return rows


def long_home(scratch: Path) -> Path:
    """A home with one long chat."""
    home = scratch / "home"
    with Repository.open(locate(home)) as repository:
        chat = repository.start_conversation()
        for number in range(0, MESSAGES, 2):
            repository.add_message(chat.id, "user", f"question {number}")
            text = f"**reply {number + 1}**\n\n" + "It is a matter of *taste*. " * 8
            repository.add_message(chat.id, "assistant", text)
    return home


def measured(
    name: str, command: list[str], paints: str, there: str = "", *, opens: bool = False
) -> dict[str, object]:
    """The median of some starts, then the last one left alone.

    Args:
        name: What the row is called.
        command: What is started.
        paints: A text of the first frame.
        there: One that is there only when it can be worked with; empty where that is the same.
        opens: Whether the long chat is opened.
    """
    starts, chats = [], []
    for number in range(STARTS):
        terminal = Terminal(command)
        starts.append(terminal.wait_for(paints))
        chats.append(starts[-1] + terminal.wait_for(there))
        if number < STARTS - 1:
            terminal.close()
    terminal.drain(15.0)  # a model may still be loading
    opened = open_chat(terminal) if opens else None
    terminal.drain(2.0)
    process = psutil.Process(terminal.pid)
    before, began = process.cpu_times(), time.perf_counter()
    terminal.drain(IDLE_SECONDS)
    after, seconds = process.cpu_times(), time.perf_counter() - began
    used = after.user + after.system - before.user - before.system
    memory = process.memory_info().rss
    terminal.close()
    return {
        "screen": name,
        "first paint": f"{statistics.median(starts):.2f} s",
        "chat": f"{statistics.median(chats):.2f} s" if there else "",
        "opened in": "" if opened is None else f"{opened:.2f} s",
        "idle": f"{used / seconds:.1%} of a core",
        "memory": f"{memory / 2**20:.0f} MB",
    }


def open_chat(terminal: Terminal) -> float:
    """Seconds from Enter in the list of chats until the end of the long one is there."""
    terminal.press(CTRL_R)
    terminal.wait_for("question 0")
    terminal.press(ENTER)
    return terminal.wait_for(f"reply {MESSAGES - 1}")
