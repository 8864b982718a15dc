"""What connects a run to the program: events, scheduling, cancellation, checkpoints, its stages."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event as Flag

from core.events import Event, Stage, StageReport
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
    stages: dict[Stage, float] = field(default_factory=dict)
    """Seconds that each finished stage of the current pass took, without waits."""
    counts: dict[Stage, int] = field(default_factory=dict)
    """How many questions, replies or steps each stage of the current pass had."""
    _stage: Stage = "prepare"
    _since: float = field(default_factory=time.perf_counter)
    _pass_began: float = field(default_factory=time.perf_counter)

    def cancel(self) -> None:
        """Stop the pass at its next micro-batch, even while it waits for a reply to end."""
        self.cancelled.set()
        self.scheduler.wake()

    def interrupt(self) -> None:
        """Cancel because the program ends, keeping what the run needs to be resumed."""
        self.interrupted = not self.cancelled.is_set()
        self.cancel()

    # -- the stages of a pass --------------------------------------------------------------------

    def begin_pass(self) -> None:
        """Start the clock of a pass, in its first stage."""
        self.stages, self.counts = {}, {}
        self._stage, self._since = "prepare", self._now
        self._pass_began = time.perf_counter()
        self.emit(StageReport("prepare"))

    def enter(self, stage: Stage, total: int = 0) -> None:
        """End the current stage and begin `stage`, which has `total` things to count."""
        now = self._now
        self.stages[self._stage] = self.stages.get(self._stage, 0.0) + now - self._since
        self._stage, self._since = stage, now
        self.counts[stage] = total
        self.emit(StageReport(stage, 0, total))

    @contextmanager
    def inserted(self, stage: Stage, total: int = 0) -> Iterator[None]:
        """Be in `stage` for a while, then in the current one again."""
        current, count = self._stage, self.counts.get(self._stage, 0)
        self.enter(stage, total)
        yield
        self.enter(current, count)

    @property
    def pass_seconds(self) -> float:
        """Seconds by the clock on the wall since the pass began."""
        return time.perf_counter() - self._pass_began

    @property
    def _now(self) -> float:
        return time.perf_counter() - self.scheduler.waited
