"""The schema stamp each database carries, and its check.

A file written by a newer Tutee is refused instead of guessed at. This is the first schema, so there
is no earlier one to migrate from; the step that leads to the next one belongs here, beside the
check that knows both numbers.
"""

from pathlib import Path

from store.errors import TuteeError
from store.records import SCHEMA_VERSION
from store.storage import Tables, damaged

_TABLE = "meta"
_DOCUMENT = "schema"


def stamped() -> Tables:
    """The tables of a new database: nothing but the stamp."""
    return {_TABLE: {_DOCUMENT: {"version": SCHEMA_VERSION}}}


def check(tables: Tables, path: Path) -> None:
    """Refuse a database that this version cannot read.

    Raises:
        TuteeError: it is newer, or carries no stamp.
    """
    version = tables.get(_TABLE, {}).get(_DOCUMENT, {}).get("version")
    if not isinstance(version, int) or version < 1:
        raise damaged(path, "it has no schema version")
    if version > SCHEMA_VERSION:
        raise TuteeError(
            f"{path} was written by a newer Tutee (schema {version}, this one reads up to "
            f"{SCHEMA_VERSION}).",
            "Update Tutee, or choose another home with --home.",
        )
