"""Measure and delete model folders."""

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from store.errors import TuteeError
from store.i18n import _


def folder_size(directory: Path) -> int:
    """Return the bytes of all files below `directory`, or 0 if it does not exist."""
    return sum(file_sizes(directory))


def file_sizes(directory: Path) -> Iterator[int]:
    """Yield the bytes of each file below `directory`; files that vanish meanwhile are left out."""
    for parent, _folders, names in os.walk(directory):
        for name in names:
            with suppress(OSError):
                yield os.path.getsize(os.path.join(parent, name))


def remove(folders: Iterable[Path], model: str) -> int:
    """Delete `folders` and return the bytes freed; `model` names them in messages.

    Raises:
        TuteeError: a folder could not be deleted.
    """
    folders = tuple(folders)
    size = sum(map(folder_size, folders))
    try:
        for folder in folders:
            shutil.rmtree(folder)
    except OSError as error:
        title = _("Could not remove {model}: {why}.").format(model=model, why=error)
        raise TuteeError(title) from error
    return size
