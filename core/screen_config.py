"""The settings that the first frame needs, before there is time to load pydantic.

`core.config` validates all settings right after that frame.
"""

import tomllib
from pathlib import Path


def screen_table(path: Path) -> dict[str, object]:
    """Return the table `[screen]` of the settings in `path`, unchecked; {} if it cannot be read."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8")).get("screen")
    except (OSError, ValueError):
        return {}
    return table if isinstance(table, dict) else {}
