"""Many documents in small files: where they go, and what one change touches."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from store.backups import Backups
from store.errors import TuteeError
from store.segments import LIMIT, Segments
from store.storage import Damaged


class Note(BaseModel):
    text: str


LARGE = Note(text="x" * (LIMIT // 4))


class Kept:
    """A folder of notes, and what its owner was told."""

    def __init__(self, home: Path, *, write: bool = True) -> None:
        (home / "records" / "notes").mkdir(parents=True, exist_ok=True)
        self.backups = Backups(home / "records", home / "backups", write=write)
        self.folder = home / "records" / "notes"
        self.told: dict[str, Note] = {}
        self.segments = Segments("notes", Note, self.backups, self.changed)

    def changed(self, before: Note | None, after: Note | None) -> None:
        if before:
            del self.told[before.text]
        if after:
            self.told[after.text] = after

    def put(self, changes: Mapping[str, Note | None]) -> None:
        self.segments.put(changes)

    @property
    def documents(self) -> dict[str, Note]:
        return self.segments.documents

    def files(self) -> dict[str, int]:
        return {path.name: path.stat().st_mtime_ns for path in sorted(self.folder.iterdir())}


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path)


def numbered(*numbers: int) -> dict[str, Note | None]:
    return {f"n{number}": Note(text=f"{number} {LARGE.text}") for number in numbers}


def test_documents_come_back(kept: Kept, tmp_path: Path) -> None:
    notes = {"a": Note(text="你好"), "b": Note(text="b")}
    kept.put(notes)
    assert Kept(tmp_path).documents == kept.documents == notes
    assert Kept(tmp_path).told == kept.told


def test_new_documents_fill_one_file_after_the_other(kept: Kept) -> None:
    for number in range(9):
        kept.put(numbered(number))
    assert list(kept.files()) == ["0001.json", "0002.json", "0003.json"]
    sizes = [path.stat().st_size for path in sorted(kept.folder.iterdir())]
    assert LIMIT <= sizes[0] < 2 * LIMIT


def test_many_at_once_are_one_write_a_file(kept: Kept, tmp_path: Path) -> None:
    kept.put(numbered(*range(9)))
    assert list(kept.files()) == ["0001.json", "0002.json", "0003.json"]
    assert not (tmp_path / "backups").exists(), "nothing was written twice"
    assert list(Kept(tmp_path).documents) == [f"n{number}" for number in range(9)]


def test_a_change_touches_only_its_own_file(kept: Kept, tmp_path: Path) -> None:
    kept.put(numbered(*range(9)))
    before = kept.files()
    kept.put({"n0": Note(text="changed")})
    after = kept.files()
    assert [name for name in after if after[name] != before[name]] == ["0001.json"]
    assert Kept(tmp_path).documents == kept.documents


def test_what_is_taken_away_comes_back_to_its_own_file(kept: Kept, tmp_path: Path) -> None:
    kept.put(numbered(*range(9)))
    kept.put({"n0": None})
    assert kept.segments.held("n0")
    assert "n0" not in kept.documents
    assert "n0" not in Kept(tmp_path).documents
    before = kept.files()
    kept.put(numbered(0))
    after = kept.files()
    assert [name for name in after if after[name] != before[name]] == ["0001.json"]
    assert Kept(tmp_path).documents == kept.documents


def test_an_emptied_file_stays(kept: Kept, tmp_path: Path) -> None:
    kept.put({"a": Note(text="a")})
    kept.put({"a": None})
    again = Kept(tmp_path)
    assert again.documents == {}
    assert again.backups.notices == []
    assert list(again.files()) == ["0001.json"]


def test_a_reader_cannot_change_anything(kept: Kept, tmp_path: Path) -> None:
    reader = Kept(tmp_path, write=False)
    reader.put({})
    with pytest.raises(TuteeError, match="reading only"):
        reader.put({"a": Note(text="a")})
    assert reader.documents == kept.files() == {}


def test_other_files_are_left_alone_and_leftovers_are_swept(kept: Kept, tmp_path: Path) -> None:
    for mine in ("notes of mine.json", "1.json", "0001.json.bak", "0001.txt"):
        (kept.folder / mine).write_text("mine")
    (kept.folder / ".0001.json.abc.tmp").write_text("half")
    Kept(tmp_path, write=False)
    assert len(kept.files()) == 5
    again = Kept(tmp_path)
    assert again.documents == {}
    assert again.backups.notices == []
    assert len(kept.files()) == 4


def test_a_file_that_goes_while_it_is_in_use_is_not_begun_anew(kept: Kept, tmp_path: Path) -> None:
    kept.put({"a": Note(text="a")})
    kept.put({"b": Note(text="b")})
    (kept.folder / "0001.json").unlink()
    with pytest.raises(Damaged, match="is missing"):
        kept.put({"c": Note(text="c")})
    assert set(kept.documents) == {"a", "b"}
    again = Kept(tmp_path)
    assert set(again.documents) == {"a"}
    assert "is missing" in again.backups.notices[0]


CHANGES = st.lists(
    st.dictionaries(
        st.sampled_from("abcdef"),
        st.one_of(st.none(), st.builds(Note, text=st.text(max_size=9))),
        min_size=1,
    ),
    max_size=8,
)


@settings(max_examples=settings().max_examples * 40 // 100)
@given(CHANGES)
def test_it_is_a_dictionary_on_the_disk(
    tmp_path_factory: pytest.TempPathFactory, changes: list[dict[str, Note | None]]
) -> None:
    home = tmp_path_factory.mktemp("home")
    backups = Backups(home / "records", home / "backups", write=True)
    (home / "records" / "notes").mkdir(parents=True)
    expected: dict[str, Note] = {}
    segments = Segments("notes", Note, backups, lambda before, after: None)
    for change in changes:
        segments.put(change)
        for key, note in change.items():
            expected.pop(key, None)
            if note is not None:
                expected[key] = note
        again = Segments("notes", Note, backups, lambda before, after: None)
        assert again.documents == segments.documents == expected
    assert backups.notices == []
