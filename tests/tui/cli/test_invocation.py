"""What opening the home has to tell."""

from pathlib import Path

import pytest

from store.paths import locate
from store.records import ChatMessage, Instruction
from tui.cli.invocation import Invocation


def test_what_was_recovered_is_told_once_on_standard_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    invocation = Invocation(locate(tmp_path / "home"), None)
    prompt = (ChatMessage(role="user", content="x"),)
    for text in ("a", "b"):
        with invocation.home() as repository:
            repository.add_imported([Instruction(prompt=prompt, completion=text)])
    damaged = invocation.paths.records / "imports" / "0001.json"
    damaged.write_text("\x1b[2J")
    assert capsys.readouterr() == ("", "")
    for write in (False, True):
        with invocation.home(write=write) as repository:
            assert len(repository.records()) == 1
        told = capsys.readouterr()
        assert told.out == ""
        assert str(damaged) in told.err
        assert "\x1b" not in told.err
    with invocation.home():
        assert capsys.readouterr() == ("", "")
