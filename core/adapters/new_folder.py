"""Folders that appear whole or not at all: filled under a hidden name, then renamed."""

import os
from pathlib import Path

from store.errors import TuteeError
from store.i18n import _
from store.storage import sync_folder


def unused_folder(directory: Path) -> Path:
    """Return the absolute path of `directory`, which must not exist or must be empty.

    Raises:
        TuteeError: something is there.
    """
    target = directory.expanduser().absolute()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise TuteeError(
            _("{target} already exists.").format(target=target), _("Choose a new folder.")
        )
    return target


def publish(partial: Path, target: Path) -> None:
    """Make everything in `partial` private and durable, and rename it to `target`.

    Raises:
        OSError: the disk refuses, or `target` exists and is not empty.
    """
    for path in partial.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    if target.exists():
        target.rmdir()
    partial.rename(target)
    sync_folder(target.parent)
