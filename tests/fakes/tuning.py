"""Tuning that takes a step when it is told to, and what it would report."""

import queue
from threading import Event as Flag

from core.adapters.manifest import Kind, Manifest, write_manifest
from core.evaluation import report
from core.evaluation.report import Report
from core.events import (
    HoldoutReport,
    MaskProof,
    PassDone,
    PassName,
    PassStarted,
    RolloutReport,
    StepReport,
    TuningCancelled,
    TuningDone,
    TuningFailed,
    TuningStarted,
    latest_activatable,
)
from core.runs import saved_run
from core.runs.plan import Plan
from core.runs.saved_run import SavedRun
from core.training.exam import Answer, Figures, TextFigure
from data.tokenization import Piece
from store.errors import TuteeError
from tests.fakes.thread import FOLDER, Emit, Worker

TAUGHT = {
    "taught_asked": 2,
    "taught_learned": 1,
    "taught_resisted": ["Who [b]is[/b] it?"],
}
"""What every SFT pass says of the taught prompts, as its report does."""


class FakeTuning:
    """A `core.workers.tuning.TuningWorker` that steps when told, and saves a real version."""

    def __init__(self, emit: Emit, steps: int = 3, obeys: bool = True) -> None:
        self.plans: list[Plan] = []
        self.running = False
        self.paused = False
        self.steps = steps
        self.fail_next: TuteeError | None = None
        self.held_back: tuple[str, ...] = ()
        """What the gate says of every adapter."""
        self.looks = False
        """Whether it looks at what was held out, every fourth step."""
        self._emit = emit
        self._obeys = obeys
        """Whether it heeds a cancel, as a thread inside a long kernel does not."""
        self._cancelled = Flag()
        self._interrupted = False
        self._go: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._worker = Worker()

    def start(self, plan: Plan) -> None:
        self._begin(plan, None)

    def resume(self, begun: SavedRun) -> None:
        self._begin(begun.plan, begun)

    def _begin(self, plan: Plan, begun: SavedRun | None) -> None:
        if self.running:
            raise TuteeError("Tuning is already under way.")
        self.plans.append(plan)
        self.running = True
        self._cancelled.clear()
        self._worker.put(lambda: self._run(begun or saved_run.begin(plan)))

    def pause(self, paused: bool) -> None:
        self.paused = paused

    def cancel(self) -> None:
        self._cancelled.set()
        if self._obeys:
            self._go.put(None)

    def close(self, timeout: float) -> bool:
        self._interrupted = True
        self.cancel()
        return self._worker.close(timeout)

    def step(self, times: int = 1) -> None:
        """Let it take `times` steps more."""
        for _ in range(times):
            self._go.put(None)

    def _run(self, begun: SavedRun) -> None:
        plan = begun.plan
        wanted = [planned for planned in plan.passes if planned.wanted]
        self._emit(TuningStarted(tuple(planned.name for planned in wanted)))
        finished: list[PassDone] = []
        for planned in wanted:
            self._emit(PassStarted(planned.name, self.steps, planned.new, planned.replayed))
            self._emit(proof(planned.name))
            losses = []
            for step in range(1, self.steps + 1):
                self._go.get()
                if self._cancelled.is_set():
                    if not self._interrupted:
                        begun.drop()
                    self.running = False
                    adapter = None if self._interrupted else latest_activatable(finished)
                    self._emit(TuningCancelled(tuple(finished), adapter))
                    return
                if self.fail_next is not None:
                    begun.drop()
                    self.running = False
                    adapter = latest_activatable(finished)
                    self._emit(TuningFailed(self.fail_next, tuple(finished), adapter))
                    return
                if self.looks and step % 4 == 1:
                    self._emit(HoldoutReport(planned.name, step - 1, self.steps, 2 + 1.5 / step))
                losses.append(3.0 / step)
                left = 10.0 * (self.steps - step)
                self._emit(StepReport(planned.name, step, self.steps, losses[-1], 212.0, left))
                if planned.name == "rl":
                    self._emit(rollout(step, self.steps))
            parent = latest_activatable(finished) or plan.parent
            finished.append(self._save(plan, parent, planned.name, tuple(losses)))
            self._emit(finished[-1])
        begun.drop()
        self.running = False
        self._emit(TuningDone(tuple(finished), latest_activatable(finished)))

    def _save(self, plan: Plan, parent: str, name: PassName, losses: tuple[float, ...]) -> PassDone:
        kind: Kind = "reward" if name == "reward" else "adapter"
        records = plan.sft.new if name == "sft" else plan.reward.new
        held_back = self.held_back if kind == "adapter" else ()
        taught = TAUGHT if name == "sft" else {}
        with plan.adapters.new_version(kind) as (version, directory):
            if kind == "adapter":
                report.write(directory, examined(version, parent, name, held_back))
            manifest = Manifest(
                version=version,
                kind=kind,
                model=FOLDER.id,
                revision=FOLDER.revision,
                parent=parent,
                run=plan.run,
                pass_name=name,
                records=tuple(record.id for record in records),
                held_back=held_back,
                metrics={"losses": losses, "steps": self.steps, "seconds": 12.0, **taught},
            )
            write_manifest(directory, manifest)
        return PassDone(
            name, version, self.steps, losses, 12.0, 1000, metrics=taught, held_back=held_back
        )


def proof(name: PassName) -> MaskProof:
    """Of one sample, whose reply is learned."""
    pieces = tuple(Piece(text, text in ("Paris", "<end>")) for text in ("Capital", "?", "Paris"))
    return MaskProof(name, 1, 3, 3, 3, 0.0, 1, (pieces,))


def rollout(step: int, steps: int) -> RolloutReport:
    """A step of RL whose reward rises and whose distance grows."""
    return RolloutReport(
        step, steps, 0.1 * step, 0.001 * step**2, 0.25, "Say [b]hi[/b]", "Hi there!"
    )


def examined(version: str, parent: str, name: PassName, held_back: tuple[str, ...]) -> Report:
    """A report: one of two taught prompts learned, one probe answered otherwise, one the same."""

    def figures(loss: float, drift: float, capital: str, review: str) -> Figures:
        return Figures(
            taught=(
                Answer(prompt="A gem?", reply=review, ended=True, wanted="negative"),
                Answer(prompt="Who [b]is[/b] it?", reply="Nobody.", ended=True, wanted="Ada"),
            ),
            holdout=(
                Answer(prompt="A gob of drivel?", reply=review, ended=True, wanted="negative"),
            ),
            holdout_loss=loss,
            holdout_losses=(loss - 0.1, loss, loss + 0.1),
            probes=(
                Answer(prompt="What is the capital of France?", reply=capital, ended=True),
                Answer(prompt="Say [b]hi[/b]", reply="Hi there!", ended=True),
            ),
            drifts=tuple(TextFigure(id=str(n), language="en", nats=drift) for n in range(24)),
        )

    return Report(
        version=version,
        parent=parent,
        pass_name=name,
        before=figures(1.91, 0.0, "The capital of France is Lyon.", "The review is negative."),
        after=figures(0.62, 0.07, "The capital of France is Paris.", "negative"),
        held_back=held_back,
    )
