"""Everything the app works with once its home is open.

Imported behind the first frame, so its imports stand at the top.
"""

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from textual.app import App

from tui.app.appearance import Appearance
from tui.app.chat_status import ChatStatus
from tui.app.endpoint_flow import EndpointFlow
from tui.app.model_flow import ModelFlow
from tui.app.navigation import Navigation
from tui.app.training_flow import TrainingFlow
from tui.controllers.chat_session import ChatSession
from tui.controllers.models import ModelChooser
from tui.controllers.records import RecordLibrary
from tui.controllers.settings import Settings
from tui.controllers.tuning import TuningController
from tui.error_toasts import errors_shown
from tui.screens.chat import ChatScreen
from tui.services import Services

if TYPE_CHECKING:
    from core.config import Config

CHAT_CLOSE_SECONDS = 2.0
TUNING_CLOSE_SECONDS = 4.0


@dataclass(frozen=True)
class Workspace:
    """The parts of an open home: what lies behind the screens, and what moves them."""

    app: App[Any]
    services: Services
    session: ChatSession
    tuner: TuningController
    chat: ChatStatus
    navigation: Navigation
    training: TrainingFlow
    models: ModelFlow
    endpoint: EndpointFlow

    async def close(self) -> bool:
        """Store the reply under way, stop the workers within seconds, and return if all did."""
        with errors_shown(self.app):
            self.session.close()
        # In threads, so that the screen stays alive; all wait a bounded time.
        ended = await asyncio.gather(
            asyncio.to_thread(self.endpoint.close),
            asyncio.to_thread(self.services.chat.close, CHAT_CLOSE_SECONDS),
            asyncio.to_thread(self.services.tuning.close, TUNING_CLOSE_SECONDS),
        )
        return all(ended)


def assembled(app: App[Any], appearance: Appearance, services: Services) -> Workspace:
    """Build the parts of the app; raise TuteeError if the chat to resume cannot be opened."""
    session = ChatSession(services.repository, services.chat, lambda: services.config)
    tuner, choosing = TuningController(services), ModelChooser(services)
    if services.open_chat:
        session.conversation.open(services.open_chat)

    def configure(config: "Config") -> None:
        services.configure(config)
        appearance.try_on(services.config.screen.theme)
        appearance.use_keys(services.config.keys, services.bindings)

    settings = Settings(services.paths.config_file, configure)
    screen = ChatScreen(session, services)
    chat = ChatStatus(app, services, session, tuner, appearance, configure, screen)
    navigation = Navigation(
        app, services, RecordLibrary(services), choosing, settings, appearance, session, chat
    )
    training = TrainingFlow(app, services, session, tuner, appearance, chat)
    models = ModelFlow(app, services, choosing, tuner, chat, navigation, training)
    endpoint = EndpointFlow(app, services, chat)
    return Workspace(app, services, session, tuner, chat, navigation, training, models, endpoint)
