"""Themes, keys, and alerts for a user who looks elsewhere."""

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from textual.app import App

from tui.commands.keymap import Keymap, Tables
from tui.terminal.notifications import notification
from tui.theme import THEMES, theme_for

if TYPE_CHECKING:
    from core.config import Screen, ThemeName


class Appearance:
    """Applies the settings' theme and keys to the app.

    Args:
        app: Gets the themes and the keymap.
        write: Sends an escape sequence to the terminal.
        light: The terminal has a light background.
        few: The terminal has sixteen colors at most.
    """

    def __init__(
        self, app: App[Any], write: Callable[[str], object], *, light: bool, few: bool
    ) -> None:
        self._app = app
        self._write = write
        self._light = light
        self._few = few
        self.keymap = Keymap({})
        self.away = False
        """The terminal has lost the focus, as far as it reports that."""

    def begin(self, theme: object) -> None:
        """Register the themes and show the first one; an unknown name is left to the settings."""
        for known in THEMES:
            self._app.register_theme(known)
        name = self._theme_for(str(theme))
        if name in self._app.available_themes:
            self._app.theme = name

    def try_on(self, name: "ThemeName") -> None:
        """Show a theme without storing it."""
        self._app.theme = self._theme_for(name)

    def _theme_for(self, name: str) -> str:
        return theme_for(name, light=self._light, few=self._few, none=self._app.no_color)

    def use_keys(self, chosen: Mapping[str, str], tables: Callable[[], Tables]) -> None:
        """Use the keys that the settings choose; arguments and errors are those of `Keymap`."""
        self.keymap = Keymap(chosen, tables)
        self._app.set_keymap(self.keymap.overrides())

    def alert(self, message: str, screen: "Screen") -> None:
        """Call the user back, as far as the settings of the screen allow it."""
        if screen.bell:
            self._app.bell()
        if screen.notify and self.away:
            self._write(notification(message, os.environ))
