"""Tutee's own rows: a record with all its fields, so that a home can be moved.

Reading returns the very same record, with its ids, times and origin. Fields that only other
programs need are left out.
"""

import json

from pydantic import TypeAdapter, ValidationError

from data.formats.common import Format, ParsedRow, Row, RowError, checked_text
from store.error_messages import validation_message
from store.i18n import _
from store.records import Origin, Record

_KEY = "tutee"
_VERSION = 1
"""Version of these rows; increased when a field changes its meaning."""

_RECORD: TypeAdapter[Record] = TypeAdapter(Record)


def _matches(row: Row) -> bool:
    return _KEY in row


def _read(row: Row, origin: Origin) -> ParsedRow:
    version = row[_KEY]
    if not isinstance(version, int) or version < 1:
        raise RowError(_("{key} is not a version number").format(key=_KEY))
    if version > _VERSION:
        raise RowError(_("written by a newer Tutee"))
    fields = {key: value for key, value in row.items() if key != _KEY}
    checked_text(json.dumps(fields, ensure_ascii=False), _("the row"))
    try:
        record = _RECORD.validate_python(fields)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or _("the row")
        raise RowError(
            _("{place}: {matter}").format(place=place, matter=validation_message(first))
        ) from None
    return ParsedRow((record,))


def _write(record: Record) -> Row:
    return {_KEY: _VERSION, **record.model_dump(mode="json")}


OWN = Format("tutee", _matches, _read, _write)
