"""The folders of models on the disk: how much room they take, and how it is given back."""

import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from store.errors import TuteeError
from store.i18n import _


def arrived(directory: Path) -> int:
    """Bytes of all files below `directory`, whole or not; 0 where it is not there."""
    found = 0
    for parent, _folders, names in os.walk(directory):
        for name in names:
            with suppress(OSError):
                found += os.path.getsize(os.path.join(parent, name))
    return found


def remove(folders: Iterable[Path], model: str) -> int:
    """Delete `folders`, and say how many bytes they took.

    Args:
        model: What they hold, as a person calls it.

    Raises:
        TuteeError: the disk refuses.
    """
    folders = tuple(folders)
    size = sum(map(arrived, folders))
    try:
        for folder in folders:
            shutil.rmtree(folder)
    except OSError as error:
        raise TuteeError(
            _("{model} could not be removed: {why}.").format(model=model, why=error)
        ) from error
    return size
