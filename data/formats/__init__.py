"""Rows of other programs' files ↔ records and conversations: one module a family of formats.

`FORMATS` names them all, the more telling first. A row's format is told by its keys, so that a
file may mix them. Whole conversations of other programs, which hold more than records, are in
`data.chats`.
"""

from data.formats.alpaca import ALPACA
from data.formats.columns import COLUMNS, CSV, columns
from data.formats.common import Format, Found, Row, RowError
from data.formats.messages import MESSAGES
from data.formats.own import OWN
from data.formats.sharegpt import SHAREGPT
from data.formats.trl import KTO, TRL
from store.records import Origin, Record

__all__ = ["FORMATS", "NAMES", "Format", "Found", "RowError", "read", "row", "writers"]

FORMATS: tuple[Format, ...] = (
    OWN,
    MESSAGES,
    SHAREGPT,
    ALPACA,
    KTO,
    TRL,
    COLUMNS,
    CSV,
)
NAMES = tuple(known.name for known in FORMATS)
"""What each is called; `read` and the commands take these names."""

_WRITERS: dict[str, tuple[Format, ...]] = {
    "instruction": (MESSAGES, ALPACA, SHAREGPT, TRL, CSV, OWN),
    "preference": (TRL, ALPACA, SHAREGPT, CSV, OWN),
    "verdict": (KTO, MESSAGES, ALPACA, SHAREGPT, TRL, CSV, OWN),
}
_NOT_TEXT = ("images", "videos", "audios")


def read(row: object, origin: Origin, format: str | None = None) -> tuple[str, Found]:  # noqa: A002
    """Turn a row into what it holds.

    Args:
        row: What stands in the file.
        origin: Where it comes from.
        format: The name of its format; told by its keys if not given.

    Returns:
        The name of the format, and what was found.

    Raises:
        RowError: it has no known format, or cannot be used.
    """
    if not isinstance(row, dict):
        raise RowError("not a JSON object")
    known = next(
        (known for known in FORMATS if format in (None, known.name) and known.matches(row)), None
    )
    if known is None:
        raise RowError(_unknown(row))
    if any(row.get(key) for key in _NOT_TEXT):
        raise RowError("it goes with images, sound or video")
    return known.name, known.read(row, origin)


def _unknown(row: Row) -> str:
    keys = ", ".join(str(key) for key in row)
    what = "no reply beside the prompt" if "prompt" in columns([*row]) else "no known format"
    return f"{what}; its keys: {keys:.200}" if keys else what


def writers(kind: str) -> tuple[str, ...]:
    """The names of the formats that can carry a kind of record, the default first."""
    return tuple(known.name for known in _WRITERS[kind])


def row(record: Record, format: str | None = None) -> Row | None:  # noqa: A002
    """The row of a record.

    Args:
        record: What to write.
        format: One of `writers(record.kind)`; the first of them if not given.

    Returns:
        The row; None where the format has no place for all that the record says.
    """
    able = _WRITERS[record.kind]
    chosen = next((known for known in able if format in (None, known.name)), None)
    return chosen.write(record) if chosen and chosen.write else None
