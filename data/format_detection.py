"""Detect the format of a row by its keys, whichever program wrote it, and read it.

Each row is detected on its own, so a file may mix formats.
"""

from data.chat_exports import CHATS
from data.formats import ALPACA, CSV, KTO, MESSAGES, OWN, SHAREGPT, TRL
from data.formats.columns import COLUMNS, columns
from data.formats.common import Format, ParsedRow, Row, RowError
from store.i18n import _
from store.records import Origin

FORMATS: tuple[Format, ...] = (OWN, *CHATS, MESSAGES, SHAREGPT, ALPACA, KTO, TRL, COLUMNS, CSV)
"""The more specific first."""
NAMES = tuple(each.name for each in FORMATS)

_NOT_TEXT = ("images", "videos", "audios")


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
    if any(row.get(key) for key in _NOT_TEXT):
        raise RowError(_("it includes images, sound or video"))
    return found.name, found.read(row, origin)


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
