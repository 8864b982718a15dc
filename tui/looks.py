"""What of the app the settings decide: its colours, its keys, and how it calls a person back.

Settings take effect at once; every other part of the app reads them anew each time.
"""

import os
from contextlib import suppress

from textual import events
from textual.app import App
from textual.binding import Binding

from core import settings as settings_file
from core.config import Config, ThemeName
from store.errors import TuteeError
from tui.attention import notification
from tui.clipboard import copy_to_desktop
from tui.guard import errors_shown
from tui.helping import help_sections, help_text
from tui.keys import key_name, keymap
from tui.screens.help import HelpScreen
from tui.services import Services
from tui.settings import Settings, setting
from tui.theme import THEMES, theme_for


class Looks(App[bool]):
    """The part of the app that looks and sounds as it was set.

    Args:
        services: The parts behind the screens.
        light: The terminal has a light background.
    """

    def __init__(self, services: Services, *, light: bool = False) -> None:
        super().__init__()
        self.animation_level = "none"
        self._services = services
        self._settings = Settings(services.paths.config_file, self._configured)
        self._light = light
        self._away = False
        """The person looks elsewhere, as far as the terminal says so."""

    def on_load(self) -> None:
        for theme in THEMES:
            self.register_theme(theme)
        self._dress()

    def _configured(self, config: Config) -> None:
        """The settings were changed: go on with the new ones."""
        self._services.configure(config)
        self._dress()

    def _dress(self) -> None:
        self.try_on(self._services.config.screen.theme)
        self.set_keymap(keymap(self._services.config.keys))

    def try_on(self, name: ThemeName) -> None:
        """Show a theme without keeping it."""
        self.theme = theme_for(name, light=self._light)

    def action_change_theme(self) -> None:
        """Try themes on, and keep one."""
        from tui.screens.theme import ThemeScreen

        def keep(name: ThemeName | None) -> None:
            with errors_shown(self):
                if name is None or not self._settings.take(setting("screen", "theme"), name):
                    self.try_on(self._services.config.screen.theme)

        self.push_screen(ThemeScreen(self._services.config.screen.theme, self.try_on), keep)

    def forget_guide(self) -> None:
        """The first steps are done or unwanted: never show them again."""
        config = self._services.config
        with suppress(TuteeError):  # where nothing can be written they only come again
            settings_file.change(self._services.paths.config_file, "screen", "guide", False)
        screen = config.screen.model_copy(update={"guide": False})
        self._configured(config.model_copy(update={"screen": screen}))

    # -- keys and help ---------------------------------------------------------------------------

    def get_key_display(self, binding: Binding) -> str:
        """A key as the footer shows it."""
        return binding.key_display or key_name(binding.key)

    def action_help(self) -> None:
        """Say what the screen is for, and which keys work on it."""
        sections = help_sections(self.screen, self._services.config.keys)
        self.push_screen(HelpScreen(*help_text(self.screen), sections))

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
        screen = self._services.config.screen
        if screen.bell:
            self.bell()
        if screen.notify and self._away and self._driver is not None:
            self._driver.write(notification(message, os.environ))

    def copy_to_clipboard(self, text: str) -> None:
        """Copy by every way there is: what is selected anywhere, and paths."""
        super().copy_to_clipboard(text)
        copy_to_desktop(text)
