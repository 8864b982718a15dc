"""JSON files that hold one object, such as the configs beside a model's or adapter's weights."""

import json
from pathlib import Path
from typing import Any

from store.errors import TuteeError
from store.i18n import _


def read(path: Path) -> dict[str, Any] | None:
    """Return the object in `path`, or None if there is no such file.

    Raises:
        TuteeError: it cannot be read, or does not hold an object.
    """
    try:
        if path.exists() and not path.is_file():  # a pipe might be read for ever
            raise OSError(_("it is not a regular file"))
        found = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise TuteeError(_("Cannot read {path}: {why}.").format(path=path, why=error)) from error
    if not isinstance(found, dict):
        raise TuteeError(_("Cannot read {path}: it holds no JSON object.").format(path=path))
    return found


def read_or_empty(path: Path) -> dict[str, Any]:
    """Return the object in `path`, or an empty one if it cannot be read."""
    try:
        return read(path) or {}
    except TuteeError:
        return {}
