"""What only a real terminal shows, in one that tmux runs: paste, resize, leaving, coming back."""

import os
import pty
import select
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from store.paths import locate
from store.repository import Repository

if TYPE_CHECKING:
    from core.models.folder import ModelFolder

pytestmark = [pytest.mark.waits, pytest.mark.skipif(not shutil.which("tmux"), reason="needs tmux")]

ROOT = Path(__file__).parents[2]
PATIENCE = 120.0
"""Seconds before something counts as never painted."""
MARK = "before the app"


class Terminal:
    """A shell in a terminal of 80 by 24."""

    def __init__(self, folder: Path) -> None:
        self._socket = str(folder / "tmux")
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "TERM": "xterm-256color",
            "LANG": "C.UTF-8",
            "PS1": "% ",
            "OMP_NUM_THREADS": "1",
        }
        setting = " ".join(f"{name}={shlex.quote(value)}" for name, value in environment.items())
        shell = f"env -i {setting} bash --noprofile --norc -i"
        self._tmux("-f", "/dev/null", "-u", "new-session", "-d", "-x", "80", "-y", "24", shell)

    def _tmux(self, *args: str) -> str:
        command = ["tmux", "-S", self._socket, *args]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def type(self, text: str) -> None:
        self._tmux("send-keys", "-l", text)

    def press(self, *keys: str) -> None:
        self._tmux("send-keys", *keys)

    def paste(self, text: str) -> None:
        self._tmux("set-buffer", text)
        self._tmux("paste-buffer", "-p")

    def paste_unmarked(self, text: str) -> None:
        """As a terminal that does not know bracketed paste."""
        self._tmux("set-buffer", text)
        self._tmux("paste-buffer")

    def resize(self, width: int, height: int) -> None:
        self._tmux("resize-window", "-x", str(width), "-y", str(height))

    @property
    def screen(self) -> str:
        return self._tmux("capture-pane", "-p").rstrip("\n")

    def until(self, condition: Callable[[str], bool]) -> str:
        """The screen once it is as wanted."""
        deadline = time.monotonic() + PATIENCE
        while not condition(screen := self.screen):
            assert time.monotonic() < deadline, screen
            time.sleep(0.05)
        return screen

    def shows(self, text: str) -> str:
        return self.until(lambda screen: text in screen)

    def returned(self) -> str:
        """The screen once the shell reads again; what is typed before is lost with the app."""
        return self.until(lambda screen: screen.endswith("\n%"))

    def close(self) -> None:
        """As if the window were closed; once is enough."""
        subprocess.run(["tmux", "-S", self._socket, "kill-server"], capture_output=True)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    opened = Terminal(tmp_path)
    opened.type(f"echo {MARK}\n")
    opened.shows(f"\n{MARK}")
    yield opened
    opened.close()


@pytest.fixture
def app(terminal: Terminal, tmp_path: Path, tiny_folder: "ModelFolder") -> Iterator[int]:
    """The id of the app's process, which runs in the terminal and must not outlive it."""
    editor = tmp_path / "editor"
    editor.write_text(
        '#!/bin/sh\necho "the editor has the terminal"; read line; echo "$line" >> "$1"\n'
    )
    editor.chmod(0o700)
    pid = tmp_path / "pid"
    home, model = str(tmp_path / "home"), str(tiny_folder.path)
    command = shlex.join([sys.executable, "-m", "tui", "--home", home, "--model", model])
    terminal.type(f"cd {ROOT}; export VISUAL={editor}\n")
    terminal.type(f"bash -c 'echo $$ > {pid}; exec {command}'\n")
    terminal.shows("Enter sends")
    yield int(pid.read_text())
    terminal.close()
    _until_ended(int(pid.read_text()))


