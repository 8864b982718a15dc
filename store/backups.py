"""Earlier states of the files of a home, and recovery from them.

There are two kinds. The state before the last change of a file is the old file itself under another
name, because files are replaced and never changed in place. And at the first opening of each day
all files are backed up: as copies, so that a disk or an editor that corrupts a file cannot corrupt
them too; a file that did not change is stored once for all days.

A file that is damaged or missing is restored to its newest good state; the damaged file is set
aside and never deleted. The user is told (`Backups.notices`).
"""

import os
import shutil
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import TypeVar

from store.error_messages import reason
from store.errors import TuteeError
from store.i18n import _
from store.storage import Damaged, link_or_copy, private_folder, replace_file, unwritable

DAYS = 7
"""Number of daily backups kept."""

_DAY = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]"

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
        self.notices: list[str] = []
        """What the user must be told, one or two sentences each."""

    def previous(self, path: Path) -> Path:
        """Return where the state before the last change of a file is kept."""
        return self._folder / "previous" / path.relative_to(self.records)

    def known(self, folder: Path) -> set[str]:
        """Return the names of files in a folder that exist or, judging by the backups, should."""
        states = (folder, *self._earlier(folder))
        return {path.name for state in states if state.is_dir() for path in state.iterdir()}

    def take(self, today: date) -> None:
        """Back up today's state unless that was done already, and remove the oldest day."""
        try:
            self._keep(self._folder / today.isoformat())
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

    def _keep(self, state: Path) -> None:
        """Copy all files to `state` unless it exists; the copy appears whole or not at all."""
        if state.exists():
            return
        partial = self._folder / ".state.partial"
        private_folder(self._folder)
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(
            self.records,
            partial,
            copy_function=self._copy_unless_kept,
            ignore=shutil.ignore_patterns(".*"),
        )
        os.replace(partial, state)

    def _days(self) -> list[Path]:
        return sorted(self._folder.glob(_DAY))

    def _copy_unless_kept(self, path: str, target: str) -> None:
        for day in self._days()[-1:]:
            kept = day / Path(path).relative_to(self.records)
            if kept.exists() and _state(kept) == _state(Path(path)):
                link_or_copy(kept, target)
                return
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
        for earlier in sorted(self._earlier(path), key=_written, reverse=True):
            try:
                content = parse(earlier)
            except TuteeError:
                continue
            moment = datetime.fromtimestamp(_written(earlier)).strftime("%Y-%m-%d %H:%M")
            notice = _("{damage}; using its state from {moment}.").format(
                damage=damage, moment=moment + describe(content)
            )
            self._recover(path, notice, earlier.read_bytes())
            return content
        notice = _("{damage}, and no earlier state is left.").format(damage=damage)
        self._recover(path, notice, empty)
        return None

    def _earlier(self, path: Path) -> list[Path]:
        within = path.relative_to(self.records)
        states = [self._folder / "previous", *self._days()]
        return [state / within for state in states if (state / within).exists()]

    def _recover(self, path: Path, notice: str, content: bytes) -> None:
        if self.write:
            notice += self._set_aside(path)
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


def _written(path: Path) -> float:
    """When this state of a file was written; copies keep that time."""
    return path.stat().st_mtime


def _state(path: Path) -> tuple[int, int]:
    """What distinguishes states of a file without reading them: modification time and size."""
    stat = path.stat()
    return stat.st_mtime_ns, stat.st_size
