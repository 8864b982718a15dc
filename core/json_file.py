"""JSON files that hold one object, as models, adapters and recipes have them beside weights."""

import json
from pathlib import Path
from typing import Any

from store.errors import TuteeError
from store.i18n import _


def read(path: Path) -> dict[str, Any] | None:
    """The object in `path`, or None where there is no such file.

    Raises:
        TuteeError: it cannot be read, or holds something else.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise TuteeError(_("Cannot read {path}: {why}.").format(path=path, why=error)) from error
    if not isinstance(found, dict):
        raise TuteeError(_("Cannot read {path}: it holds no JSON object.").format(path=path))
    return found


def read_or_empty(path: Path) -> dict[str, Any]:
    """The object in `path`; empty where there is none, for those who can do without it."""
    try:
        return read(path) or {}
    except TuteeError:
        return {}
