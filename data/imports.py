"""Read a file of records made elsewhere. One bad row never loses the others.

The format is told row by row from the keys, so a file may mix them. Nothing is stored here: the
caller shows what was refused, and `Repository.add_imported` leaves out what is known already.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from data.formats import Found, RowError, read
from store.acts import said
from store.errors import TuteeError
from store.records import Origin, Record

_BOM = b"\xef\xbb\xbf"

_EXPECTED = (
    "A file to import has one JSON object a line, or one JSON array of them, with messages, with "
    "prompt, chosen and rejected, or with prompt, completion and label."
)


@dataclass(frozen=True)
class Refused:
    """A row that was not taken."""

    line: int
    """Its line, counted from 1; in a file that is one JSON array, its place in the array."""
    reason: str


@dataclass(frozen=True)
class Imported:
    """What a file holds."""

    format: str
    """`messages`, `preference` or `verdict`; `mixed` where there are several."""
    records: tuple[Record, ...]
    refused: tuple[Refused, ...]


def read_file(path: Path) -> Imported:
    """Read a `.jsonl` file, or one that holds a JSON array.

    Raises:
        TuteeError: it cannot be read, is empty, or has not one row that can be used.
    """
    name = path.name.encode("utf-8", "replace").decode("utf-8")
    origin = Origin(source=f"import:{name}")
    formats: set[str] = set()
    taken: dict[object, int] = {}
    records: list[Record] = []
    refused: list[Refused] = []
    for line, row in _rows(path):
        try:
            format_name, found = _found(row, origin)
            (record,) = found.records
            earlier = taken.setdefault(said(record), line)
            if earlier != line:
                raise RowError(f"duplicate of line {earlier}")
        except RowError as error:
            refused.append(Refused(line, str(error)))
        else:
            formats.add(format_name)
            records.append(record)
    if not records:
        raise _useless(path, refused)
    return Imported(
        format=formats.pop() if len(formats) == 1 else "mixed",
        records=tuple(records),
        refused=tuple(refused),
    )


def _found(row: object, origin: Origin) -> tuple[str, Found]:
    if isinstance(row, RowError):
        raise row
    return read(row, origin)


def _rows(path: Path) -> list[tuple[int, object]]:
    """Each row with its line; one that is no JSON is its `RowError` instead."""
    try:
        content = path.read_bytes().removeprefix(_BOM)
    except OSError as error:
        raise TuteeError(f"Cannot read {path}: {error.strerror or error}.") from error
    if not content.strip():
        raise TuteeError(f"{path} is empty.", _EXPECTED)
    if content.lstrip().startswith(b"["):
        whole = _parsed(content)
        if isinstance(whole, list):
            return list(enumerate(whole, start=1))
        if path.suffix == ".json":
            raise TuteeError(f"{path} cannot be used: {whole}.", _EXPECTED)
    # Only a line feed ends a row: U+2028 and its like may stand inside JSON text.
    lines = enumerate(content.split(b"\n"), start=1)
    return [(number, _parsed(line)) for number, line in lines if line.strip()]


def _parsed(content: bytes) -> object:
    try:
        return json.loads(content.decode("utf-8"))
    except UnicodeDecodeError:
        return RowError("not UTF-8 text")
    except json.JSONDecodeError as error:
        place = (
            f"line {error.lineno}, column {error.colno}"
            if error.lineno > 1
            else (f"column {error.colno}")
        )
        return RowError(f"not valid JSON ({error.msg} at {place})")
    except (ValueError, RecursionError) as error:
        return RowError(f"not valid JSON ({error})")


def _useless(path: Path, refused: list[Refused]) -> TuteeError:
    first = refused[0] if refused else Refused(1, "the array is empty")
    others = f" ({len(refused) - 1} more refused)" if len(refused) > 1 else ""
    return TuteeError(
        f"No row of {path} can be used: line {first.line}: {first.reason}{others}.", _EXPECTED
    )
