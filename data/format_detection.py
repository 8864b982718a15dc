"""What a row of a file holds, whichever program wrote it.

A row's format is told by its keys, so that a file may mix them.
"""

from data.chat_exports import CHATS
from data.formats import ALPACA, COLUMNS, CSV, KTO, MESSAGES, OWN, SHAREGPT, TRL
from data.formats.columns import columns
from data.formats.common import Format, ParsedRow, Row, RowError
from store.i18n import _
from store.records import Origin

FORMATS: tuple[Format, ...] = (
    OWN,
    *CHATS,
    MESSAGES,
    SHAREGPT,
    ALPACA,
    KTO,
    TRL,
    COLUMNS,
    CSV,
)
"""The more telling first."""
NAMES = tuple(known.name for known in FORMATS)

_NOT_TEXT = ("images", "videos", "audios")


def read(row: object, origin: Origin, format: str | None = None) -> tuple[str, ParsedRow]:  # noqa: A002
    """ChatMessage a row into what it holds.

    Args:
        row: What stands in the file.
        origin: Where it comes from.
        format: One of `NAMES`; told by the row's keys if not given.

    Returns:
        The name of the format, and what was found.

    Raises:
        RowError: it has no known format, or cannot be used.
    """
    if not isinstance(row, dict):
        raise RowError(_("not a JSON object"))
    known = next(
        (known for known in FORMATS if format in (None, known.name) and known.matches(row)), None
    )
    if known is None:
        raise RowError(_unknown(row, format))
    if any(row.get(key) for key in _NOT_TEXT):
        raise RowError(_("it goes with images, sound or video"))
    return known.name, known.read(row, origin)


def _unknown(row: Row, format_name: str | None) -> str:
    keys = ", ".join(str(key) for key in row)
    if format_name:
        what = _("not of the format {format}").format(format=format_name)
    elif "prompt" in columns([*row]):
        what = _("no reply beside the prompt")
    else:
        what = _("no known format")
    return _("{matter}; its keys: {keys:.200}").format(matter=what, keys=keys) if keys else what
