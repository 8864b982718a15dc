"""Rows of the field's files ↔ records: one module a family of formats.

What is written is decided here; `data.format_detection` tells what a row is, among these formats
and the conversations of other programs (`data.chat_exports`).
"""

from data.formats.alpaca import ALPACA
from data.formats.columns import COLUMNS, CSV
from data.formats.common import Format, ParsedRow, Row, RowError
from data.formats.messages import MESSAGES
from data.formats.own import OWN
from data.formats.sharegpt import SHAREGPT
from data.formats.trl import KTO, TRL
from store.records import Record

__all__ = [
    "ALPACA",
    "COLUMNS",
    "CSV",
    "KTO",
    "LLAMA_FACTORY",
    "MESSAGES",
    "OWN",
    "SHAREGPT",
    "TRL",
    "Format",
    "ParsedRow",
    "Row",
    "RowError",
    "row",
    "writers",
]

LLAMA_FACTORY = ("messages", "sharegpt", "alpaca", "csv")
"""Names of the formats that LLaMA-Factory reads, the one that carries the most first."""

_WRITERS: dict[str, tuple[Format, ...]] = {
    "instruction": (MESSAGES, ALPACA, SHAREGPT, TRL, CSV, OWN),
    "preference": (TRL, ALPACA, SHAREGPT, CSV, OWN),
    "verdict": (KTO, MESSAGES, ALPACA, SHAREGPT, TRL, CSV, OWN),
}


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
