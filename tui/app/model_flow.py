"""The base model in the app: loading it, fetching another one, and what to do without one."""

from dataclasses import dataclass
from typing import Any

from textual.app import App

from core.events import FetchFailed, ModelFetched, ModelLoading, ModelReady
from store.errors import TuteeError
from store.i18n import _
from tui.app.chat_status import ChatStatus
from tui.app.navigation import Navigation
from tui.app.training_flow import TrainingFlow
from tui.controllers.models import ModelChooser
from tui.controllers.tuning import TuningController
from tui.error_toasts import errors_shown, show_error
from tui.services import Services


@dataclass(eq=False)
class ModelFlow:
    app: App[Any]
    services: Services
    choosing: ModelChooser
    tuner: TuningController
    chat: ChatStatus
    navigation: Navigation
    training: TrainingFlow

    def start(self) -> None:
        """Load the model that the settings name."""
        paths = self.services.paths
        self.chat.show_loading(ModelLoading(_("Loading the model")))
        self.services.chat.start(self.services.config.chat.model, paths.cache, paths.models)

    def on_loading(self, event: ModelLoading) -> None:
        """Show how far loading or fetching is."""
        self.choosing.on_loading(event)
        self.chat.show_loading(event, self.choosing.note)
        self.navigation.tell_models(event)

    async def on_fetched(self, event: ModelFetched | FetchFailed) -> None:
        """Change to the model that was fetched; if it failed, raise its TuteeError."""
        self.chat.show_activity()
        self.navigation.tell_models(event)
        if isinstance(event, FetchFailed) and not self.chat.model:
            await self.navigation.open_welcome()
        remark = self.choosing.on_fetched(event)
        title = _("{model} is on this machine.").format(model=event.spec)
        self.app.notify(remark, title=title, markup=False)

    def on_failed(self, error: TuteeError) -> None:
        """Stay with the model in use, or explain why there is none."""
        self.chat.show_activity()
        self.choosing.failed()
        if self.chat.model:
            show_error(self.app, error)
        else:
            from tui.screens.load_failure import LoadFailureScreen

            screen = LoadFailureScreen(error, self.services.paths.log_file)
            self.app.push_screen(screen, lambda _: self.start())

    def on_ready(self, event: ModelReady) -> None:
        """Show the model that replies now."""
        self._close_failure()
        if self.chat.model:
            self.app.notify(_("Now using {model}.").format(model=event.label), markup=False)
        if event.notice:
            self.app.notify(event.notice, severity="warning", timeout=15, markup=False)
        self.chat.model = event.label
        self.choosing.loaded()
        self.navigation.tell_models(event)
        self.tuner.on_model_ready(event.adapter)
        self.chat.taught()
        with errors_shown(self.app):
            self.tuner.interrupted.find()
        self.training.refresh()

    def _close_failure(self) -> None:
        from tui.screens.load_failure import LoadFailureScreen

        if isinstance(self.app.screen, LoadFailureScreen):
            self.app.pop_screen()
