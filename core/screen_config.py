"""What the first frame needs of the settings, before there is time to read and check them all.

`core.config` says what is wrong with them, right after that frame.
"""

import tomllib
from pathlib import Path


def of_the_screen(path: Path) -> dict[str, object]:
    """The table `[screen]` of the settings in `path`, unchecked; empty where it cannot be read."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8")).get("screen")
    except (OSError, ValueError):
        return {}
    return table if isinstance(table, dict) else {}
