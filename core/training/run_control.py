"""How a run is steered from outside."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event as Flag

from core.events import Event
from core.runtime.scheduler import Scheduler


@dataclass
class RunControl:
    """How a pass reports and how it is stopped."""

    emit: Callable[[Event], None] = lambda event: None
    scheduler: Scheduler = field(default_factory=Scheduler)
    cancelled: Flag = field(default_factory=Flag)
    interrupted: bool = False
    """It was not the person who cancelled: the run is to be resumed."""
    checkpoints: Path | None = None
    """Where the pass under way keeps its checkpoints; nowhere if empty."""

    def cancel(self) -> None:
        """Stop the pass at its next micro-batch, also while it waits for a reply to end."""
        self.cancelled.set()
        self.scheduler.wake()

    def interrupt(self) -> None:
        """As `cancel`, but what the run needs to be resumed stays: the program ends."""
        self.interrupted = not self.cancelled.is_set()
        self.cancel()
