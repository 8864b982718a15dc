"""Detect the format of a row by its keys, whichever program wrote it, and read it.

Each row is detected on its own, so a file may mix formats.
"""

from dataclasses import replace

from data.chat_exports import CHATS
from data.formats import ALPACA, CSV, KTO, MESSAGES, OWN, SHAREGPT, TRL
from data.formats.columns import COLUMNS, columns
from data.formats.common import Format, ParsedRow, Row, RowError
from data.formats.gemini import GEMINI
from data.formats.ranked import RANKED
from data.formats.record_checks import checked
from data.formats.row_marks import refuse_contradicted, refuse_unusable
from data.thoughts import has_thoughts
from store.i18n import _
from store.records import Origin, Preference, Record

FORMATS: tuple[Format, ...] = (
    *(OWN, *CHATS, MESSAGES, SHAREGPT, GEMINI, RANKED, ALPACA, KTO, TRL, COLUMNS, CSV),
)
"""The more specific first."""
NAMES = tuple(each.name for each in FORMATS)


def read(row: object, origin: Origin, format: str | None = None) -> tuple[str, ParsedRow]:  # noqa: A002
    """Parse one row, in the named format or the one its keys show; return its name and content.

    Raises:
        RowError: The format is unknown, or the row cannot be used.
    """
    if not isinstance(row, dict):
        raise RowError(_("not a JSON object"))
    found = next(
        (each for each in FORMATS if format in (None, each.name) and each.matches(row)), None
    )
    if found is None:
        raise RowError(_unknown(row, format))
    if found is OWN:
        return found.name, found.read(row, origin)
    if found not in CHATS:
        refuse_unusable(row)
    parsed = found.read(row, origin)
    if any(isinstance(record, Preference) for record in parsed.records) and found not in CHATS:
        refuse_contradicted(row)
    return found.name, _with_checked_records(parsed, has_thoughts(row))


def _with_checked_records(parsed: ParsedRow, thoughts: bool) -> ParsedRow:
    """The row with those of its records that can be learned, without thoughts.

    Raises:
        RowError: Nothing of the row is left.
    """
    records: list[Record] = []
    refused: list[str] = []
    for record in parsed.records:
        try:
            record, thinks = checked(record)
        except RowError as error:
            refused.append(str(error))
        else:
            records.append(record)
            thoughts |= thinks
    if refused and not records and not parsed.conversations:
        raise RowError(refused[0])
    return replace(
        parsed,
        records=tuple(records),
        refused=(*parsed.refused, *refused),
        thoughts=parsed.thoughts or thoughts,
    )


def _unknown(row: Row, format_name: str | None) -> str:
    keys = ", ".join(str(key) for key in row)
    if format_name:
        problem = _("not in the format {format}").format(format=format_name)
    elif "prompt" in columns([*row]):
        problem = _("a prompt but no reply")
    else:
        problem = _("no known format")
    return (
        _("{matter}; its keys: {keys:.200}").format(matter=problem, keys=keys) if keys else problem
    )
