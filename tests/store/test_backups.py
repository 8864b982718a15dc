"""Damage of every kind: what is good takes its place, what is damaged is kept, and that is told."""

import errno
import json
import os
import re
import shutil
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from store.backups import DAYS, Backups
from store.errors import TuteeError
from store.paths import Paths
from store.records import ChatMessage, Instruction, Message, Origin
from store.repository import Repository

USER = ChatMessage(role="user", content="What is the capital of France?")
DAY = date(2026, 3, 1)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


def without_prompt(path: Path) -> None:
    tables = json.loads(path.read_bytes())
    for document in tables["documents"].values():
        for item in document.get("records", document.get("messages")):
            item.pop("prompt", None)
            item.pop("content", None)
    path.write_text(json.dumps(tables))


DAMAGES: dict[str, Callable[[Path], object]] = {
    "cut": cut,
    "empty": lambda path: path.write_bytes(b""),
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "list": lambda path: path.write_bytes(b"[]"),
    "other tables": lambda path: path.write_bytes(b'{"records": {"1": {}}}'),
    "other documents": lambda path: path.write_bytes(b'{"documents": {"1": {"stars": 5}}}'),
    "no prompt": without_prompt,
    "gone": lambda path: path.unlink(),
}


@pytest.fixture
def kept(repository: Repository, reply: Message) -> Message:
    """A reply in a home where each kind of file was written at least twice."""
    repository.rate(reply.id, True)
    repository.rate(reply.id, False, ["wrong"])
    for text in ("a", "b"):
        record = Instruction(id=text, prompt=(USER,), completion=text, origin=Origin(source="i"))
        repository.add_imported([record])
    repository.close()
    return reply


# -- recovery ----------------------------------------------------------------------------------


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", ["conversations", "feedback", "imports"])
def test_the_state_before_the_last_change_takes_the_place(
    kept: Message, paths: Paths, name: str, damage: str
) -> None:
    path = paths.records / name / "0001.json"
    DAMAGES[damage](path)
    spoilt = path.read_bytes() if path.exists() else None
    with Repository.open(paths) as repository:
        (notice,) = repository.notices
        assert str(path) in notice
        assert re.search(r"using its state from 20.{14} \(1 entry\)", notice)
        talk = repository.messages(kept.conversation_id)
        assert len(talk) == (2 if name == "conversations" else 3)
        assert repository.feedback(kept.id).label is (name == "feedback")
        imports = {r.id for r in repository.records()} & {"a", "b"}
        assert imports == ({"a"} if name == "imports" else {"a", "b"})
    aside = list((paths.backups / "damaged").glob("*"))
    assert [file.read_bytes() for file in aside] == ([spoilt] if spoilt is not None else [])
    assert all(str(file) in notice for file in aside)
    with Repository.open(paths) as repository:
        assert repository.notices == ()
    files = [file for file in paths.home.rglob("*") if file.is_file()]
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}


def test_a_day_takes_the_place_where_the_last_state_is_damaged_too(
    kept: Message, paths: Paths
) -> None:
    shutil.rmtree(next(paths.backups.glob("20*")))
    Repository.open(paths).close()  # today's backup, with all that is there
    for folder in (paths.records, paths.backups / "previous"):
        cut(folder / "feedback" / "0001.json")
    with Repository.open(paths) as repository:
        assert len(repository.notices) == 1
        assert repository.feedback(kept.id).label is False


def test_the_newest_good_state_is_chosen(kept: Message, paths: Paths) -> None:
    path = paths.records / "feedback" / "0001.json"
    for age, day in enumerate(["2026-01-03", "2026-01-01", "2026-01-02"]):
        copy = paths.backups / day / "feedback" / "0001.json"
        copy.parent.mkdir(parents=True)
        shutil.copy(path, copy)
        document = json.loads(copy.read_text())
        document["documents"][kept.id]["records"] = []
        document["documents"][f"m{age}"] = document["documents"].pop(kept.id)
        copy.write_text(json.dumps(document))
        os.utime(copy, (1_000_000 - age, 1_000_000 - age))
    cut(path)
    cut(paths.backups / "previous" / "feedback" / "0001.json")
    with Repository.open(paths) as repository:
        assert "1970-01-12" in repository.notices[0]
        assert repository._index._feedback.held("m0")


@pytest.mark.parametrize("damage", ["cut", "empty", "other documents", "gone"])
def test_a_file_without_a_good_state_leaves_the_others_usable(
    kept: Message, paths: Paths, damage: str
) -> None:
    path = paths.records / "feedback" / "0001.json"
    DAMAGES[damage](path)
    cut(paths.backups / "previous" / "feedback" / "0001.json")
    with Repository.open(paths) as repository:
        (notice,) = repository.notices
        assert "no earlier state is left" in notice
        assert len(repository.messages(kept.conversation_id)) == 3
        assert {record.id for record in repository.records()} == {"a", "b"}
        repository.rate(kept.id, True)
    assert path.stat().st_mode & 0o777 == 0o600
    with Repository.open(paths) as repository:
        assert repository.notices == ()
        assert repository.feedback(kept.id).label is True


