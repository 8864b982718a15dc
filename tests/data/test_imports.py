"""Files from elsewhere: what is usable is taken, the rest is told line by line."""

import json
from pathlib import Path

import pytest

from data.imports import Refused, read_file
from store.errors import TuteeError
from store.records import Instruction, Preference

GOOD = '{"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yo"}]}'
PAIR = '{"prompt": "hi", "chosen": "yo", "rejected": "no"}'
SHARED = Path(__file__).parents[2].parent / "shared" / "data"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "rows.jsonl"


def reply(text: str) -> str:
    return GOOD.replace('"yo"', json.dumps(text, ensure_ascii=False))


def test_good_rows_survive_bad_ones(path: Path) -> None:
    lines = [GOOD, "", "{", reply(" "), GOOD, "[1]", reply("a\u2028b"), '"\\ud83d"', "  "]
    path.write_text("\n".join(lines), encoding="utf-8")
    found = read_file(path)
    assert found.format == "messages"
    assert [r.completion for r in found.records if isinstance(r, Instruction)] == ["yo", "a\u2028b"]
    assert all(record.origin.source == "import:rows.jsonl" for record in found.records)
    assert [refused.line for refused in found.refused] == [3, 4, 5, 6, 8]
    assert found.refused[0].reason.startswith("not valid JSON")
    assert found.refused[1] == Refused(4, "empty reply")
    assert found.refused[2] == Refused(5, "duplicate of line 1")
    assert found.refused[3] == Refused(6, "not a JSON object")


def test_formats_may_be_mixed(path: Path) -> None:
    path.write_text(f"{GOOD}\n{PAIR}\n")
    found = read_file(path)
    assert found.format == "mixed"
    assert [type(record) for record in found.records] == [Instruction, Preference]
    assert found.refused == ()


def test_an_array_is_read_by_place(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    rows = [json.loads(PAIR), json.loads(PAIR), {"text": "?"}]
    path.write_text(json.dumps(rows, indent=2))
    found = read_file(path)
    assert found.format == "preference"
    assert len(found.records) == 1
    assert found.refused[0] == Refused(2, "duplicate of line 1")
    assert found.refused[1].line == 3


@pytest.mark.parametrize("content", [GOOD, f"[{GOOD}]", f"{GOOD}\r\n\r\n"])
def test_marks_and_line_ends_of_other_systems_are_tolerated(path: Path, content: str) -> None:
    path.write_bytes(b"\xef\xbb\xbf" + content.encode())
    found = read_file(path)
    assert len(found.records) == 1
    assert found.refused == ()


def test_a_line_that_is_not_utf_8_is_refused_alone(path: Path) -> None:
    path.write_bytes(GOOD.encode() + b"\n" + '{"messages": "é"}'.encode("latin-1") + b"\n")
    found = read_file(path)
    assert len(found.records) == 1
    assert found.refused == (Refused(2, "not UTF-8 text"),)


def test_nesting_without_end_is_refused_alone(path: Path) -> None:
    path.write_text(GOOD + "\n" + '{"a":' * 100_000)
    found = read_file(path)
    assert len(found.records) == 1
    assert [refused.line for refused in found.refused] == [2]


def test_a_broken_array_is_told_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    path.write_text(f"[{GOOD},\n{GOOD}")
    with pytest.raises(TuteeError, match=r"not valid JSON \(.* at line 2, column"):
        read_file(path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf\n \n", "is empty"),
        (b"[]", "the array is empty"),
        (b"hello\nworld\n", r"line 1: not valid JSON .*\(1 more refused\)"),
        (b'{"instruction": "x", "output": "y"}', "line 1: no known format"),
        ("\ufeff{}".encode("utf-16-le"), "line 1: not UTF-8"),
    ],
)
def test_a_file_of_no_use_is_a_clear_error(path: Path, content: bytes, reason: str) -> None:
    path.write_bytes(content)
    with pytest.raises(TuteeError, match=reason) as caught:
        read_file(path)
    assert str(path) in caught.value.title


def test_a_file_that_cannot_be_read_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(TuteeError, match=r"Cannot read .*No such file"):
        read_file(tmp_path / "missing.jsonl")
    with pytest.raises(TuteeError, match="Cannot read"):
        read_file(tmp_path)


@pytest.mark.skipif(not SHARED.exists(), reason="the shared data is not here")
def test_a_real_file_of_openai_messages() -> None:
    found = read_file(SHARED / "openai-cookbook" / "toy_chat_fine_tuning.jsonl")
    assert found.format == "messages"
    assert len(found.records) == 4
    assert [refused.reason for refused in found.refused] == ["no user message"]
