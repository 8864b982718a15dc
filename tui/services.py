"""Everything the app is given: made once by the command line, or from scripted twins by a test."""

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from textual.binding import Binding

    from core.config import Config
    from core.workers.chat import ChatWorker
    from core.workers.tuning import TuningWorker
    from store.paths import Paths
    from store.repository import Repository
    from tui.bridge import Bridge


@dataclass
class Services:
    """The parts behind the screens. The workers must emit into `bridge`."""

    paths: "Paths"
    config: "Config"
    """As it is now, with `chat.model` as the person asked for it on the command line, if they did.
    Whoever needs it reads it here each time; it changes while the app runs."""
    repository: "Repository"
    bridge: "Bridge"
    chat: "ChatWorker"
    tuning: "TuningWorker"
    bindings: "Callable[[], Sequence[Sequence[Binding]]]" = tuple
    """Every key binding of the app, asked for only where keys were chosen."""
    new: bool = False
    """The person has never chosen a model, and none ever answered."""
    open_chat: str | None = None
    """Id of the chat to go on with; a new one is begun otherwise."""

    def configure(self, config: "Config") -> None:
        """Go on with other settings, but with the model that is there."""
        chat = config.chat.model_copy(update={"model": self.config.chat.model})
        self.config = config.model_copy(update={"chat": chat})


def random_seed() -> int:
    """Any seed; it is kept with the reply, which can be drawn again with it."""
    return random.randrange(2**31)
