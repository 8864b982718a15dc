"""Change one setting in the file and keep all else in it: comments, order, blanks.

The file stays the person's own, so only the key that was changed is touched, and nothing is written
that would not be read again.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from core.config import Config, parse, read
from store.errors import TuteeError
from store.i18n import _
from store.storage import replace_file

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

Value = str | int | float | bool | tuple[str, ...] | None
"""None stands for what the file leaves out."""

_NEW = "# Settings of Tutee. What is not here has its default.\n"


def with_value(text: str, section: str, name: str, value: Value) -> str:
    """`text` with `[section] name` set to `value`; without it where that is None.

    Raises:
        TuteeError: `text` is not TOML, or has no table where `section` should be.
    """
    if value is None:
        return without(text, section, name)
    # Imported here because only who changes a setting waits for it.
    from tomlkit import string, table

    document = _document(text or _NEW)
    if section not in document:
        document[section] = table()
    keys = document[section]
    if not isinstance(keys, dict):
        raise TuteeError(
            _("`{section}` in the settings is no table.").format(section=section),
            _("Mend that line first."),
        )
    many_lines = isinstance(value, str) and "\n" in value
    plain = list(value) if isinstance(value, tuple) else value
    keys[name] = string(str(value), multiline=True) if many_lines else plain
    return document.as_string()


def without(text: str, section: str, name: str) -> str:
    """`text` without `[section] name`, so that it has its default.

    Raises:
        TuteeError: `text` is not TOML.
    """
    document = _document(text)
    keys = document.get(section)
    if isinstance(keys, dict):
        keys.pop(name, None)
    return document.as_string()


def save(path: Path, text: str) -> Config:
    """Write the settings, if they are good, and give them back.

    Raises:
        TuteeError: they are not, and the file stays as it was; or it cannot be written.
    """
    config = parse(text, path)
    replace_file(path, text.encode("utf-8"))
    return config


def change(path: Path, section: str, name: str, value: Value) -> Config:
    """Set one value in the file at `path`.

    Raises:
        TuteeError: the value or the file is bad, or it cannot be written.
    """
    return save(path, with_value(read(path), section, name, value))


def _document(text: str) -> "TOMLDocument":
    from tomlkit import parse as parse_toml
    from tomlkit.exceptions import ParseError

    try:
        return parse_toml(text)
    except ParseError as error:
        raise TuteeError(_("The settings are not valid TOML: {why}.").format(why=error)) from error
