"""Files that survive: a reader finds the old state or the new, whatever goes wrong between."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from store.errors import TuteeError
from store.storage import AtomicStorage, Damaged, Tables, replace_file

OLD: Tables = {"t": {"1": {"text": "old"}}}
NEW: Tables = {"t": {"1": {"text": "new: 你好 \u2028 😀"}}}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "kept.json"


def backup_of(path: Path) -> Path:
    return path.parent / "earlier" / path.name


def opened(path: Path) -> AtomicStorage:
    return AtomicStorage(path, backup=backup_of(path))


def fail(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_what_is_written_is_read_by_the_next_one(path: Path) -> None:
    opened(path).write(NEW)
    assert opened(path).read() == NEW
    assert "你好" in path.read_text(encoding="utf-8")


def test_files_are_private(path: Path) -> None:
    storage = opened(path)
    storage.write(OLD)
    storage.write(NEW)
    assert path.stat().st_mode & 0o777 == 0o600
    assert backup_of(path).stat().st_mode & 0o777 == 0o600


def test_a_new_file_begins_without_tables(path: Path) -> None:
    assert opened(path).read() == {}
    assert not path.exists()


def test_the_size_is_that_of_the_file(path: Path) -> None:
    storage = opened(path)
    storage.write(NEW)
    assert storage.size == path.stat().st_size
    again = opened(path)
    again.read()
    assert again.size == path.stat().st_size


def test_the_state_before_the_last_write_is_the_backup(path: Path) -> None:
    storage = opened(path)
    storage.write(OLD)
    assert not backup_of(path).exists()
    storage.write(NEW)
    assert json.loads(backup_of(path).read_text(encoding="utf-8")) == OLD
    storage.write({"t": {}})
    assert json.loads(backup_of(path).read_text(encoding="utf-8")) == NEW


def test_a_disk_without_links_gets_a_copied_backup(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = opened(path)
    storage.write(OLD)
    monkeypatch.setattr(os, "link", fail)
    storage.write(NEW)
    assert json.loads(backup_of(path).read_text(encoding="utf-8")) == OLD
    assert opened(path).read() == NEW


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_state(
    path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    storage = opened(path)
    storage.write(OLD)
    with monkeypatch.context() as broken:
        broken.setattr(os, step, fail)
        with pytest.raises(TuteeError, match="No space left on device"):
            storage.write(NEW)
    assert storage.read() == OLD
    assert opened(path).read() == OLD
    assert not list(path.parent.glob("*.tmp"))


def test_a_writer_killed_before_the_last_step_leaves_the_old_state(path: Path) -> None:
    opened(path).write(OLD)
    code = """
import os, sys
from pathlib import Path
from store.storage import AtomicStorage
os.replace = lambda *_: os._exit(9)
AtomicStorage(Path(sys.argv[1])).write({"t": {}})
"""
    killed = subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert killed.returncode == 9
    assert list(path.parent.glob(".kept.json.*.tmp"))
    assert opened(path).read() == OLD


def test_a_transaction_is_one_write(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = opened(path)
    moves: list[str] = []
    move = os.replace

    def counted(old: str, new: str) -> None:
        moves.append(new)
        move(old, new)

    monkeypatch.setattr(os, "replace", counted)
    with storage.transaction():
        storage.write(OLD)
        assert storage.read() == OLD
        assert not path.exists()
        storage.write(NEW)
    assert len(moves) == 1
    assert opened(path).read() == NEW


def test_a_transaction_that_fails_writes_nothing(path: Path) -> None:
    storage = opened(path)
    storage.write(OLD)

    def half_way() -> None:
        with storage.transaction():
            storage.write(NEW)
            raise KeyError

    with pytest.raises(KeyError):
        half_way()
    assert storage.read() == OLD
    assert opened(path).read() == OLD


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b'{"t": {"1": ',
        b"[]",
        b'{"t": []}',
        b'{"t": {"1": 2}}',
        b"\xff\xfe{}",
        b"[" * 99999,
    ],
    ids=["empty", "cut", "cut later", "list", "no table", "no document", "not utf-8", "deep"],
)
def test_a_damaged_file_is_named_and_left_alone(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(Damaged, match="damaged") as caught:
        opened(path).read()
    assert str(path) in caught.value.title
    assert path.read_bytes() == content


def test_a_link_keeps_pointing(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    real = tmp_path / "elsewhere" / "file"
    real.write_bytes(b"old")
    link = tmp_path / "link"
    link.symlink_to(real)
    replace_file(link, b"new")
    assert link.is_symlink()
    assert real.read_bytes() == b"new"


def test_writing_where_nothing_can_be_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(TuteeError, match="Cannot write"):
        replace_file(tmp_path / "missing" / "file", b"")
    with pytest.raises(TuteeError, match="Cannot write"):
        replace_file(tmp_path, b"")
