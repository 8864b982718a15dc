"""What is exported comes back as it was."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.exports import line, rows, write_jsonl
from data.imports import read_file
from store.acts import said
from store.errors import TuteeError
from store.records import Instruction, Preference, Record, Turn, Verdict

TEXT = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(
    ["你好\n", "\u2028\u2029\x85", "a\r\nb", "👩‍👩‍👧", '"\\', "\x00", "\ufeff"]
)
SAID = TEXT.filter(str.strip)
TURN = st.builds(Turn, role=st.just("user"), content=SAID)
PROMPT = st.builds(
    lambda system, earlier, last: (*system, *(turn for pair in earlier for turn in pair), last),
    st.lists(st.builds(Turn, role=st.just("system"), content=TEXT), max_size=1),
    st.lists(st.tuples(TURN, st.builds(Turn, role=st.just("assistant"), content=TEXT)), max_size=2),
    TURN,
)
RECORDS = st.lists(
    st.one_of(
        st.builds(Instruction, prompt=PROMPT, completion=SAID),
        st.tuples(PROMPT, SAID, SAID)
        .filter(lambda parts: parts[1] != parts[2])
        .map(lambda parts: Preference(prompt=parts[0], chosen=parts[1], rejected=parts[2])),
        st.builds(Verdict, prompt=PROMPT, completion=SAID, label=st.booleans()),
    ),
    min_size=1,
    max_size=6,
    unique_by=said,
)


@given(records=RECORDS)
def test_export_and_import_is_a_round_trip(
    tmp_path_factory: pytest.TempPathFactory, records: list[Record]
) -> None:
    path = tmp_path_factory.mktemp("exports") / "out.jsonl"
    assert write_jsonl(records, path) == len(records)
    found = read_file(path)
    assert found.refused == ()
    assert [said(record) for record in found.records] == [said(record) for record in records]


def test_a_file_is_private_utf_8_and_has_a_row_a_line(tmp_path: Path) -> None:
    path = tmp_path / "exports" / "out.jsonl"
    record = Instruction(prompt=(Turn(role="user", content="你好\n"),), completion="😀")
    assert write_jsonl([record, record], path) == 2
    content = path.read_bytes()
    assert content.count(b"\n") == 2
    assert "你好".encode() in content
    assert json.loads(content.splitlines()[0]) == next(rows([record]))
    assert path.stat().st_mode & 0o777 == 0o600
    assert content.decode("utf-8") == line(next(rows([record]))) * 2


def test_nothing_to_export_is_an_empty_file(tmp_path: Path) -> None:
    assert write_jsonl([], tmp_path / "out.jsonl") == 0
    assert (tmp_path / "out.jsonl").read_bytes() == b""


def test_what_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(TuteeError, match="Cannot write"):
        write_jsonl([], tmp_path)
    with pytest.raises(TuteeError, match="Cannot write"):
        write_jsonl([], tmp_path / "no" / "such" / "folder" / "out.jsonl")
