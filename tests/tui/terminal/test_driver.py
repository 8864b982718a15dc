"""Writing to a terminal that is gone."""

import os
import pty

import pytest

from tui.terminal.driver import LenientFile

pytestmark = pytest.mark.waits


def test_what_is_painted_for_nobody_is_dropped() -> None:
    person, terminal = pty.openpty()
    with os.fdopen(terminal, "w") as file:
        screen = LenientFile(file)
        screen.write("seen")
        screen.flush()
        assert os.read(person, 100) == b"seen"
        os.close(person)
        with pytest.raises(OSError, match="Input/output"):
            os.write(terminal, b"it is gone")
        for _ in range(3):
            screen.write("for nobody" * 10_000)
            screen.flush()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, terminal)  # so that the file can be closed
        os.close(nowhere)
