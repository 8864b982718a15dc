"""Change one setting in the file and keep everything else in it: comments, order, blank lines.

The file stays the user's own, so only the changed key is touched, and nothing is written that could
not be read again. The one exception: flat names under `[tuning]` from earlier versions move to
their tables on the first write, along with the comments above them.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.config import FLAT_TUNING, Config, parse, read
from store.errors import TuteeError
from store.i18n import _
from store.storage import replace_file

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

Value = str | int | float | bool | tuple[str, ...] | None
"""None stands for a key that the file leaves out."""

_NEW = "# Settings of Tutee. What is not here has its default.\n"


def with_value(text: str, section: str, name: str, value: Value) -> str:
    """Return `text` with `[section] name` set to `value`, or removed if that is None.

    Args:
        section: Dotted where tables are nested, as in `tuning.rl`.

    Raises:
        TuteeError: `text` is not TOML, or has no table where `section` should be.
    """
    if value is None:
        return without(text, section, name)
    # Imported here because only a change of a setting needs it.
    from tomlkit import string

    document = _document(text or _NEW)
    tail = _cut_tail(document.get("tuning"))
    _nest(document)
    many_lines = isinstance(value, str) and "\n" in value
    plain = list(value) if isinstance(value, tuple) else value
    item = string(str(value), multiline=True) if many_lines else plain
    _put(_table(document, section), name, item)
    _restore(document, tail)
    return document.as_string()


def without(text: str, section: str, name: str) -> str:
    """Return `text` without `[section] name`, so that it has its default.

    Raises:
        TuteeError: `text` is not TOML.
    """
    document = _document(text)
    tail = _cut_tail(document.get("tuning"))
    _nest(document)
    keys: Any = document
    for part in section.split("."):
        keys = keys.get(part)
        if not isinstance(keys, dict):
            return text
    if keys.pop(name, None) is None:
        return text
    _restore(document, tail)
    return document.as_string()


def save(path: Path, text: str) -> Config:
    """Write the settings, if they are valid, and return them.

    Raises:
        TuteeError: they are not valid, and the file is unchanged; or it cannot be written.
    """
    config = parse(text, path)
    replace_file(path, text.encode("utf-8"))
    return config


def change(path: Path, section: str, name: str, value: Value) -> Config:
    """Set one value in the file at `path`.

    Raises:
        TuteeError: the value or the file is invalid, or it cannot be written.
    """
    return save(path, with_value(read(path), section, name, value))


def _document(text: str) -> "TOMLDocument":
    from tomlkit import parse as parse_toml
    from tomlkit.exceptions import ParseError

    try:
        return parse_toml(text)
    except (ParseError, RecursionError) as error:
        raise TuteeError(_("The settings are not valid TOML: {why}.").format(why=error)) from error


def _table(document: "TOMLDocument", section: str) -> Any:
    """Return the table `section` of `document`, added if it is missing."""
    from tomlkit import inline_table, table
    from tomlkit.items import InlineTable

    keys: Any = document
    *outer, last = section.split(".")
    for part in (*outer, last):
        if part not in keys:
            inline = isinstance(keys, InlineTable)
            keys[part] = inline_table() if inline else table(is_super_table=part != last)
        keys = keys[part]
        if not isinstance(keys, dict):
            raise TuteeError(
                _("`{section}` in the settings is not a table.").format(section=section),
                _("Correct that line first."),
            )
    return keys


def _put(keys: Any, name: str, item: Any, comments: Sequence[Any] = ()) -> None:
    """Set `name` in the table `keys`, a new one below `comments`."""
    tail = _cut_tail(keys)
    for comment in comments:
        keys.add(comment)
    keys[name] = item
    if tail:
        keys.value.body.extend(tail)


def _cut_tail(keys: Any) -> list[Any]:
    """Take blank lines and comments after the last key out of a table, so that keys go before them.

    tomlkit counts everything above the next header to the table before it. A table that holds
    others has no such tail.
    """
    from tomlkit.items import Null, Table

    if not isinstance(keys, Table) or any(isinstance(value, dict) for value in keys.values()):
        return []
    body = keys.value.body
    start = max((i for i, (name, _item) in enumerate(body, 1) if name is not None), default=0)
    tail = body[start:]
    body[start:] = [(None, Null())] * len(tail)
    return tail


# -- flat names of earlier versions ----------------------------------------------------------------


def _nest(document: "TOMLDocument") -> None:
    """Move flat keys under `[tuning]` to their tables, comments included.

    A key that is set under both names stays, for `core.config` to refuse.
    """
    tuning = document.get("tuning")
    if not isinstance(tuning, dict):
        return
    for flat in [key for key in tuning if key in FLAT_TUNING]:
        section, name = FLAT_TUNING[flat]
        inner = tuning.get(section, {})
        if isinstance(inner, dict) and name not in inner:
            comments = _cut_comments_above(tuning, flat)
            item = tuning.pop(flat)
            _put(_table(document, f"tuning.{section}"), name, item, comments)


def _cut_comments_above(table: Any, key: str) -> list[Any]:
    """Take the comment lines directly above `key` out of `table`, if it has a header of its own."""
    from tomlkit.items import Comment, Null, Table

    if not isinstance(table, Table):
        return []
    body = table.value.body
    stop = next(i for i, (name, _item) in enumerate(body) if name is not None and name.key == key)
    start = stop
    while start and isinstance(body[start - 1][1], Comment):
        start -= 1
    comments = [item for _name, item in body[start:stop]]
    body[start:stop] = [(None, Null())] * (stop - start)
    return comments


def _restore(document: "TOMLDocument", tail: list[Any]) -> None:
    """Put `tail` behind all that is under `tuning` now."""
    if tail:
        tuning: Any = document["tuning"]
        tables = [tuning, *(keys for keys in tuning.values() if isinstance(keys, dict))]
        tables[-1].value.body.extend(tail)