def test_writing_pasting_resizing_and_leaving(terminal: Terminal, app: int) -> None:
    terminal.type("你好 👍 é")
    terminal.shows("› 你好 👍 é")
    terminal.press("C-u")
    terminal.until(lambda screen: "你好" not in screen)

    terminal.paste("first line\nsecond line\nthird")
    screen = terminal.shows("third")
    assert "first line" in screen
    assert "Enter sends" in screen, "a paste is not sent"
    assert "You" not in screen

    terminal.press("C-u", "BSpace", "C-u", "BSpace", "C-u")
    terminal.until(lambda screen: "first line" not in screen)
    terminal.paste_unmarked("first line\nsecond line\nthird\n")
    screen = terminal.shows("third")
    assert "first line" in screen
    assert "You" not in screen, "nor is one that the terminal does not mark"

    for width, height in ((50, 12), (120, 40), (80, 24)):
        terminal.resize(width, height)
        terminal.until(
            lambda screen: (
                len(screen.split("\n")) == height and "F1" in screen.split("\n")[-1]  # noqa: B023
            )
        )
    terminal.shows("third")

    terminal.press("C-g")
    terminal.shows("the editor has the terminal")
    terminal.type("from the editor\n")
    terminal.until(lambda screen: "third" in screen and "from the editor" in screen)

    terminal.press("C-c")
    terminal.shows("Ctrl+C again quits.")
    terminal.press("C-q")
    screen = terminal.returned()
    assert MARK in screen, "the screen is as it was"
    assert "Enter sends" not in screen
    terminal.type("stty -a | grep -o ' echo ' && echo done\n")
    terminal.shows("\ndone")


def test_a_suspended_app_comes_back(terminal: Terminal, app: int) -> None:
    terminal.type("half a line")
    terminal.shows("half a line")
    os.kill(app, signal.SIGTSTP)
    screen = terminal.shows("Stopped")
    assert MARK in screen
    assert "Enter sends" not in screen
    terminal.type("fg\n")
    terminal.shows("Enter sends")
    terminal.type(" and more")
    terminal.shows("half a line and more")
    terminal.press("C-c", "C-c")
    terminal.until(lambda screen: "Enter sends" not in screen and MARK in screen)


def test_going_on_again_and_again_takes_the_terminal_once(terminal: Terminal, app: int) -> None:
    terminal.type("half a line")
    terminal.shows("half a line")
    before = _threads(app)
    os.kill(app, signal.SIGSTOP)  # which the app does not notice
    terminal.shows("Stopped")
    terminal.type("fg\n")
    terminal.until(lambda screen: "half a line" in screen and "Stopped" not in screen)
    terminal.type(" and more")
    terminal.shows("half a line and more")
    for _ in range(3):
        os.kill(app, signal.SIGCONT)  # without a stop
    terminal.type(" again")
    terminal.shows("half a line and more again")
    # One that opened the home may have ended meanwhile.
    terminal.until(lambda _screen: _threads(app) <= before)


def test_an_app_that_is_told_to_end_gives_the_terminal_back(terminal: Terminal, app: int) -> None:
    terminal.type("half a line")
    terminal.shows("half a line")
    os.kill(app, signal.SIGTERM)
    screen = terminal.returned()
    assert MARK in screen, "the screen is as it was"
    assert "Enter sends" not in screen
    terminal.type("stty -a | grep -o ' echo ' && echo done\n")
    terminal.shows("\ndone")


def test_an_app_whose_terminal_is_gone_ends_and_keeps_what_was_said(
    tmp_path: Path, tiny_folder: "ModelFolder"
) -> None:
    home = tmp_path / "home"
    person, terminal = pty.openpty()
    running = subprocess.Popen(
        [sys.executable, "-m", "tui", "--home", str(home), "--model", str(tiny_folder.path)],
        cwd=ROOT,
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env=os.environ | {"TERM": "xterm-256color", "COLORFGBG": "15;0", "OMP_NUM_THREADS": "1"},
        start_new_session=True,  # so that no signal tells it
    )
    os.close(terminal)
    try:
        _until_painted(person, "Enter sends")
        os.write(person, "还在吗？".encode())
        _until_painted(person, "吗？")
        os.write(person, b"\r")
        _until_painted(person, "Esc stops")
        os.close(person)
        assert running.wait(PATIENCE) == 0
    finally:
        running.kill()
    with Repository.open(locate(home)) as repository:  # nobody holds it any more
        (chat,) = repository.conversations()
        assert repository.messages(chat.id)[1].content == "还在吗？"


def _threads(process: int) -> int:
    return len(os.listdir(f"/proc/{process}/task"))


def _until_ended(process: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while os.path.exists(f"/proc/{process}"):
        if time.monotonic() > deadline:
            os.kill(process, signal.SIGKILL)
            pytest.fail("the app outlives its terminal")
        time.sleep(0.05)


def _until_painted(person: int, text: str) -> None:
    painted, deadline = b"", time.monotonic() + PATIENCE
    while text.encode() not in painted:
        assert time.monotonic() < deadline, painted
        if select.select([person], [], [], 1.0)[0]:
            painted += os.read(person, 65536)
