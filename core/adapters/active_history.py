"""Which versions were active, in order: the last one is, and `rollback` returns to the others."""

import json
from collections.abc import Callable
from itertools import groupby
from pathlib import Path

from pydantic import BaseModel, ValidationError

from core.adapters.manifest import BASE
from store.errors import TuteeError
from store.i18n import _
from store.storage import replace_file


class _History(BaseModel):
    history: list[str]


class ActiveHistory:
    """The activated versions of one base model, oldest first.

    Args:
        file: Need not exist yet.
        exists: Whether a version is still on the disk.
    """

    def __init__(self, file: Path, exists: Callable[[str], bool]) -> None:
        self._file = file
        self._exists = exists

    def read(self) -> list[str]:
        """Return the activated versions, at least one; the last is active.

        Raises:
            TuteeError: the file cannot be read.
        """
        try:
            history = _History.model_validate_json(self._file.read_bytes()).history
        except FileNotFoundError:
            return [BASE]
        except (OSError, ValidationError) as error:
            raise TuteeError(
                _("{path} cannot be read, so the active adapter is unknown.").format(
                    path=self._file
                ),
                _("Delete that file to start from the base; the versions themselves are kept."),
            ) from error
        # Without deleted versions, the same version may stand on both sides of the gap.
        existing = [v for v in history if v == BASE or self._exists(v)]
        return [version for version, _ in groupby(existing)] or [BASE]

    def write(self, history: list[str]) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        replace_file(self._file, json.dumps({"history": history}).encode())
