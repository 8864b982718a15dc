"""The services of the app, put together: the only module where all layers meet."""

from contextlib import ExitStack

from core.config import Config, load
from core.workers.chat import ChatWorker
from core.workers.tuning import TuningWorker
from store.paths import Paths
from store.repository import Repository
from tui.bindings import tables
from tui.bridge import Bridge
from tui.commands.keymap import Keymap
from tui.controllers.conversations import ConversationLibrary
from tui.services import Services


def entered(
    paths: Paths,
    model: str | None,
    resume: str | None,
    held: ExitStack,
    teach: str | None = None,
) -> Services:
    """Open the home and compose the services over it.

    Args:
        model: Overrides the model that the settings name.
        resume: Start of the id of the conversation to resume; "" for the latest one.
        held: Closes the home when the app has ended.
        teach: Begin with the teaching queue of this file or import; "" for all chats.

    Raises:
        TuteeError: the settings are invalid, the home cannot be opened, or there is no such
            conversation.
    """
    config = load(paths.config_file, model)
    Keymap(config.keys, tables)
    repository = held.enter_context(Repository.open(paths))
    services = compose(paths, config, repository)
    services.new = not (model or paths.config_file.exists() or repository.answered())
    services.teach = teach
    if resume is not None:
        chats = ConversationLibrary(repository, paths.exports)
        services.open_chat = chats.find(resume).id if resume else chats.latest()
    return services


def compose(paths: Paths, config: Config, repository: Repository) -> Services:
    """Compose the services with the real workers."""
    bridge = Bridge()
    chat = ChatWorker(bridge.emit, serving=config.serving)
    return Services(
        paths=paths,
        config=config,
        repository=repository,
        bridge=bridge,
        chat=chat,
        tuning=TuningWorker(bridge.emit, chat.scheduler),
        bindings=tables,
    )
