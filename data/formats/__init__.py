"""Rows of common dataset files ↔ records: one module per family of formats.

What is written is decided here; `data.format_detection` detects what a row is, among these formats
and other programs' conversations (`data.chat_exports`).
"""

from data.formats.alpaca import ALPACA
from data.formats.columns import CSV
from data.formats.common import Format, Row
from data.formats.common import RowError as RowError
from data.formats.messages import MESSAGES
from data.formats.own import OWN
from data.formats.sharegpt import SHAREGPT
from data.formats.trl import KTO, TRL
from store.records import Record

LLAMA_FACTORY = ("messages", "sharegpt", "alpaca", "csv")
"""Names of the formats that LLaMA-Factory reads, the one that carries the most first."""

_WRITERS: dict[str, tuple[Format, ...]] = {
    "instruction": (MESSAGES, ALPACA, SHAREGPT, TRL, CSV, OWN),
    "preference": (TRL, ALPACA, SHAREGPT, CSV, OWN),
    "verdict": (KTO, MESSAGES, ALPACA, SHAREGPT, TRL, CSV, OWN),
}


def writers(kind: str) -> tuple[str, ...]:
    """Return the names of the formats that can carry a kind of record, the default first."""
    return tuple(each.name for each in _WRITERS[kind])


def row(record: Record, format: str | None = None) -> Row | None:  # noqa: A002
    """Return the row of a record, by default in the first of its `writers`; None if that cannot
    hold all that the record says."""
    able = _WRITERS[record.kind]
    chosen = next((each for each in able if format in (None, each.name)), None)
    return chosen.write(record) if chosen and chosen.write else None
