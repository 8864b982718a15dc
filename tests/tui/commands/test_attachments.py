"""Which files are attached to a message, and how it is shown."""

import os
from pathlib import Path

import pytest

from store.errors import TuteeError
from tui.commands.attachments import LIMIT, folded, with_files, without_files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.txt").write_text("one\r\ntwo\r\n", encoding="utf-8")
    (tmp_path / "two words.md").write_bytes("\ufeff茶".encode())
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.py").write_text("x = 1\n\n")
    return tmp_path


def block(name: str, text: str) -> str:
    return f'\n\n<file name="{name}">\n{text}\n</file>'


@pytest.mark.parametrize(
    ("text", "files"),
    [
        ("plain", ""),
        ("mail me@a.txt", ""),
        ("@nobody and @sub and @", ""),
        ("Read @a.txt.", block("a.txt", "one\ntwo")),
        ("(see @a.txt)", block("a.txt", "one\ntwo")),
        ("看 @a.txt，好", ""),
        ("看 @a.txt 好", block("a.txt", "one\ntwo")),
        ("@a.txt @a.txt", block("a.txt", "one\ntwo")),
        ('@"two words.md" and @sub/b.py', block("two words.md", "茶") + block("b.py", "x = 1")),
    ],
)
def test_what_is_mentioned_goes_along(folder: Path, text: str, files: str) -> None:
    whole = with_files(text, folder)
    assert whole == text + files
    assert without_files(whole) == text


def test_a_home_relative_and_an_absolute_path_are_understood(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(folder))
    assert "one" in with_files("@~/a.txt", Path("/"))
    assert "one" in with_files(f"@{folder}/a.txt", Path("/"))


def test_the_screen_shows_one_line_a_file() -> None:
    text = "Look" + block("a.txt", "one\ntwo") + block("b", "1")
    assert folded(text) == "Look\n📎 a.txt · 2 lines\n📎 b · 1 line"
    assert folded("no <file> here") == "no <file> here"


def test_a_file_of_the_earlier_version_is_taken_as_it_was(folder: Path) -> None:
    earlier = with_files("Read @a.txt", folder)
    (folder / "a.txt").write_text("changed")
    assert with_files("Read @a.txt again", folder, earlier).endswith("one\ntwo\n</file>")
    assert with_files("Read nothing", folder, earlier) == "Read nothing"


def test_what_is_too_large_or_no_text_is_refused(folder: Path) -> None:
    (folder / "large").write_bytes(b"x" * (LIMIT + 1))
    (folder / "fits").write_bytes(b"x" * LIMIT)
    (folder / "binary").write_bytes(b"\xff\xfe")
    (folder / "null").write_bytes(b"a\0b")
    assert len(with_files("@fits", folder)) > LIMIT
    with pytest.raises(TuteeError, match="too large to send: 65 kB; the limit is 64 kB"):
        with_files("@large", folder)
    for name in ("binary", "null"):
        with pytest.raises(TuteeError, match="is not a text file"):
            with_files(f"@{name}", folder)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_what_cannot_be_read_is_told(folder: Path) -> None:
    (folder / "a.txt").chmod(0)
    with pytest.raises(TuteeError, match="Cannot read"):
        with_files("@a.txt", folder)
