"""What connects a run to the program: events, scheduling, cancellation, checkpoints."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event as Flag

from core.events import Event
from core.runtime.scheduler import Scheduler


@dataclass
class RunControl:
    emit: Callable[[Event], None] = lambda event: None
    scheduler: Scheduler = field(default_factory=Scheduler)
    cancelled: Flag = field(default_factory=Flag)
    interrupted: bool = False
    """The program ended, not the user's cancel: the run can be resumed."""
    checkpoints: Path | None = None
    """Folder of the current pass's checkpoints; None for no checkpoints."""

    def cancel(self) -> None:
        """Stop the pass at its next micro-batch, even while it waits for a reply to end."""
        self.cancelled.set()
        self.scheduler.wake()

    def interrupt(self) -> None:
        """Cancel because the program ends, keeping what the run needs to be resumed."""
        self.interrupted = not self.cancelled.is_set()
        self.cancel()
