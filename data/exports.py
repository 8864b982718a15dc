"""Write records as JSONL that the field's tools read: UTF-8, one row a line, the file whole or not
at all. What a row has no place for (ids, reasons, where it came from) stays in the home.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from data import formats
from store.records import Record
from store.storage import replace_file

KINDS = ("instruction", "preference", "verdict")


def rows(records: Iterable[Record]) -> Iterator[dict[str, Any]]:
    """The rows of records, in their order, each in the format of its kind."""
    return map(formats.row, records)


def line(row: dict[str, Any]) -> str:
    """A row as one line of JSONL, with its line feed."""
    return json.dumps(row, ensure_ascii=False) + "\n"


def write_jsonl(records: Iterable[Record], path: Path) -> int:
    """Write records to a file, private to the person, and return how many.

    Raises:
        TuteeError: it cannot be written; what was there before is unchanged.
    """
    lines = [line(row) for row in rows(records)]
    with suppress(OSError):  # whatever keeps the folder from being made is told by the writing
        path.parent.mkdir(mode=0o700, exist_ok=True)
    replace_file(path, "".join(lines).encode("utf-8"))
    return len(lines)
