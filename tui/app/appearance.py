"""What of the app the settings decide: its colours, its keys, and how it calls a person back.

Settings take effect at once; every other part of the app reads them anew each time.
"""

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any

from textual import events
from textual.app import App
from textual.binding import Binding
from textual.command import CommandPalette

from store.errors import TuteeError
from store.i18n import _
from store.paths import Paths
from tui.commands.keymap import Keymap, Tables, key_name
from tui.error_toasts import errors_shown
from tui.terminal.clipboard import copy_to_desktop
from tui.terminal.notifications import notification
from tui.theme import DARK, THEMES, theme_for

if TYPE_CHECKING:
    from core.config import Config, ThemeName
    from tui.controllers.settings import Settings


class Looks(App[bool]):
    """The part of the app that looks and sounds as it was set.

    Args:
        paths: Where everything is.
        theme: As the settings name it, as far as they are read.
        light: The terminal has a light background.
        few: It has sixteen colours at most.
    """

    _config: "Config"
    """The settings as they are now, once they are read."""

    def __init__(
        self, paths: Paths, theme: object, *, light: bool = False, few: bool = False
    ) -> None:
        super().__init__()
        self.animation_level = "none"
        self._paths = paths
        self._first_theme = theme
        self._light = light
        self._few = few
        self._binding_tables: Callable[[], Tables] = tuple
        self.keymap = Keymap({})
        self._away = False
        """The person looks elsewhere, as far as the terminal says so."""

    def on_load(self) -> None:
        for theme in THEMES:
            self.register_theme(theme)
        name = self._theme_for(str(self._first_theme))
        if name in self.available_themes:
            self.theme = name

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """What a theme of Textual's own, as the one before ours, does not say."""
        return {"quiet": DARK.variables["quiet"]}

    def _theme_for(self, name: str) -> str:
        return theme_for(name, light=self._light, few=self._few, none=self.no_color)

    @cached_property
    def _settings(self) -> "Settings":
        from tui.controllers.settings import Settings

        return Settings(self._paths.config_file, self._configured)

    def _configured(self, config: "Config") -> None:
        """The settings were changed: go on with the new ones."""
        self._config = config
        self.try_on(config.screen.theme)
        self.choose_keys(config.keys)

    def try_on(self, name: "ThemeName") -> None:
        """Show a theme without keeping it."""
        self.theme = self._theme_for(name)

    def action_change_theme(self, name: str = "") -> None:
        """Try themes on and keep one, or take the one that is named."""
        from tui.screens.theme import ThemeScreen
        from tui.views.settings import setting

        themes = setting("screen", "theme").options
        if name and name not in themes:
            raise TuteeError(
                _("There is no theme {name}.").format(name=name),
                _("There are: {names}.").format(names=", ".join(themes)),
            )
        if name:
            self._settings.take(setting("screen", "theme"), name)
            return

        def keep(name: "ThemeName | None") -> None:
            with errors_shown(self):
                if name is None or not self._settings.take(setting("screen", "theme"), name):
                    self.try_on(self._config.screen.theme)

        self.push_screen(ThemeScreen(self._config.screen.theme, self.try_on), keep)

    def forget_guide(self) -> None:
        """The first steps are done or unwanted: never show them again."""
        from core.config_file import change

        with suppress(TuteeError):  # where nothing can be written they only come again
            change(self._paths.config_file, "screen", "guide", False)
        screen = self._config.screen.model_copy(update={"guide": False})
        self._configured(self._config.model_copy(update={"screen": screen}))

    # -- keys and help ---------------------------------------------------------------------------

    def choose_keys(self, chosen: Mapping[str, str]) -> None:
        """Use the keys that the settings choose.

        Raises:
            TuteeError: one of them cannot be used.
        """
        self.keymap = Keymap(chosen, self._binding_tables)
        self.set_keymap(self.keymap.overrides())

    def with_keys(self, text: str) -> str:
        """`text` with every `{key:ID}` replaced by the name of the user's key."""
        return self.keymap.in_text(text)

    def get_key_display(self, binding: Binding) -> str:
        """A key as the footer shows it."""
        return binding.key_display or key_name(binding.key)

    def action_command_palette(self) -> None:
        """Everything by name."""
        if not CommandPalette.is_open(self.app):
            self.push_screen(
                CommandPalette(id="--command-palette", placeholder=_("Search for commands…"))
            )

    def action_help(self) -> None:
        """Say what the screen is for, and which keys work on it."""
        from tui.commands.key_help import help_sections, help_text
        from tui.screens.help import HelpScreen

        sections = help_sections(self.screen, self.keymap.chosen)
        title, text = help_text(self.screen)
        self.push_screen(HelpScreen(title, self.with_keys(text), sections))

    # -- toasts ----------------------------------------------------------------------------------

    def notify(self, message: str, *, title: str = "", **options: Any) -> None:
        """Say something for a while, with the person's own keys."""
        super().notify(self.with_keys(message), title=self.with_keys(title), **options)

    def push_screen(self, *args: Any, **options: Any) -> Any:
        """Open a screen, with nothing over it that was said of the one before.

        Warnings and errors stay until their time is up: they are not said anywhere else.
        """
        for toast in [*self._notifications]:
            if toast.severity == "information":
                self._unnotify(toast, refresh=False)
        return super().push_screen(*args, **options)

    # -- the terminal ----------------------------------------------------------------------------

    def on_app_focus(self, event: events.AppFocus) -> None:
        """Nothing looks different when the terminal has the focus, so nothing is drawn anew."""
        event.prevent_default()
        self._away = False

    def on_app_blur(self, event: events.AppBlur) -> None:
        event.prevent_default()
        self._away = True

    def call_back(self, message: str) -> None:
        """Tell a person who has turned to something else that something has ended."""
        screen = self._config.screen
        if screen.bell:
            self.bell()
        if screen.notify and self._away and self._driver is not None:
            self._driver.write(notification(message, os.environ))

    def copy_to_clipboard(self, text: str) -> None:
        """Copy by every way there is: what is selected anywhere, and paths."""
        super().copy_to_clipboard(text)
        copy_to_desktop(text)
