"""What the app depends on: built by `tui.composition`, or by a test from scripted fakes."""

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
    """The services behind the screens. The workers must emit into `bridge`."""

    paths: "Paths"
    config: "Config"
    """The current settings, with `chat.model` from the command line if one was given there. They
    change while the app runs, so read them here each time."""
    repository: "Repository"
    bridge: "Bridge"
    chat: "ChatWorker"
    tuning: "TuningWorker"
    bindings: "Callable[[], Sequence[Sequence[Binding]]]" = tuple
    """Returns every key binding of the app; called only where keys were chosen."""
    new: bool = False
    """The user has never chosen a model, and no model has ever replied."""
    open_chat: str | None = None
    """Id of the conversation to resume; None begins a new one."""
    teach: str | None = None
    """Begin with the teaching queue of this file or import; "" for all chats."""

    def configure(self, config: "Config") -> None:
        """Use other settings, but keep the current model."""
        chat = config.chat.model_copy(update={"model": self.config.chat.model})
        self.config = config.model_copy(update={"chat": chat})


def random_seed() -> int:
    """Return a new seed. It is stored with the reply, which can be reproduced with it."""
    return random.randrange(2**31)
