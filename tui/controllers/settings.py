"""Change settings, without any widget: each change is written at once and can be undone.

The list of settings comes from `core.config`, so a new one appears by itself. Left out on purpose:
the model, which is chosen elsewhere, and free-form tables (`presets`, `keys`, `tasks`), which are
easier to edit in the file.
"""

from collections.abc import Callable
from pathlib import Path

from core import config_file
from core.config import Config, parse, read
from core.config_file import Value
from store.errors import TuteeError
from store.i18n import _
from tui.views.settings import Setting, parse_value, section


class Settings:
    """The settings file, which need not exist; `changed` gets the settings after each write."""

    def __init__(self, path: Path, changed: Callable[[Config], None]) -> None:
        self.path = path
        self._changed = changed
        self._done: list[tuple[str, str]] = []
        """Text of the file before and after each change, latest last."""

    @property
    def undoable(self) -> bool:
        return bool(self._done)

    def value(self, setting: Setting) -> Value:
        """Return the value in the file, or the default.

        Raises:
            TuteeError: the file is invalid.
        """
        config = parse(read(self.path), self.path)
        value: Value = getattr(section(config, setting.section), setting.name)
        return value

    def problem(self, setting: Setting, text: str) -> str:
        """Return the problem with `text` as a value; empty if there is none."""
        try:
            value = parse_value(setting, text)
        except TuteeError as error:
            return error.title
        try:
            parse(config_file.with_value("", setting.section, setting.name, value), self.path)
        except TuteeError:
            if not setting.bounds:
                return _("Not a valid value.")
            wanted = _("{setting} must be {bounds}.")
            return wanted.format(setting=setting.label, bounds=setting.bounds)
        return ""

    def change(self, setting: Setting, text: str) -> bool:
        """Set the value to `text`; return False if it has that value already.

        Raises:
            TuteeError: `text` is not a valid value, or the file is invalid or cannot be written.
        """
        problem = self.problem(setting, text)
        if problem:
            raise TuteeError(problem)
        value = parse_value(setting, text)
        if value == self.value(setting):
            return False
        before = read(self.path)
        self._write(config_file.with_value(before, setting.section, setting.name, value), before)
        return True

    def reset(self, setting: Setting) -> bool:
        """Restore the default; return False if the file does not set the value.

        Raises:
            TuteeError: the file is invalid or cannot be written.
        """
        before = read(self.path)
        parse(before, self.path)
        after = config_file.without(before, setting.section, setting.name)
        if after == before:
            return False
        self._write(after, before)
        return True

    def undo(self) -> None:
        """Undo the latest change.

        Raises:
            TuteeError: there is none, or the file has been changed elsewhere since.
        """
        if not self._done:
            raise TuteeError(_("No setting was changed since Tutee started."))
        before, after = self._done[-1]
        if read(self.path) != after:
            self._done.clear()
            raise TuteeError(_("The settings file was changed elsewhere, so nothing was undone."))
        self._changed(config_file.save(self.path, before))
        self._done.pop()

    def _write(self, text: str, before: str) -> None:
        config = config_file.save(self.path, text)
        self._done.append((before, text))
        self._changed(config)
