"""What a file is, is told by what stands in it; what is broken is refused with its place."""

import gzip
import io
import json
import os
import tracemalloc
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data import row_files
from data.formats import RowError
from data.row_files import find_files, known_encoding, parts
from store.errors import TuteeError

ROW = {"prompt": "hi", "completion": "yo\u2028"}
LINE = json.dumps(ROW, ensure_ascii=False)
TABLE = "prompt,completion\nhi,yo\n"


def rows(path: Path, encoding: str | None = None) -> list[tuple[int, object]]:
    return [
        (line, f"{row}" if isinstance(row, RowError) else row)
        for part in parts(path, encoding)
        for line, row in part.rows
    ]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "rows.data"


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (LINE, [1]),
        (f"{LINE}\n\n  \r\n{LINE}\r\n", [1, 4]),
        (f"[{LINE}]", [1]),
        (f"\n[\n{LINE}\n,\n {LINE},{LINE}]\n\n", [3, 5, 5]),
        (json.dumps([ROW, ROW], indent=2), [2, 6]),
        (json.dumps(ROW, indent=2), [1]),
        ("\n" + json.dumps(ROW, indent=2), [2]),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("packed", [False, True])
def test_json_is_read_however_it_is_laid_out(
    path: Path, content: str, lines: list[int], encoding: str, packed: bool
) -> None:
    written = content.encode(encoding)
    path.write_bytes(gzip.compress(written) if packed else written)
    assert rows(path) == [(line, ROW) for line in lines]


@pytest.mark.parametrize("first", ['{"prompt": ', "[1, 2", "hello", "{}{}", "\udce9"])
def test_a_bad_line_is_refused_alone_also_where_it_is_the_first(path: Path, first: str) -> None:
    path.write_bytes(f"{first}\n{LINE}\n".encode(errors="surrogateescape"))
    (one, reason), *rest = rows(path)
    assert one == 1
    assert "not valid JSON" in str(reason) or "not UTF-8" in str(reason)
    assert rest == [(2, ROW)]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (f"[{LINE},\n{LINE}", r"not valid JSON \(Expecting ',' delimiter at line 2, column"),
        (f"[{LINE},\n]", r"\(Expecting value at line 2, column 1\)"),
        (f"[{LINE},{LINE}\n3]", "Expecting ',' delimiter at line 2, column 1"),
        (f"[{LINE}]\n]", "Extra data at line 2, column 1"),
        ("[", "Expecting value at line 1, column 2"),
        ("{\n 'a': 1}", "property name .* at line 2, column 2"),
        (json.dumps(ROW, indent=2) + "\n3", "Extra data at line 5, column 1"),
        ("[" * 100_000, "recursion"),
        (f"[{LINE},\n\n\udce9", "line 3 is not UTF-8"),
    ],
)
def test_a_broken_value_is_refused_whole_with_its_place(
    path: Path, content: str, reason: str
) -> None:
    path.write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(TuteeError, match=reason) as caught:
        rows(path)
    assert str(path) in caught.value.title


