"""The rows of a file, whatever it is: JSONL, one JSON array or object, CSV, compressed or not.

The type of a file is detected from its content, hardly ever from its name. An unreadable line is
refused alone, since the others are complete without it; a broken array, object or archive is
refused as a whole, with the position, since nothing after the break can be trusted.

Left out on purpose: streaming. The records made of a file are larger than it is, and all are needed
at once; only the rows are read lazily, because as Python objects they take the most memory.
"""

import codecs
import csv
import gzip
import io
import json
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path, PurePosixPath

from data.encodings import guess
from data.formats.columns import is_table
from data.formats.common import RowError
from store.error_messages import reason
from store.errors import TuteeError
from store.i18n import _

_BOM = b"\xef\xbb\xbf"
_BOMS = {b"\xff\xfe\x00\x00": "utf-32", b"\x00\x00\xfe\xff": "utf-32"}
_BOMS |= {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
"""The longer first."""
_GZIP = b"\x1f\x8b"
_ZIP = b"PK\x03\x04"
_LIMIT = 1 << 30
"""Maximum bytes, also when unpacked: anything larger is no chat, or a zip bomb."""
_LONGEST_LINE = 64 << 20
"""Maximum bytes of one line of JSON: parsed, a row may take twenty times as much."""
_FIELD = 16 << 20
"""Maximum characters in one field of a table; the csv module's default is 128 KiB."""
_DELIMITERS = "\t,;"
_TABLES = (".csv", ".tsv")
_BLANK = re.compile(r"[ \t\n\r]*")
"""What JSON treats as white space."""
_SUFFIXES = (".json", ".jsonl", ".ndjson", *_TABLES)
_DESCRIPTIONS = ("dataset_info.json",)
"""Files that describe other files."""

Rows = Iterator[tuple[int, object]]
"""Each row with its line, counted from 1; an unreadable row is a `RowError` instead."""


@dataclass(frozen=True)
class FilePart:
    """A file, or one of the files in an archive."""

    name: str
    """Empty if the file is not an archive."""
    table: bool
    """Whether the rows are columns of text."""
    rows: Rows
    guessed: str = ""
    """The encoding it was read in, if it is not UTF-8 and none was named."""


def expected() -> str:
    """Return the hint that says what a file to import looks like."""
    return _(
        "A file to import has one JSON object per line, one JSON array of them, or columns with "
        "names like prompt and completion."
    )


def find_files(path: Path) -> list[Path]:
    """Return the files below a folder that may contain rows, sorted, or the file itself; raise
    TuteeError if there are none."""
    if not path.is_dir():
        return [path]
    found = sorted(file for file in path.rglob("*") if _wanted(file.relative_to(path)))
    if not found:
        raise TuteeError(_("There is nothing to import in {path}.").format(path=path), expected())
    return found


def _wanted(path: Path) -> bool:
    name = path.name.lower().removesuffix(".gz")
    return (
        name.endswith((*_SUFFIXES, ".zip"))
        and name not in _DESCRIPTIONS
        and not any(part.startswith(".") for part in path.parts)
    )


def known_encoding(name: str) -> bool:
    """Return whether text can be read in an encoding of this name."""
    try:
        return codecs.lookup(name)._is_text_encoding
    except (LookupError, ValueError):
        return False


def parts(path: Path, encoding: str | None = None) -> Iterator[FilePart]:
    """Open a file, in the encoding named or else in UTF-8, if it is not clearly in another.

    Raises:
        TuteeError: It cannot be read, is empty, or is broken as a whole. This may be raised only
            when its rows are read.
    """
    try:
        content = _bytes(path)
        if content.startswith(_GZIP):
            with gzip.open(io.BytesIO(content)) as packed:
                content = packed.read(_LIMIT + 1)
        if not content.startswith(_ZIP):
            yield _part("", content, path, encoding)
            return
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = _members(archive)
            if not names:
                raise TuteeError(
                    _("There is no JSON file in {path}.").format(path=path), expected()
                )
            for name in names:
                yield _part(name, archive.read(name), path, encoding)
    except OSError as error:
        raise TuteeError(
            _("Cannot read {path}: {why}.").format(path=path, why=reason(error))
        ) from error
    except (EOFError, zlib.error, zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
        raise TuteeError(_("Cannot unpack {path}: {why}.").format(path=path, why=error)) from error


def _bytes(path: Path) -> bytes:
    """The content of a file whose kind and size were checked first: a pipe would wait for ever."""
    about = path.stat()
    if not stat.S_ISREG(about.st_mode) and not stat.S_ISDIR(about.st_mode):
        raise TuteeError(_("{file} is not a regular file.").format(file=path))
    if about.st_size > _LIMIT:
        raise TuteeError(_("{file} is too large.").format(file=path))
    with path.open("rb") as file:
        return file.read(_LIMIT + 1)


def _members(archive: zipfile.ZipFile) -> list[str]:
    """The JSON files of an archive; of a ChatGPT export, only its conversations."""
    names = [
        name
        for name in sorted(archive.namelist())
        if _wanted(Path(name)) and not name.startswith("__MACOSX")
    ]
    conversations = [name for name in names if PurePosixPath(name).name.startswith("conversations")]
    if sum(archive.getinfo(name).file_size for name in conversations or names) > _LIMIT:
        raise zipfile.BadZipFile(_("it is too large"))
    return conversations or names


def _part(name: str, content: bytes, path: Path, encoding: str | None) -> FilePart:
    shown = f"{path} ({name})" if name else str(path)
    if len(content) > _LIMIT:
        raise TuteeError(_("{file} is too large.").format(file=shown))
    content, guessed = _as_utf8(content, shown, encoding)
    if not content.strip():
        raise TuteeError(_("{file} is empty.").format(file=shown), expected())
    tables = (name or path.name).lower().removesuffix(".gz").endswith(_TABLES)
    table, rows = _rows(content, shown, tables)
    return FilePart(name, table, rows, guessed)


def _as_utf8(content: bytes, shown: str, encoding: str | None) -> tuple[bytes, str]:
    """The text as UTF-8, and the encoding if it was guessed.

    Single lines that are not UTF-8 among others that are, are left to be refused alone.
    """
    if marked := next((name for mark, name in _BOMS.items() if content.startswith(mark)), None):
        return content.decode(marked, "replace").encode("utf-8", "replace").removeprefix(_BOM), ""
    if encoding:
        return _text(content, shown, encoding).encode("utf-8", "replace").removeprefix(_BOM), ""
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        others = content.decode("utf-8", "ignore")
        guessed = guess(content) if others.isascii() or not _has_utf8(content) else None
        if guessed:
            return content.decode(guessed).encode("utf-8"), guessed
    return content.removeprefix(_BOM), ""


def _has_utf8(content: bytes) -> bool:
    """Whether some line is UTF-8 and more than ASCII."""
    for line in io.BytesIO(content):
        try:
            if not line.isascii() and line.decode("utf-8"):
                return True
        except UnicodeDecodeError:
            continue
    return False


def _rows(content: bytes, shown: str, named_table: bool) -> tuple[bool, Rows]:
    """Whether the content is columns of text, and its rows."""
    first, second = _first_lines(content)
    if isinstance(_parsed(first), dict):
        return False, _lines(content)
    if first.startswith((b"{", b"[")):
        # A pretty-printed value breaks its first line after a bracket or a comma.
        by_line = second.startswith(b"{") and not first.endswith((b"[", b"{", b","))
        return False, _lines(content) if by_line else _values(content, shown)
    names = {mark: _names(first, mark) for mark in _DELIMITERS}
    delimiter = next((mark for mark in _DELIMITERS if is_table(names[mark])), None)
    if delimiter:
        # Most files with tabs are not quoted, so a quotation mark there is one.
        quoted = delimiter != "\t" or b'"' in first
        return True, _table(_text(content, shown), delimiter, quoted)
    if named_table:
        columns = max(names.values(), key=len)
        named = _(", ").join(columns)[:200]
        raise TuteeError(
            _("{file}: its first line names no known columns: {columns}.").format(
                file=shown, columns=named
            ),
            expected(),
        )
    if not any(line.lstrip().startswith(b"{") for line in io.BytesIO(content)):
        raise TuteeError(
            _("{file} cannot be used: line 1 is neither JSON nor columns.").format(file=shown),
            expected(),
        )
    return False, _lines(content)


def _names(header: bytes, delimiter: str) -> list[str]:
    line = header.decode("utf-8", "replace")
    try:
        return next(csv.reader([line], delimiter=delimiter, strict=True), [])
    except csv.Error:
        return []


def _first_lines(content: bytes) -> tuple[bytes, bytes]:
    """The first two lines that are not blank."""
    lines = (line.strip() for line in io.BytesIO(content) if line.strip())
    return next(lines), next(lines, b"")


def _text(content: bytes, shown: str, encoding: str = "utf-8") -> str:
    try:
        return content.decode(encoding)
    except UnicodeError as error:
        start = getattr(error, "start", 0)
        name = "UTF-8" if encoding == "utf-8" else encoding
        raise TuteeError(
            _("{file} cannot be used: line {line} is not {encoding} text.").format(
                file=shown, line=content.count(b"\n", 0, start) + 1, encoding=name
            ),
            _("Name its encoding, as in `--encoding cp1251`."),
        ) from error


# -- lines ---------------------------------------------------------------------------------------


def _lines(content: bytes) -> Rows:
    # Only a line feed ends a row: JSON text may contain U+2028 and the like.
    for number, line in enumerate(io.BytesIO(content), start=1):
        if line.strip():
            yield number, _parsed(line)


def _parsed(line: bytes) -> object:
    if len(line) > _LONGEST_LINE:
        return RowError(_("the line is too long ({size:,} bytes)").format(size=len(line)))
    try:
        return json.loads(line.decode("utf-8").rstrip("\r\n"))
    except UnicodeDecodeError:
        return RowError(_("not UTF-8 text"))
    except json.JSONDecodeError as error:
        return RowError(
            _("not valid JSON ({matter} at column {column})").format(
                matter=_matter(error), column=error.colno
            )
        )
    except (ValueError, RecursionError) as error:
        return RowError(_("not valid JSON ({why})").format(why=error))


# -- one JSON value ------------------------------------------------------------------------------


def _values(content: bytes, shown: str) -> Rows:
    text = _text(content, shown)
    start = _skip(text, 0)
    try:
        if text[start] == "[":
            yield from _elements(text, start)
        else:
            value, end = json.JSONDecoder().raw_decode(text, start)
            _nothing_after(text, end)
            yield text.count("\n", 0, start) + 1, value
    except (ValueError, RecursionError) as error:
        raise _broken(shown, error) from error


def _elements(text: str, start: int) -> Rows:
    """Each element of an array with the line it begins on, one at a time."""
    decode = json.JSONDecoder().raw_decode
    line, counted = 1, 0
    position = _skip(text, start + 1)
    separator = "]" if text[position : position + 1] == "]" else ","
    while separator == ",":
        line += text.count("\n", counted, position)
        counted = position
        value, position = decode(text, position)
        yield line, value
        position = _skip(text, position)
        separator = text[position : position + 1]
        if separator not in (",", "]") or not separator:
            raise json.JSONDecodeError("Expecting ',' delimiter", text, position)
        if separator == ",":
            position = _skip(text, position + 1)
    _nothing_after(text, position + 1)


def _skip(text: str, position: int) -> int:
    found = _BLANK.match(text, position)
    return found.end() if found else position


def _nothing_after(text: str, position: int) -> None:
    end = _skip(text, position)
    if end < len(text):
        raise json.JSONDecodeError("Extra data", text, end)


def _broken(shown: str, error: Exception) -> TuteeError:
    matter = str(error)
    if isinstance(error, json.JSONDecodeError):
        matter = _("{matter} at line {line}, column {column}").format(
            matter=_matter(error), line=error.lineno, column=error.colno
        )
    return TuteeError(
        _("{file} cannot be used: not valid JSON ({matter}).").format(file=shown, matter=matter),
        expected(),
    )


def _matter(error: json.JSONDecodeError) -> str:
    """The problem; some messages end as if the position followed."""
    return error.msg.removesuffix(" starting at")


# -- tables --------------------------------------------------------------------------------------


def _table(text: str, delimiter: str, quoted: bool) -> Rows:
    csv.field_size_limit(_FIELD)
    reader = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=delimiter,
        quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE,
        strict=True,
    )
    names = next(fields for fields in reader if _filled(fields))
    while True:
        line = reader.line_num + 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield line, RowError(_("not a table row ({why})").format(why=error))
            continue
        if len(fields) > len(names):
            yield line, RowError(_("more columns than the first line names"))
        elif _filled(fields):
            yield line, dict(zip_longest(names, fields, fillvalue=""))


def _filled(fields: list[str]) -> bool:
    return any(field.strip() for field in fields)
