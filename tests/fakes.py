"""Scripted twins of the workers: the same calls and events, from a real thread, without a model.

What a twin does by itself or only when told is chosen by the test, so nothing depends on how fast a
thread runs. They save real (empty) adapter versions, so versions, plans and counts are real.
"""

import queue
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from threading import Event as Flag
from threading import Thread

from core import report, runs
from core.adapters import Adapters, Kind, Manifest, write_manifest
from core.config import Config, Screen, Serving
from core.evaluate import Answer, Figures
from core.events import (
    AdapterSwapped,
    Candidate,
    CandidatesRanked,
    Event,
    HoldoutReport,
    MaskProof,
    ModelFailed,
    ModelLoading,
    ModelReady,
    PassDone,
    PassName,
    PassStarted,
    ReplyDone,
    ReplyFailed,
    ReplyScored,
    RolloutReport,
    StepReport,
    SwapFailed,
    TokenChunk,
    TuningCancelled,
    TuningDone,
    TuningFailed,
    TuningStarted,
)
from core.models import ModelFolder
from core.planning import Plan, make_plan
from core.report import Report
from core.runs import Run
from data.masks import Piece
from store.errors import TuteeError
from store.paths import locate
from store.records import Sampling, Turn
from store.repository import Repository
from tui.bridge import Bridge
from tui.services import Services

FOLDER = ModelFolder(path=Path("/nowhere"), id="fake-1", label="Fake-1", revision="r0")

Emit = Callable[[Event], None]


class _Thread:
    """Does jobs one after another in a thread of its own."""

    def __init__(self) -> None:
        self.jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self.thread = Thread(target=self._work, daemon=True)

    def put(self, job: Callable[[], None]) -> None:
        if not self.thread.is_alive():
            self.thread.start()
        self.jobs.put(job)

    def close(self, timeout: float) -> bool:
        self.jobs.put(None)
        if self.thread.is_alive():
            self.thread.join(timeout)
        return not self.thread.is_alive()

    def _work(self) -> None:
        while (job := self.jobs.get()) is not None:
            job()


