"""Measure and delete model folders."""

import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from store.errors import TuteeError
from store.i18n import _


def folder_size(directory: Path) -> int:
    """Return the bytes of all files below `directory`, or 0 if it does not exist."""
    found = 0
    for parent, _folders, names in os.walk(directory):
        for name in names:
            with suppress(OSError):
                found += os.path.getsize(os.path.join(parent, name))
    return found


def remove(folders: Iterable[Path], model: str) -> int:
    """Delete `folders` and return the number of bytes freed.

    Args:
        model: Name of their model, for messages.

    Raises:
        TuteeError: a folder could not be deleted.
    """
    folders = tuple(folders)
    size = sum(map(folder_size, folders))
    try:
        for folder in folders:
            shutil.rmtree(folder)
    except OSError as error:
        raise TuteeError(
            _("Could not remove {model}: {why}.").format(model=model, why=error)
        ) from error
    return size
