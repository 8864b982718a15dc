"""Opening the home behind the first frame.

Reading a large home takes seconds, and so do the imports that the first frame can do without. Both
happen in a thread, while what the user types is kept for the chat.
"""

from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

from textual.app import App
from textual.worker import Worker

from store.errors import TuteeError
from tui.background import in_thread

if TYPE_CHECKING:
    from tui.services import Services

_BEHIND = ("tui.app.workspace",)
"""Modules that the app needs as soon as the home is open."""


class Startup:
    """Opens the home once.

    Args:
        app: Runs the work.
        enter: Opens the home and composes the services; called in a thread.
        furnish: Awaited with the services, between two messages of the app.
        refuse: Called with the reason where the home cannot be opened.
    """

    def __init__(
        self,
        app: App[Any],
        enter: "Callable[[], Services]",
        furnish: "Callable[[Services], Awaitable[None]]",
        refuse: Callable[[TuteeError], None],
    ) -> None:
        self._app = app
        self.enter = enter
        self._furnish = furnish
        self._refuse = refuse

    def begin(self) -> None:
        """Open the home in the background."""
        _opening: Worker[None] = self._app.run_worker(self._open_home, group="opening")

    async def _open_home(self) -> None:
        try:
            services = await in_thread(lambda _: self._read())
        except TuteeError as error:
            self._refuse(error)
            return
        # Between two messages, because none may reach the app while it has half a workspace.
        self._app.call_next(self._furnish, services)

    def _read(self) -> "Services":
        services = self.enter()
        for module in _BEHIND:
            import_module(module)  # in this thread, so that the screen does not wait for it
        return services
