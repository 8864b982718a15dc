"""Earlier states of the files of a home, and recovery from them.

There are two kinds. The state before the last change of a file is the old file itself under another
name, because files are replaced and never changed in place. And at the first opening of each day
all files are backed up: as copies, so that a disk or an editor that corrupts a file cannot corrupt
them too; a file that did not change is stored once for all days.

Which state is newer does not depend on the clock, which may have been wrong: days are numbered as
they are made, and each notes which `previous` states it found, so that a change after it shows.

A file that is damaged or missing is restored to its newest good state; the damaged file is set
aside and never deleted. The user is told (`Backups.notices`).
"""

import json
import os
import shutil
import zlib
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from store.error_messages import reason
from store.errors import TuteeError
from store.i18n import _
from store.local_time import local_minute
from store.storage import Damaged, link_or_copy, private_folder, replace_file, unwritable

DAYS = 7
"""Number of daily backups kept."""

_DAY = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]"

_ORDER = "order.json"
"""In the folder of a day: its number, and a checksum of each `previous` state when it was made."""

_Content = TypeVar("_Content")


class Backups:
    """The earlier states of the files in one folder.

    Args:
        records: The folder of the files.
        folder: Where their earlier states are.
        write: Whether files may be moved; if not, earlier states are only read.
    """

    def __init__(self, records: Path, folder: Path, *, write: bool) -> None:
        self.records = records
        self._folder = folder
        self.write = write
        self.check: Callable[[], None] = lambda: None
        """Called before each change; raises TuteeError if none may be made."""
        self.notices: list[str] = []
        """What the user must be told, one or two sentences each."""

    def previous(self, path: Path) -> Path:
        """Return where the state before the last change of a file is kept."""
        return self._folder / "previous" / path.relative_to(self.records)

    def known(self, folder: Path) -> set[str]:
        """Return the names of files in a folder that exist or, judging by the backups, should."""
        within = folder.relative_to(self.records)
        earlier = (self._folder / "previous", *self._days())
        states = (folder, *(state / within for state in earlier))
        return {path.name for state in states if state.is_dir() for path in state.iterdir()}

    def take(self, today: date) -> None:
        """Back up today's state unless that was done already, and remove the day made first."""
        try:
            self._keep(self._folder / today.isoformat(), numbered=True)
            for old in self._days()[:-DAYS]:
                shutil.rmtree(old)
        except OSError as error:
            why = reason(error) if error.strerror else _("the disk refused")
            self.notices.append(
                _("Today's backup could not be made in {folder}: {why}.").format(
                    folder=self._folder, why=why
                )
            )

    def keep(self, name: str) -> None:
        """Back up the current state under a name, permanently; raise TuteeError if that fails."""
        state = self._folder / name
        try:
            self._keep(state)
        except OSError as error:
            raise unwritable(state, error) from error

    def _keep(self, state: Path, *, numbered: bool = False) -> None:
        """Copy all files to `state` unless it exists; the copy appears whole or not at all."""
        if state.exists():
            return
        unfinished = self._folder / ".state.partial"
        private_folder(self._folder)
        shutil.rmtree(unfinished, ignore_errors=True)
        days = self._days()
        shutil.copytree(
            self.records,
            unfinished,
            copy_function=partial(self._copy_unless_kept, days[-1] if days else None),
            ignore=shutil.ignore_patterns(".*"),
        )
        if numbered:
            self._number(unfinished / _ORDER, max(map(_number, days), default=0) + 1)
        os.replace(unfinished, state)

    def _number(self, path: Path, number: int) -> None:
        previous = self._folder / "previous"
        checksums = {
            state.relative_to(previous).as_posix(): _checksum(state)
            for state in previous.rglob("[!.]*.json")
        }
        with open(path, "w", encoding="utf-8", opener=partial(os.open, mode=0o600)) as file:
            json.dump({"number": number, "previous": checksums}, file)

    def _days(self) -> list[Path]:
        """The days, in the order in which they were made."""
        return sorted(self._folder.glob(_DAY), key=lambda day: (_number(day), day.name))

    def _copy_unless_kept(self, day: Path | None, path: str, target: str) -> None:
        kept = day / Path(path).relative_to(self.records) if day else None
        if kept and kept.exists() and _state(kept) == _state(Path(path)):
            link_or_copy(kept, target)
        else:
            shutil.copy2(path, target)

    def read(
        self,
        path: Path,
        parse: Callable[[Path], _Content],
        empty: bytes = b"{}",
        describe: Callable[[_Content], str] = lambda content: "",
    ) -> _Content | None:
        """Return the content of a file; if it is damaged or missing, that of its newest good state.

        Args:
            parse: Reads it, or raises `Damaged`.
            empty: Replaces a damaged file that has no good earlier state.
            describe: Says in a few words how much an earlier state holds, for the notice.

        Returns:
            The content, or None if no good state is left.
        """
        try:
            if path.exists():
                return parse(path)
            damage = _("{path} is missing").format(path=path)
        except Damaged as error:
            damage = _("{path} is damaged ({why})").format(path=path, why=error.why)
        for earlier in self._earlier(path):
            try:
                content = parse(earlier)
            except TuteeError:
                continue
            written = datetime.fromtimestamp(earlier.stat().st_mtime, UTC)
            moment = local_minute(written)
            notice = _("{damage}; using its state from {moment}.").format(
                damage=damage, moment=moment + describe(content)
            )
            self._recover(path, notice, earlier.read_bytes())
            return content
        notice = _("{damage}, and no earlier state is left.").format(damage=damage)
        self._recover(path, notice, empty)
        return None

    def _earlier(self, path: Path) -> list[Path]:
        """The earlier states of a file that exist, newest first."""
        within = path.relative_to(self.records)
        days = [day for day in reversed(self._days()) if (day / within).exists()]
        previous = self.previous(path)
        if not previous.exists():
            return [day / within for day in days]
        before = [day for day in days if _changed_since(day, within, previous)]
        after = [day for day in days if day not in before]
        return [*(day / within for day in after), previous, *(day / within for day in before)]

    def _recover(self, path: Path, notice: str, content: bytes) -> None:
        if self.write:
            notice += self._set_aside(path)
            try:
                private_folder(path.parent)
            except OSError as error:
                raise unwritable(path, error) from error
            replace_file(path, content)
        self.notices.append(notice)

    def _set_aside(self, path: Path) -> str:
        if not path.exists():
            return ""
        stamp = datetime.now().strftime("%Y%m%dT%H%M%S%f")
        aside = self._folder / "damaged" / f"{path.parent.name}-{path.stem}-{stamp}{path.suffix}"
        try:
            private_folder(aside.parent)
            link_or_copy(path, aside)
        except OSError as error:
            raise unwritable(aside, error) from error
        return _(" The damaged file is kept as {aside}.").format(aside=aside)


def _order(day: Path) -> dict[str, Any]:
    """Read what a day notes; nothing for one of an older Tutee, or if it is damaged."""
    try:
        order = json.loads((day / _ORDER).read_bytes())
        return {"number": int(order["number"]), "previous": dict(order["previous"])}
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return {"number": 0, "previous": {}}


def _number(day: Path) -> int:
    number: int = _order(day)["number"]
    return number


def _changed_since(day: Path, within: Path, previous: Path) -> bool:
    """Whether `previous`, the state before the last change of a file, is newer than a day."""
    order = _order(day)
    if order["number"]:
        return bool(order["previous"].get(within.as_posix()) != _checksum(previous))
    ahead = day.name > date.today().isoformat()
    return ahead or previous.stat().st_mtime >= (day / within).stat().st_mtime


def _checksum(path: Path) -> list[int]:
    content = path.read_bytes()
    return [len(content), zlib.crc32(content)]


def _state(path: Path) -> tuple[int, int]:
    """What distinguishes states of a file without reading them: modification time and size."""
    stat = path.stat()
    return stat.st_mtime_ns, stat.st_size
