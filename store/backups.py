"""Earlier states of the files of a home, and the way back to them.

There are two kinds. The state before the last change of each file is the old file itself, under
another name, because files are replaced and never changed in place. And all files are kept as they
were at the first opening of each of the last days: as copies, so that a disk or an editor that
spoils a file cannot spoil them too, but a file that did not change is one copy in all days.

A file that is damaged or gone is put back in its newest good state; what was damaged is set aside
and never deleted. Whoever opens the home is told (`Backups.notices`).
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
"""As many days are kept."""

_DAY = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]"

_Content = TypeVar("_Content")


class Backups:
    """The earlier states of the files in one folder.

    Args:
        records: The folder of the files.
        folder: Where their earlier states lie.
        write: Whether files may be moved; if not, earlier states are only read.
    """

    def __init__(self, records: Path, folder: Path, *, write: bool) -> None:
        self.records = records
        self._folder = folder
        self.write = write
        self.notices: list[str] = []
        """What the person must be told, one sentence or two each."""

    def previous(self, path: Path) -> Path:
        """Where the state before the last change of a file lies."""
        return self._folder / "previous" / path.relative_to(self.records)

    def known(self, folder: Path) -> set[str]:
        """The names of all files that are, or by their earlier states ought to be, in a folder."""
        states = (folder, *self._earlier(folder))
        return {path.name for state in states if state.is_dir() for path in state.iterdir()}

    def take(self, today: date) -> None:
        """Keep the state of today unless that was done, and let the oldest day go."""
        try:
            self._keep(self._folder / today.isoformat())
            for old in self._days()[:-DAYS]:
                shutil.rmtree(old)
        except OSError as error:
            why = reason(error) if error.strerror else _("the disk refused")
            self.notices.append(
                _("No backup of today could be made in {folder}: {why}.").format(
                    folder=self._folder, why=why
                )
            )

    def keep(self, name: str) -> None:
        """Keep the state of now under a name, for good.

        Raises:
            TuteeError: it cannot be written.
        """
        state = self._folder / name
        try:
            self._keep(state)
        except OSError as error:
            raise unwritable(state, error) from error

    def _keep(self, state: Path) -> None:
        """Copy all files, so that the copy is whole or not there; once."""
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
        told: Callable[[_Content], str] = lambda content: "",
    ) -> _Content | None:
        """What a file holds; where it is damaged or gone, what its newest good state holds.

        Args:
            path: The file.
            parse: Reads it, or raises `Damaged`.
            empty: What is put in the place of a damaged file without a good earlier state.
            told: Says in a few words how much an earlier state holds, for the person.

        Returns:
            The content, or None where no good state is left.
        """
        try:
            if path.exists():
                return parse(path)
            damage = _("{path} is gone").format(path=path)
        except Damaged as error:
            damage = _("{path} is damaged ({why})").format(path=path, why=error.why)
        for earlier in sorted(self._earlier(path), key=_written, reverse=True):
            try:
                content = parse(earlier)
            except TuteeError:
                continue
            moment = datetime.fromtimestamp(_written(earlier)).strftime("%Y-%m-%d %H:%M")
            notice = _("{damage}; its state of {moment} is used.").format(
                damage=damage, moment=moment + told(content)
            )
            self._recover(path, notice, earlier.read_bytes())
            return content
        notice = _("{damage}, and no earlier state of it is left.").format(damage=damage)
        self._recover(path, notice, empty)
        return None

    def _earlier(self, path: Path) -> list[Path]:
        within = path.relative_to(self.records)
        states = [self._folder / "previous", *self._days()]
        return [state / within for state in states if (state / within).exists()]

    def _recover(self, path: Path, notice: str, content: bytes) -> None:
        """Set a damaged file aside, and put `content` in its place."""
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
    """When this state of a file was written; its copies know that too."""
    return path.stat().st_mtime


def _state(path: Path) -> tuple[int, int]:
    """What tells a state of a file from another without reading it."""
    stat = path.stat()
    return stat.st_mtime_ns, stat.st_size
