"""How much of the disk a folder takes."""

import os
from contextlib import suppress
from pathlib import Path


def arrived(directory: Path) -> int:
    """Bytes of all files below `directory`, whole or not; 0 where it is not there."""
    found = 0
    for parent, _, names in os.walk(directory):
        for name in names:
            with suppress(OSError):
                found += os.path.getsize(os.path.join(parent, name))
    return found
