"""The app before its home is open: the frame is painted first, the rest is read behind it.

Reading a large home takes seconds, and so do the imports that the first frame can do without. Both
go on in a thread, while what the person writes is kept for the chat.
"""

import os
import sys
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

from textual.driver import Driver
from textual.screen import Screen
from textual.worker import Worker

from store.errors import TuteeError
from store.paths import Paths
from tui.app.navigation import Doors
from tui.background import in_thread
from tui.log import log_to
from tui.screens.opening import OpeningScreen
from tui.terminal.signals import watch

if TYPE_CHECKING:
    from tui.services import Services

_BEHIND = (
    "tui.controllers.models",
    "tui.controllers.records",
    "tui.screens.chat",
    "tui.controllers.chat_session",
    "tui.controllers.tuning",
    "tui.widgets.activity",
)
"""Modules that the app needs as soon as the home is open."""
_KEYBOARD = 0
"""The file descriptor that keys are read from."""
_MEANWHILE = frozenset({"quit", "help_quit"})
"""What can be done while the home is being opened."""


class Startup(Doors):
    """The part of the app that is there from the first frame on.

    Args:
        paths: Where everything is.
        theme: As the settings name it.
        enter: Opens the home and composes what lies behind the screens; called in a thread, once.
        light: The terminal has a light background.
        few: It has sixteen colours at most.
    """

    def __init__(
        self,
        paths: Paths,
        theme: object,
        enter: "Callable[[], Services]",
        *,
        light: bool = False,
        few: bool = False,
    ) -> None:
        super().__init__(paths, theme, light=light, few=few)
        self._enter = enter
        self.open = False
        """The home is open, and the chat is on the screen."""
        self.refused: TuteeError | None = None
        """Why the home could not be opened; the app has ended then."""

    def get_default_screen(self) -> Screen[None]:
        return OpeningScreen()

    def on_load(self) -> None:
        self._log_handler = log_to(self._paths.log_file)
        super().on_load()

    def on_mount(self) -> None:
        self.call_after_refresh(self._begin)
        if not self.is_headless:
            watch(lambda: self.call_later(self._cut_off), lambda: self.call_later(self._go_on))

    def get_driver_class(self) -> type[Driver]:
        usual = super().get_driver_class()
        if sys.platform == "win32":
            return usual
        from tui.terminal.driver import LinuxDriver, TerminalDriver

        return TerminalDriver if usual is LinuxDriver else usual

    async def _cut_off(self) -> None:
        """End from outside: nothing more is read, of which a terminal that is gone has no end."""
        if self._driver is not None:
            self._driver.disable_input()
        await self.leave()

    def _go_on(self) -> None:
        """Take the terminal again after the process was stopped, by whomever, and paint all of it.

        The shell has changed the terminal meanwhile, even where the app could not give it back.
        """
        if self._driver is not None and self.is_running and os.isatty(_KEYBOARD):
            self._driver.suspend_application_mode()
            self._driver.resume_application_mode()
            self.refresh(layout=True)

    def _begin(self) -> None:
        _opening: Worker[None] = self.run_worker(self._open_home, group="opening")

    async def _open_home(self) -> None:
        try:
            services = await in_thread(lambda _: self._read())
        except TuteeError as error:
            self.refused = error
            self.exit(True)
            return
        self.call_next(self._go_in, services)  # no message may meet the app between two screens

    async def _go_in(self, services: "Services") -> None:
        await self.furnish(services)
        self.open = True

    def _read(self) -> "Services":
        services = self._enter()
        for module in _BEHIND:
            import_module(module)  # here, so that the screen need not wait for it
        return services

    async def leave(self) -> None:
        """End without a question; nobody may be there to answer it."""
        self.exit(False)  # the thread that reads is left behind

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Grey out what needs the home until it is open."""
        return (self.open or action in _MEANWHILE) or None
