"""The settings as a person changes them, without any widget: each written at once, and undoable.

The list is read off `core.config`, so a new setting appears here by itself. Left out on purpose:
the model, which is chosen elsewhere, and tables of the person's own making (`keys`, `tasks`), which
are better written in the file.
"""

from collections.abc import Callable
from pathlib import Path

from core import config_file
from core.config import Config, parse, read
from core.config_file import Value
from store.errors import TuteeError
from store.i18n import _
from tui.views.settings import Setting, section, understood


class Settings:
    """One person's settings file.

    Args:
        path: Where it is; it need not be there.
        changed: Called with the settings each time they have been written.
    """

    def __init__(self, path: Path, changed: Callable[[Config], None]) -> None:
        self.path = path
        self._changed = changed
        self._done: list[tuple[str, str]] = []
        """The file before and after each change, the latest last."""

    @property
    def undoable(self) -> bool:
        return bool(self._done)

    def value(self, setting: Setting) -> Value:
        """What the file says, or the default.

        Raises:
            TuteeError: the file cannot be understood.
        """
        config = parse(read(self.path), self.path)
        value: Value = getattr(section(config, setting.section), setting.name)
        return value

    def flaw(self, setting: Setting, text: str) -> str:
        """What is wrong with `text` as a value; empty where nothing is."""
        try:
            value = understood(setting, text)
        except TuteeError as error:
            return error.title
        try:
            parse(config_file.with_value("", setting.section, setting.name, value), self.path)
        except TuteeError:
            return (
                _("{setting} is {bounds}.").format(setting=setting.label, bounds=setting.bounds)
                if setting.bounds
                else _("Not possible.")
            )
        return ""

    def take(self, setting: Setting, text: str) -> bool:
        """Set it to what `text` says; false where it is that already.

        Raises:
            TuteeError: it is no possible value, or the file is damaged or cannot be written.
        """
        flaw = self.flaw(setting, text)
        if flaw:
            raise TuteeError(flaw)
        value = understood(setting, text)
        if value == self.value(setting):
            return False
        before = read(self.path)
        self._write(config_file.with_value(before, setting.section, setting.name, value), before)
        return True

    def reset(self, setting: Setting) -> bool:
        """Give it its default again; false where it has that already.

        Raises:
            TuteeError: the file is damaged or cannot be written.
        """
        before = read(self.path)
        parse(before, self.path)
        after = config_file.without(before, setting.section, setting.name)
        if after == before:
            return False
        self._write(after, before)
        return True

    def undo(self) -> None:
        """Take the latest change back.

        Raises:
            TuteeError: there is none, or the file was changed by somebody else since.
        """
        if not self._done:
            raise TuteeError(_("No setting was changed since Tutee was started."))
        before, after = self._done[-1]
        if read(self.path) != after:
            self._done.clear()
            raise TuteeError(
                _("The settings file was changed elsewhere, so nothing was taken back.")
            )
        self._changed(config_file.save(self.path, before))
        self._done.pop()

    def _write(self, text: str, before: str) -> None:
        config = config_file.save(self.path, text)
        self._done.append((before, text))
        self._changed(config)
