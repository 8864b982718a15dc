"""A home on disk whose workers are scripted."""

from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from core.adapters.registry import Adapters
from core.config import Config, Screen
from store.paths import locate
from store.repository import Repository
from tests.fakes.chat import FakeChat
from tests.fakes.thread import FOLDER
from tests.fakes.tuning import FakeTuning
from tui.bindings import tables
from tui.bridge import Bridge
from tui.services import Services


@dataclass
class Home:
    """A home on disk with scripted workers: everything an app needs."""

    path: Path
    config: Config = field(default_factory=lambda: Config(screen=Screen(guide=False)))
    """Without the first steps, which most tests do not need."""

    def __post_init__(self) -> None:
        self.paths = locate(self.path)
        self.repository = Repository.open(self.paths)
        # A clock that leaps, so that the bridge holds nothing back and every scripted step arrives.
        self.bridge = Bridge(clock=count().__next__)
        self.adapters = Adapters(self.paths.models, FOLDER)
        self.chat = FakeChat(self.bridge.emit, adapters=self.adapters)
        self.tuning = FakeTuning(self.bridge.emit)

    def close(self) -> None:
        self.repository.close()

    def services(self) -> Services:
        return Services(
            paths=self.paths,
            config=self.config,
            repository=self.repository,
            bridge=self.bridge,
            chat=self.chat,  # type: ignore[arg-type]
            tuning=self.tuning,  # type: ignore[arg-type]
            bindings=tables,
        )
