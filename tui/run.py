"""Compose the app from its parts and run it: the only place where all layers meet."""

import os
import sys

from core import planning
from core.config import Config
from core.events import PassName
from core.tuning_worker import TuningWorker
from core.workers import ChatWorker
from store.errors import TuteeError
from store.paths import Paths
from store.repository import Repository
from tui.app import TuteeApp
from tui.bridge import Bridge
from tui.chats import Chats
from tui.keys import keymap
from tui.services import Services
from tui.terminal import has_light_background


def run_app(
    paths: Paths, config: Config, resume: str | None = None, *, chosen: bool = False
) -> None:
    """Run the app until the person quits, and shut the store after it.

    Args:
        paths: Where everything is.
        config: The settings.
        resume: The beginning of the id of a chat to go on with; empty for the latest one.
        chosen: The model was named on the command line.

    Raises:
        TuteeError: there is no such chat, or the app cannot be started.
    """
    keymap(config.keys)  # a bad one ends here, where it can be said
    with Repository.open(paths) as repository:
        services = compose(paths, config, repository)
        known = chosen or paths.config_file.exists() or repository.conversations()
        services.new = not known
        chat = None if resume is None else _chat_to_resume(services, resume)
        app = TuteeApp(services, light=has_light_background(), open_chat=chat)
        threads_ended = app.run()
    if threads_ended:
        return
    # A thread deep inside a kernel cannot be stopped, and the interpreter's own way out can crash
    # under it. Everything is on disk by now. Without an answer a defect ended the app.
    sys.stdout.flush()
    os._exit(1 if threads_ended is None else 0)


def _chat_to_resume(services: Services, begun: str) -> str:
    chats = Chats(services.repository, services.paths.exports)
    return chats.find(begun).id if begun else chats.latest()


def compose(paths: Paths, config: Config, repository: Repository) -> Services:
    """The real parts behind the screens."""
    bridge = Bridge()
    chat = ChatWorker(bridge.emit, serving=config.serving)

    def make_plan(passes: frozenset[PassName] | None, rebuild: bool) -> planning.Plan:
        if chat.adapters is None:
            raise TuteeError("The model is still loading.", "Tuning can begin once it is ready.")
        records, settings = repository.trainable(), services.config
        return planning.make_plan(records, chat.adapters, settings, passes, rebuild=rebuild)

    services = Services(
        paths=paths,
        config=config,
        repository=repository,
        bridge=bridge,
        chat=chat,
        tuning=TuningWorker(bridge.emit, chat.turns),
        make_plan=make_plan,
    )
    return services