def test_a_file_that_the_disk_cannot_read_is_damaged(
    kept: Message, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, read = paths.records / "feedback" / "0001.json", Path.read_bytes
    bad = path.stat().st_ino

    def read_bytes(file: Path) -> bytes:
        if file.stat().st_ino == bad:
            raise OSError(errno.EIO, "Input/output error")
        return read(file)

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    with Repository.open(paths) as repository:
        assert "the disk cannot read it" in repository.notices[0]
        assert repository.feedback(kept.id).label is True


def test_a_file_that_may_not_be_read_is_no_damage(
    kept: Message, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_bytes(_: Path) -> bytes:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    with pytest.raises(TuteeError, match=r"Cannot read .*: Permission denied"):
        Repository.open(paths)
    assert not (paths.backups / "damaged").exists()


def test_a_reader_recovers_in_memory_only(kept: Message, paths: Paths) -> None:
    cut(paths.records / "feedback" / "0001.json")
    before = {path: path.read_bytes() for path in paths.home.rglob("*.json")}
    with Repository.open(paths, write=False) as reader:
        assert len(reader.notices) == 1
        assert reader.feedback(kept.id).label is True
    assert {path: path.read_bytes() for path in paths.home.rglob("*.json")} == before


def test_records_that_are_wholly_gone_come_back(kept: Message, paths: Paths) -> None:
    shutil.rmtree(paths.records)
    with Repository.open(paths) as repository:
        assert len(repository.notices) == 3
        assert repository.feedback(kept.id).label is True


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"version": "two"}', '{"version": 0}'])
def test_a_damaged_stamp_is_made_anew(kept: Message, paths: Paths, text: str) -> None:
    (paths.records / "schema.json").write_text(text)
    with Repository.open(paths) as repository:
        assert "schema.json is damaged" in repository.notices[0]
        assert repository.feedback(kept.id).label is False
    with Repository.open(paths) as repository:
        assert repository.notices == ()


# -- days --------------------------------------------------------------------------------------


def test_the_state_of_a_day_is_kept_once(kept: Message, paths: Paths) -> None:
    backups = Backups(paths.records, paths.backups, write=True)
    backups.take(DAY)
    file = Path("feedback") / "0001.json"
    copy = paths.backups / "2026-03-01" / file
    before = copy.read_bytes()
    with Repository.open(paths) as repository:
        repository.correct(kept.id, "Paris")
    backups.take(DAY)
    assert copy.read_bytes() == before != (paths.records / file).read_bytes()
    assert (paths.backups / "2026-03-01" / "schema.json").exists()


def test_a_file_that_did_not_change_is_one_copy_in_all_days(kept: Message, paths: Paths) -> None:
    shutil.rmtree(next(paths.backups.glob("20*")))
    backups = Backups(paths.records, paths.backups, write=True)
    backups.take(DAY)
    with Repository.open(paths) as repository:
        repository.correct(kept.id, "Paris")
    shutil.rmtree(paths.backups / date.today().isoformat())
    backups.take(DAY + timedelta(days=1))
    for name, same in {"conversations": True, "feedback": False}.items():
        file = Path(name) / "0001.json"
        first, second = (paths.backups / day / file for day in ("2026-03-01", "2026-03-02"))
        assert os.path.samefile(first, second) is same
        assert not os.path.samefile(second, paths.records / file), "spoiling one spoils one"
        assert second.read_bytes() == (paths.records / file).read_bytes()


def test_the_last_days_are_kept(kept: Message, paths: Paths) -> None:
    backups = Backups(paths.records, paths.backups, write=True)
    days = [DAY + timedelta(days=number) for number in range(DAYS + 3)]
    shutil.rmtree(next(paths.backups.glob("20*")))
    for day in days:
        backups.take(day)
    left = sorted(path.name for path in paths.backups.glob("20*"))
    assert left == [day.isoformat() for day in days[-DAYS:]]
    assert backups.notices == []


def test_a_disk_without_links_gets_copies(
    kept: Message, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    for number in range(2):
        Backups(paths.records, paths.backups, write=True).take(DAY + timedelta(days=number))
    file = Path("feedback") / "0001.json"
    copy = paths.backups / "2026-03-02" / file
    assert copy.read_bytes() == (paths.records / file).read_bytes()
    assert copy.stat().st_mtime == (paths.records / file).stat().st_mtime
    cut(paths.records / file)
    with Repository.open(paths) as repository:
        assert len(repository.notices) == 1
        assert repository.feedback(kept.id).label is False


def test_a_day_that_was_broken_off_is_taken_again(kept: Message, paths: Paths) -> None:
    (paths.backups / ".state.partial" / "feedback").mkdir(parents=True)
    backups = Backups(paths.records, paths.backups, write=True)
    backups.take(DAY)
    assert (paths.backups / "2026-03-01" / "feedback" / "0001.json").exists()
    assert not (paths.backups / ".state.partial").exists()


# -- clocks that were wrong ----------------------------------------------------------------------


def _dated(path: Path, day: str) -> None:
    """Make every file as if it had been written on that day."""
    when = datetime.fromisoformat(day).timestamp()
    for file in [path] if path.is_file() else path.rglob("*.json"):
        os.utime(file, (when, when))


def test_a_state_dated_ahead_does_not_beat_a_newer_one(kept: Message, paths: Paths) -> None:
    file = Path("feedback") / "0001.json"
    _dated(paths.records, "2099-01-02")
    shutil.rmtree(next(paths.backups.glob("20*")))
    Backups(paths.records, paths.backups, write=True).take(date(2099, 1, 2))
    with Repository.open(paths) as repository:
        repository.correct(kept.id, "Paris?")
        repository.correct(kept.id, "Paris")
    cut(paths.records / file)
    with Repository.open(paths) as repository:
        assert repository.feedback(kept.id).correction == "Paris?"


def test_a_day_that_nothing_changed_after_beats_the_state_before_it(
    kept: Message, paths: Paths
) -> None:
    _dated(paths.backups / "previous", "2099-01-02")
    Backups(paths.records, paths.backups, write=True).take(DAY)
    cut(paths.records / "feedback" / "0001.json")
    with Repository.open(paths) as repository:
        assert repository.feedback(kept.id).label is False


def test_days_dated_ahead_make_room_for_real_ones(kept: Message, paths: Paths) -> None:
    shutil.rmtree(next(paths.backups.glob("20*")))
    backups = Backups(paths.records, paths.backups, write=True)
    for number in range(DAYS):
        backups.take(date(2099, 1, 1 + number))
    (paths.backups / "2099-01-01" / "order.json").unlink()  # as an older Tutee made it
    for number in range(3):
        backups.take(DAY + timedelta(days=number))
    left = {path.name for path in paths.backups.glob("2*")}
    assert len(left) == DAYS
    assert left >= {"2026-03-01", "2026-03-02", "2026-03-03", "2099-01-07"}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"number": "x", "previous": 3}'])
def test_a_day_without_its_number_is_still_a_state(kept: Message, paths: Paths, text: str) -> None:
    shutil.rmtree(next(paths.backups.glob("20*")))
    Backups(paths.records, paths.backups, write=True).take(DAY)
    (paths.backups / "2026-03-01" / "order.json").write_text(text)
    for folder in (paths.records, paths.backups / "previous"):
        cut(folder / "feedback" / "0001.json")
    with Repository.open(paths) as repository:
        assert repository.feedback(kept.id).label is False


# -- folders that are gone -----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["conversations", "feedback", "imports"])
def test_a_folder_that_is_gone_comes_back(kept: Message, paths: Paths, name: str) -> None:
    shutil.rmtree(paths.records / name)
    with Repository.open(paths) as repository:
        assert len(repository.notices) == 1
        repository.add_message(kept.conversation_id, "user", "And Spain?")
        repository.add_imported([Instruction(prompt=(USER,), completion="c")])
    assert (paths.records / name).stat().st_mode & 0o777 == 0o700
    with Repository.open(paths) as repository:
        assert repository.notices == ()
        assert repository.messages(kept.conversation_id)[-1].content == "And Spain?"


def test_an_empty_folder_that_a_copy_left_out_is_no_obstacle(
    repository: Repository, reply: Message, paths: Paths
) -> None:
    repository.close()
    (paths.records / "imports").rmdir()
    with Repository.open(paths) as opened:
        assert opened.notices == ()
        assert opened.add_imported([Instruction(prompt=(USER,), completion="c")]).records


def test_a_home_that_is_moved_away_does_not_come_back_empty(
    repository: Repository, reply: Message, paths: Paths
) -> None:
    paths.home.rename(paths.home.with_name("elsewhere"))
    for act in (
        lambda: repository.rate(reply.id, True),
        lambda: repository.add_imported([Instruction(prompt=(USER,), completion="c")]),
    ):
        with pytest.raises(TuteeError):
            act()
    assert not paths.home.exists()


def test_what_killed_writers_left_is_taken_away(kept: Message, paths: Paths) -> None:
    model = paths.models / "base-1"
    model.mkdir()
    left = [
        paths.config_file.with_name(".config.toml.k2_x9ab1.tmp"),
        paths.records / ".schema.json.abcdefgh.tmp",
        paths.records / "feedback" / ".0001.json.abcdefgh.tmp",
        model / ".active.json.abcdefgh.tmp",
        model / ".labels.json.abcdefgh.tmp",
    ]
    other = paths.home / ".notes.txt.mine.tmp"
    for file in (*left, other):
        file.touch()
    Repository.open(paths, write=False).close()
    assert all(file.exists() for file in left), "a reader changes nothing"
    Repository.open(paths).close()
    assert not any(file.exists() for file in left)
    assert other.exists()