class FakeChat:
    """A `core.workers.ChatWorker` whose replies are written beforehand.

    Args:
        emit: Where events go.
        replies: What it says, in order; the last one again and again.
        loads_by_itself: Ready at once; else when `finish_loading` is called.
        writes_by_itself: Whole replies at once; else a piece for each `write` until `finish`.
    """

    def __init__(
        self,
        emit: Emit,
        replies: Iterable[str] = ("Paris.",),
        *,
        loads_by_itself: bool = True,
        writes_by_itself: bool = True,
        load_errors: Iterable[TuteeError] = (),
        adapters: Adapters | None = None,
    ) -> None:
        self.adapters: Adapters | None = None
        self.prompts: list[tuple[Turn, ...]] = []
        self.compared: list[tuple[str, tuple[Turn, ...]]] = []
        """What each version was asked beside the chat."""
        self.answers_stopped = 0
        self.candidates: tuple[str, ...] = ()
        """What it draws, the best first."""
        self.drawn: list[tuple[tuple[Turn, ...], str]] = []
        """What it was asked to draw for, and by which reward model to rank."""
        self.scored: list[tuple[tuple[Turn, ...], str, str]] = []
        """What it was asked to score, and by which reward model."""
        self.started = 0
        self.specs: list[str] = []
        """Models it was started with."""
        self.served: list[Serving] = []
        """How it was told to keep the model."""
        self.fail_next: TuteeError | None = None
        self.fail_swap: TuteeError | None = None
        self.closed = False
        self._emit = emit
        self._replies = list(replies)
        self._load_errors = list(load_errors)
        self._found = adapters
        self._adapter = "base"
        self._stop = Flag()
        self._load = Flag()
        self._pieces: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._writes_by_itself = writes_by_itself
        if loads_by_itself:
            self._load.set()
        self._worker = _Thread()

    # -- what the app calls ----------------------------------------------------------------------

    def start(self, spec: str, cache: Path, models_dir: Path, adapter: str | None = None) -> None:
        self.started += 1
        self.specs.append(spec)
        self._worker.put(self._do_load)

    def serve_as(self, serving: Serving) -> None:
        self.served.append(serving)

    def fail_loading(self, error: TuteeError) -> None:
        """The next model that is asked for cannot be loaded."""
        self._load_errors.append(error)

    def reply(
        self, request_id: str, turns: tuple[Turn, ...], sampling: Sampling, seed: int
    ) -> None:
        self._stop.clear()
        self._worker.put(lambda: self._do_reply(request_id, turns, seed))

    def stop_reply(self) -> None:
        self._stop.set()
        self._pieces.put(None)

    def answer(
        self,
        request_id: str,
        version: str,
        turns: tuple[Turn, ...],
        sampling: Sampling,
        seed: int,
    ) -> None:
        self.compared.append((version, turns))
        self._stop.clear()
        self._worker.put(lambda: self._do_reply(request_id, turns, seed, version))

    def draw(
        self,
        request_id: str,
        turns: tuple[Turn, ...],
        given: str,
        reward_model: Path,
        sampling: Sampling,
        seed: int,
        count: int,
    ) -> None:
        self.drawn.append((turns, reward_model.name))

        def rank() -> None:
            if self.fail_next is not None:
                error, self.fail_next = self.fail_next, None
                self._emit(ReplyFailed(request_id, error))
                return
            texts = dict.fromkeys((*self.candidates, given))
            ranked = tuple(Candidate(text, 1.5 - place) for place, text in enumerate(texts))
            self._emit(CandidatesRanked(request_id, ranked, self._adapter, sampling, seed))

        self._worker.put(rank)

    def score(
        self, message_id: str, turns: tuple[Turn, ...], reply: str, reward_model: Path
    ) -> None:
        self.scored.append((turns, reply, reward_model.name))
        self._worker.put(lambda: self._emit(ReplyScored(message_id, 1.75)))

    def stop_answers(self) -> None:
        self.answers_stopped += 1

    def swap(self, version: str) -> None:
        self._worker.put(lambda: self._do_swap(version))

    def close(self, timeout: float) -> bool:
        self.closed = True
        self._load.set()
        self.stop_reply()
        return self._worker.close(timeout)

    # -- what a test calls -----------------------------------------------------------------------

    @property
    def answering(self) -> str:
        """The version that answers."""
        return self._adapter

    def emit(self, event: Event) -> None:
        self._worker.put(lambda: self._emit(event))

    def finish_loading(self) -> None:
        self._load.set()

    def write(self, piece: str) -> None:
        """Let the reply under way go on with `piece`."""
        self._pieces.put(piece)

    def finish(self) -> None:
        """Let the reply under way end by itself."""
        self._pieces.put(None)

    # -- in its thread ---------------------------------------------------------------------------

    def _do_load(self) -> None:
        self._emit(ModelLoading("Loading the model"))
        self._load.wait()
        if self._load_errors:
            self._emit(ModelFailed(self._load_errors.pop(0)))
            return
        self.adapters = self._found
        if self.adapters is not None:
            self._adapter = self.adapters.active()
        self._emit(ModelReady(FOLDER.id, FOLDER.revision, FOLDER.label, self._adapter, 1.0))

    def _do_reply(
        self, request_id: str, turns: tuple[Turn, ...], seed: int, version: str = ""
    ) -> None:
        self.prompts.append(turns)
        text = ""
        for piece in self._script():
            text += piece
            self._emit(TokenChunk(request_id, piece))
        if self.fail_next is not None:
            error, self.fail_next = self.fail_next, None
            self._emit(ReplyFailed(request_id, error))
            return
        self._emit(
            ReplyDone(
                request_id=request_id,
                text=text,
                stopped=self._stop.is_set(),
                truncated=False,
                tokens=83,
                seconds=2.0,
                adapter=version or self._adapter,
                seed=seed,
            )
        )

    def _script(self) -> Iterable[str]:
        if self._writes_by_itself:
            reply = self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]
            yield from (reply[i : i + 7] for i in range(0, len(reply), 7))
            return
        while (piece := self._pieces.get()) is not None and not self._stop.is_set():
            yield piece

    def _do_swap(self, version: str) -> None:
        if self.fail_swap is not None:
            self._emit(SwapFailed(version, self.fail_swap))
            return
        self._adapter = version
        self._emit(AdapterSwapped(version, 0.1))


