"""Rows of other programs' files ↔ records and conversations: one module a family of formats.

`FORMATS` names them all, the more telling first. A row's format is told by its keys, so that a
file may mix them.
"""

from data.formats.common import Format, Found, Row, RowError
from data.formats.messages import MESSAGES
from data.formats.trl import PREFERENCE, VERDICT
from store.records import Origin, Record

__all__ = ["FORMATS", "Format", "Found", "RowError", "read", "row"]

FORMATS: tuple[Format, ...] = (MESSAGES, PREFERENCE, VERDICT)


def read(row: object, origin: Origin) -> tuple[str, Found]:
    """Turn a row into what it holds; its format is told by its keys.

    Returns:
        The name of the format, and what was found.

    Raises:
        RowError: it has no known format, or cannot be used.
    """
    if not isinstance(row, dict):
        raise RowError("not a JSON object")
    for known in FORMATS:
        if known.matches(row):
            return known.name, known.read(row, origin)
    raise RowError("no known format")


def row(record: Record) -> Row:
    """The row of a record, in the first format that carries its kind."""
    for known in FORMATS:
        if known.write and (written := known.write(record)) is not None:
            return written
    raise AssertionError(record.kind)