@pytest.mark.parametrize("content", [b"# Title\n\nWords.\n", b"\x00\xff\n\x01", b"null\n3\n"])
def test_a_file_of_something_else_is_refused_whole(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(TuteeError, match="line 1 is neither JSON nor columns"):
        rows(path)


def test_a_text_that_is_cut_is_told_in_plain_words(path: Path) -> None:
    path.write_text('{"a": 1}\n{"a": "b')
    assert str(rows(path)[1][1]) == "not valid JSON (Unterminated string at column 7)"


@pytest.mark.parametrize(
    "content", [b"", b"\n \n", b"\xef\xbb\xbf\n", b"\xff\xfe", gzip.compress(b"", mtime=0)]
)
def test_an_empty_file_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(TuteeError, match="is empty"):
        rows(path)


PIECES = st.sampled_from(
    [
        *(bytes([code]) for code in b'{}[],:\n\r\t"1a\x00\xe9'),
        *(b"prompt,answer\n", b"\xff\xfe", b"\xef\xbb\xbf", b"\x1f\x8b", b"PK\x03\x04"),
    ]
)


@given(content=st.lists(PIECES, max_size=12).map(b"".join))
def test_whatever_stands_in_a_file_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.mktemp("files") / "a.csv"
    path.write_bytes(content)
    with suppress(TuteeError):
        for line, _ in rows(path):
            assert 1 <= line <= content.count(b"\n") + content.count(b"\r") + 1


# -- tables --------------------------------------------------------------------------------------


def test_a_table_may_begin_with_blank_lines(path: Path) -> None:
    path.write_text(f"\n  \n\n{TABLE}")
    assert rows(path) == [(5, {"prompt": "hi", "completion": "yo"})]


@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
def test_a_table_is_told_by_its_columns(path: Path, delimiter: str) -> None:
    content = '"Question","Answer"\nhi,"a, b\r\n""c"""\n\nho,\nhe,1,2\nhu,"x"y\nha,5\n'
    path.write_text(content.replace(",", delimiter), newline="")
    (part,) = parts(path)
    assert part.table
    found = list(part.rows)
    quoted = f'a{delimiter} b\r\n"c"'
    assert found[0] == (2, {"Question": "hi", "Answer": quoted})
    assert found[1] == (5, {"Question": "ho", "Answer": ""})
    assert [(line, str(row)) for line, row in found[2:4]] == [
        (6, "more columns than the first line names"),
        (7, f"not a table row ('{delimiter}' expected after '\"')"),
    ]
    assert found[4] == (8, {"Question": "ha", "Answer": "5"})


def test_a_table_with_tabs_is_not_quoted_unless_its_first_line_is(path: Path) -> None:
    path.write_text('prompt\tcompletion\n"open\tA1\nsecond\tA2\nthird"\tA3\n"q"\t"a"\n')
    assert [row for _, row in rows(path)] == [
        {"prompt": '"open', "completion": "A1"},
        {"prompt": "second", "completion": "A2"},
        {"prompt": 'third"', "completion": "A3"},
        {"prompt": '"q"', "completion": '"a"'},
    ]


def test_a_quote_that_is_never_closed_is_told(path: Path) -> None:
    path.write_text(TABLE + '"hi,yo\nhi,yo\n')
    assert rows(path)[1:] == [(3, "not a table row (unexpected end of data)")]


def test_a_long_text_in_a_table_is_read(path: Path) -> None:
    path.write_text(TABLE + "hi," + "y" * 500_000)
    assert rows(path)[1] == (3, {"prompt": "hi", "completion": "y" * 500_000})


@pytest.mark.parametrize("name", ["a.csv", "a.TSV", "a.csv.gz"])
def test_a_table_without_known_columns_is_refused_whole(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("a fine film\t1\na dull one\t0\n")
    with pytest.raises(TuteeError, match="its first line names no known columns: a fine film, 1"):
        rows(path)


# -- bounds ----------------------------------------------------------------------------------------


def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.jsonl"
    os.mkfifo(pipe)
    for path in (pipe, Path("/dev/zero")):
        with pytest.raises(TuteeError, match="is not a regular file"):
            rows(path)


def test_what_is_too_large_is_not_read(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(row_files._LIMIT + 1)  # sparse
    tracemalloc.start()
    with pytest.raises(TuteeError, match="is too large"):
        rows(path)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


def test_a_line_too_long_to_parse_is_refused_alone(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_files, "_LONGEST_LINE", 100)
    path.write_text(f"{LINE}\n{json.dumps({'prompt': 'x' * 100})}\n{LINE}\n")
    assert rows(path) == [(1, ROW), (2, "the line is too long (115 bytes)"), (3, ROW)]


# -- encodings -------------------------------------------------------------------------------------

CHINESE = "prompt,completion\n你好，请问这是什么？,这是一个很好的问题。\n"
GERMAN = "prompt,completion\nWie heißt „grün“ für Möwen?,Grün. Das genügt – schön.\n"


@pytest.mark.parametrize(
    ("text", "encoding", "guessed"),
    [
        (CHINESE, "gbk", "gb18030"),
        (CHINESE, "gb18030", "gb18030"),
        (GERMAN, "cp1252", "cp1252"),
        ("prompt,completion\nça va été,déjà\n", "latin-1", "cp1252"),
        (CHINESE, "utf-8", ""),
        (CHINESE, "utf-16", ""),
        ("prompt,completion\na,b\n", "gbk", ""),
    ],
)
def test_an_encoding_is_guessed_where_the_bytes_speak_for_it(
    path: Path, text: str, encoding: str, guessed: str
) -> None:
    path.write_bytes(text.encode(encoding))
    (part,) = parts(path)
    assert part.guessed == guessed
    question, answer = text.splitlines()[1].split(",")
    assert [row for _, row in part.rows] == [{"prompt": question, "completion": answer}]


def test_lines_of_json_are_guessed_together(path: Path) -> None:
    row = {"prompt": "你好，请问这是什么？", "completion": "这是一个很好的问题。"}
    path.write_bytes(f"{json.dumps(row, ensure_ascii=False)}\n{{\n".encode("gbk"))
    assert rows(path)[0] == (1, row)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("prompt,completion\nКак дела сегодня?,Хорошо спасибо\n", "cp1251"),
        ("prompt,completion\nこんにちは、これは何ですか,これはペンです\n", "shift-jis"),
        ("prompt,completion\nこんにちは、これは何ですか,これはペンです\n", "euc-jp"),
        ("prompt,completion\n안녕하세요 이것은 무엇입니까,이것은 연필입니다\n", "euc-kr"),
        ("prompt,completion\nΤι κάνεις σήμερα,Καλά ευχαριστώ\n", "iso8859-7"),
        ("prompt,completion\n你好請問這是什麼東西呢,這是一個很好的問題喔\n", "big5"),
    ],
)
def test_any_other_encoding_must_be_named(path: Path, text: str, encoding: str) -> None:
    path.write_bytes(text.encode(encoding))
    with pytest.raises(TuteeError, match="line 2 is not UTF-8 text") as caught:
        rows(path)
    assert "--encoding" in str(caught.value)
    (part,) = parts(path, encoding)
    question, answer = text.splitlines()[1].split(",")
    assert [row for _, row in part.rows] == [{"prompt": question, "completion": answer}]


def test_a_wrong_encoding_is_told(path: Path) -> None:
    path.write_bytes(GERMAN.encode("cp1252"))
    with pytest.raises(TuteeError, match="line 2 is not ascii text"):
        rows(path, "ascii")


@pytest.mark.parametrize(
    ("name", "known"), [("gbk", True), ("Latin-1", True), ("base64", False), ("none", False)]
)
def test_an_encoding_is_known_if_it_is_one_of_text(name: str, known: bool) -> None:
    assert known_encoding(name) is known


# -- archives and folders ------------------------------------------------------------------------


def archive(path: Path, **members: str) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in members.items():
            opened.writestr(name.replace("__", "/").replace("_", "."), content)


def test_of_a_chat_export_only_the_conversations_are_read(path: Path) -> None:
    archive(path, user_json="{}", x__conversations_json=f"[{LINE}]", chat_html="<p>")
    (part,) = parts(path)
    assert (part.name, list(part.rows)) == ("x/conversations.json", [(1, ROW)])


def test_an_archive_of_other_files_is_read_whole(path: Path) -> None:
    archive(path, b_json=f"[{LINE}]", a_jsonl=LINE, c_csv=TABLE, d_txt="?")
    assert [(part.name, part.table, len([*part.rows])) for part in parts(path)] == [
        ("a.jsonl", False, 1),
        ("b.json", False, 1),
        ("c.csv", True, 1),
    ]


def test_what_cannot_be_unpacked_is_refused(path: Path) -> None:
    archive(path, a_txt="?")
    with pytest.raises(TuteeError, match="no JSON file"):
        rows(path)
    for broken in (path.read_bytes()[:-9], gzip.compress(LINE.encode())[:-9], b"\x1f\x8bxyz"):
        path.write_bytes(broken)
        with pytest.raises(TuteeError, match=r"Cannot (unpack|read)"):
            rows(path)


def test_what_grows_without_end_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_files, "_LIMIT", 1_000)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("a.json", " " * 5_000)
    for content in (gzip.compress(b" " * 5_000), packed.getvalue(), b" " * 5_000):
        path.write_bytes(content)
        with pytest.raises(TuteeError, match="too large"):
            rows(path)


def test_a_file_that_cannot_be_read_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(TuteeError, match=r"Cannot read .*No such file"):
        rows(tmp_path / "missing.jsonl")
    with pytest.raises(TuteeError, match="Cannot read"):
        rows(tmp_path)


def test_a_folder_is_searched_for_what_may_hold_rows(tmp_path: Path) -> None:
    wanted = ["a.jsonl", "b/c.json.gz", "b/d.TSV", "e.zip"]
    others = ["README.md", "dataset_info.json", ".hidden/a.json", ".a.json", "f.parquet"]
    for name in (*wanted, *others):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    assert find_files(tmp_path) == [tmp_path / name for name in wanted]
    assert find_files(tmp_path / "README.md") == [tmp_path / "README.md"]
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(TuteeError, match="nothing to import"):
        find_files(empty)