class FakeTuning:
    """A `core.tuning_worker.TuningWorker` that steps when told, and saves a real version."""

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
        self._worker = _Thread()

    def start(self, plan: Plan) -> None:
        self._begin(plan, None)

    def resume(self, begun: Run) -> None:
        self._begin(begun.plan, begun)

    def _begin(self, plan: Plan, begun: Run | None) -> None:
        if self.running:
            raise TuteeError("Tuning is already under way.")
        self.plans.append(plan)
        self.running = True
        self._cancelled.clear()
        self._worker.put(lambda: self._run(plan, begun or runs.begin(plan)))

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

    def _run(self, plan: Plan, begun: Run) -> None:
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
                    self._emit(TuningCancelled(tuple(finished)))
                    return
                if self.fail_next is not None:
                    begun.drop()
                    self.running = False
                    self._emit(TuningFailed(self.fail_next, tuple(finished)))
                    return
                if self.looks and step % 4 == 1:
                    self._emit(HoldoutReport(planned.name, step - 1, self.steps, 2 + 1.5 / step))
                losses.append(3.0 / step)
                left = 10.0 * (self.steps - step)
                self._emit(StepReport(planned.name, step, self.steps, losses[-1], 212.0, left))
                if planned.name == "rl":
                    self._emit(rollout(step, self.steps))
            parent = next((d.version for d in reversed(finished) if d.adoptable), plan.parent)
            finished.append(self._save(plan, parent, planned.name, tuple(losses)))
            self._emit(finished[-1])
        adapter = next((done.version for done in reversed(finished) if done.adoptable), None)
        begun.drop()
        self.running = False
        self._emit(TuningDone(tuple(finished), adapter))

    def _save(self, plan: Plan, parent: str, name: PassName, losses: tuple[float, ...]) -> PassDone:
        kind: Kind = "reward" if name == "reward" else "adapter"
        records = plan.sft.new if name == "sft" else plan.reward.new
        held_back = self.held_back if kind == "adapter" else ()
        with plan.adapters.new_version(kind) as (version, directory):
            if kind == "adapter":
                report.write(directory, examined(version, parent, name, held_back))
            manifest = Manifest(
                version=version,
                kind=kind,
                model=FOLDER.id,
                revision=FOLDER.revision,
                parent=parent,
                pass_name=name,
                records=tuple(record.id for record in records),
                held_back=held_back,
                metrics={"losses": losses, "steps": self.steps, "seconds": 12.0},
            )
            write_manifest(directory, manifest)
        return PassDone(name, version, self.steps, losses, 12.0, 1000, held_back=held_back)


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
    """A report: one probe answered otherwise, one the same, one held-out correction hit."""

    def figures(loss: float, capital: str, review: str) -> Figures:
        return Figures(
            probes=(
                Answer(prompt="What is the capital of France?", reply=capital, ended=True),
                Answer(prompt="Say [b]hi[/b]", reply="Hi there!", ended=True),
            ),
            probe_loss=2.0,
            holdout=(
                Answer(prompt="A gob of drivel?", reply=review, ended=True, wanted="negative"),
            ),
            holdout_loss=loss,
        )

    return Report(
        version=version,
        parent=parent,
        pass_name=name,
        before=figures(1.91, "The capital of France is Lyon.", "The review is negative."),
        after=figures(0.62, "The capital of France is Paris.", "negative"),
        held_back=held_back,
    )


@dataclass
class Home:
    """A home on disk with scripted workers: everything an app needs."""

    path: Path
    config: Config = field(default_factory=lambda: Config(screen=Screen(guide=False)))
    """Without the first steps, which most tests have behind them."""

    def __post_init__(self) -> None:
        self.paths = locate(self.path)
        self.repository = Repository.open(self.paths)
        # A clock that leaps: the bridge holds nothing back, so every scripted step arrives.
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
            make_plan=self._plan,
        )

    def _plan(self, passes: frozenset[PassName] | None, rebuild: bool) -> Plan:
        records = self.repository.trainable()
        return make_plan(records, self.adapters, self.config, passes, rebuild=rebuild)
