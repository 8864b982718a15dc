"""The events that the workers' threads emit, as small frozen values without tensors.

Each worker calls one callable with these, from its own thread. The app turns them into Textual
messages; the command line prints them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

from store.errors import TuteeError

# Types only: this module is needed before the first paint, and these are not.
if TYPE_CHECKING:
    from data.tokenization import Piece
    from store.records import Sampling

# -- loading -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ModelLoading:
    """Progress in one stage of loading a model; `total` is 0 if unknown."""

    stage: str
    done: int = 0
    total: int = 0
    unit: str = "B"


@dataclass(frozen=True)
class ModelReady:
    model_id: str
    revision: str
    label: str
    adapter: str
    seconds: float
    notice: str = ""
    """A limitation that users of this model should know."""
    context: int = 0
    """Tokens of the model's context; 0 if unknown."""
    can_think: bool = False
    """Its chat template lets thinking be turned on and off."""


@dataclass(frozen=True)
class ModelFailed:
    """A model could not be loaded; `ModelReady` of the previous one follows, if any."""

    error: TuteeError


@dataclass(frozen=True)
class ModelFetched:
    spec: str


@dataclass(frozen=True)
class FetchFailed:
    """The model `spec` could not be downloaded, or the user stopped it."""

    spec: str
    error: TuteeError


# -- chat ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class TokenChunk:
    request_id: str
    text: str


@dataclass(frozen=True)
class ThoughtChunk:
    """What a reasoning model thinks before its reply; no part of the reply."""

    request_id: str
    text: str


@dataclass(frozen=True)
class ReplyScored:
    message_id: str
    reward: float


@dataclass(frozen=True)
class ReplyDone:
    request_id: str
    text: str
    """The whole reply: the exact concatenation of its chunks, unless there are thoughts; then
    without space around it."""
    stopped: bool
    """The user stopped it."""
    truncated: bool
    """It reached `max_new_tokens` or the model's context before it ended by itself."""
    tokens: int
    seconds: float
    """From the first piece of text on, without the prefill."""
    adapter: str
    seed: int
    forgotten: int = 0
    """How many of the oldest messages did not fit into the model's context."""
    prompt_tokens: int = 0
    recalled: tuple[str, ...] = ()
    """Ids of the records put before the question as examples."""
    thoughts: str = ""
    """What the model thought before the reply."""
    thought_seconds: float = 0.0


@dataclass(frozen=True)
class ReplyFailed:
    request_id: str
    error: TuteeError


@dataclass(frozen=True)
class Candidate:
    text: str
    reward: float


@dataclass(frozen=True)
class CandidatesRanked:
    """Several replies to one prompt, the highest reward first."""

    request_id: str
    candidates: tuple[Candidate, ...]
    adapter: str
    """The version that generated them."""
    sampling: "Sampling"
    seed: int


@dataclass(frozen=True)
class AdapterSwapped:
    version: str
    seconds: float


@dataclass(frozen=True)
class SwapFailed:
    """The chat keeps the version it had."""

    version: str
    error: TuteeError


# -- tuning --------------------------------------------------------------------------------------

PassName = Literal["sft", "kto", "dpo", "reward", "rl"]


Stage = Literal["prepare", "base", "before", "learn", "after", "save"]
"""Part of a pass: read the records and load the model, draw the base's replies, the exam before,
the training itself, the exam after, save the version."""
STAGES: tuple[Stage, ...] = get_args(Stage)
"""In the order of a pass."""


@dataclass(frozen=True)
class TuningStarted:
    passes: tuple[PassName, ...]
    expected: Mapping[PassName, Mapping[Stage, float]] = field(default_factory=dict)
    """Estimated seconds of each stage of each pass."""


@dataclass(frozen=True)
class StageReport:
    """Sent when a stage of the current pass begins (`done` is 0), and as it proceeds."""

    stage: Stage
    done: int = 0
    total: int = 0
    """Questions of an exam, replies to draw, or steps; 0 if the stage has nothing to count."""


@dataclass(frozen=True)
class PassStarted:
    name: PassName
    steps: int
    records: int
    replayed: int


@dataclass(frozen=True)
class MaskProof:
    """Every sample of the pass was checked, packed as in training."""

    name: PassName
    samples: int
    tokens: int
    """Of all samples, each counted in full."""
    packed_tokens: int
    """Tokens that go through the model; fewer, because samples share prefixes."""
    largest: int
    """Packed tokens of the largest micro-batch."""
    padding: float
    """Share of the packed tokens that belong to no sample."""
    trained: int
    """Tokens that carry loss; for the reward model, tokens at which a reply is scored."""
    shown: "tuple[tuple[Piece, ...], ...]"
    """A few samples, for display."""


@dataclass(frozen=True)
class PassResumed:
    name: PassName
    steps: int
    losses: tuple[float, ...]
    """Of the completed steps."""


@dataclass(frozen=True)
class StepReport:
    """Sent after every micro-batch, so that progress shows within a second."""

    name: PassName
    step: float
    """Optimizer steps done; fractional within an accumulated step."""
    steps: int
    loss: float | None
    """Loss of the last full step, in nats per trained token (per pair for the reward model)."""
    tokens_per_second: float
    """Tokens without padding through the model, forward and backward."""
    eta_seconds: float
    grad_norm: float | None = None
    """Norm of the gradient at the latest weight update, before clipping; None before the first."""
    learned: tuple[int, int] | None = None
    """In SFT, how many replies are learned so far, and of how many."""


@dataclass(frozen=True)
class HoldoutReport:
    """Sent a few times in a pass: the loss on held-out records."""

    name: PassName
    step: int
    """Optimizer steps done."""
    steps: int
    loss: float
    """Mean cross-entropy, in nats per reply token."""


@dataclass(frozen=True)
class RolloutReport:
    """Sent once per RL step: the replies that the policy has just generated."""

    step: int
    steps: int
    reward: float | None
    """Their mean reward; None if no reply ended."""
    kl: float
    """KL divergence from the base, in nats per token."""
    truncated: float
    """Share of replies that did not end."""
    prompt: str
    reply: str
    """One of them."""


@dataclass(frozen=True)
class PassDone:
    name: PassName
    version: str
    """The version on disk: `v3` for an adapter, `r2` for a reward model."""
    steps: int
    losses: tuple[float, ...]
    seconds: float
    """Of the training alone, without waits."""
    trained_tokens: int
    metrics: dict[str, Any] = field(default_factory=dict)
    held_back: tuple[str, ...] = ()
    """Why the version is not to be activated automatically; empty if it may be."""

    @property
    def wall_seconds(self) -> float:
        """From the start of the pass until its version was saved, exams and waits included."""
        return float(self.metrics.get("wall_seconds") or self.seconds)

    @property
    def ended_early(self) -> str:
        """Why it made fewer steps than planned; usually empty."""
        return str(self.metrics.get("stopped_because") or "")

    @property
    def learned(self) -> tuple[int, int] | None:
        """How many taught prompts are answered as taught, of how many asked; None without any."""
        asked = self.metrics.get("taught_asked")
        return (self.metrics["taught_learned"], asked) if asked else None

    @property
    def resisted(self) -> tuple[str, ...]:
        """The taught prompts that are not answered as taught, each shortened to one line."""
        return tuple(self.metrics.get("taught_resisted") or ())

    @property
    def activatable(self) -> bool:
        """Whether it made an adapter that passed its gate."""
        return self.name != "reward" and not self.held_back


def latest_activatable(passes: Sequence[PassDone]) -> str | None:
    """Return the last adapter version of these passes that passed its gate, if one did."""
    return next((done.version for done in reversed(passes) if done.activatable), None)


@dataclass(frozen=True)
class PassSkipped:
    """A pass that turned out to be impossible; the run goes on."""

    name: PassName
    why: str


@dataclass(frozen=True)
class TuningDone:
    passes: tuple[PassDone, ...]
    adapter: str | None
    """The new adapter version to activate; None if no pass made one that may be."""


@dataclass(frozen=True)
class TuningCancelled:
    """The current pass is discarded; finished passes are kept."""

    finished: tuple[PassDone, ...] = ()
    adapter: str | None = None
    """As of `TuningDone`; None if the run can be resumed, which will end with another version."""


@dataclass(frozen=True)
class TuningFailed:
    error: TuteeError
    finished: tuple[PassDone, ...] = ()
    adapter: str | None = None
    """As of `TuningDone`."""


Event = (
    ModelLoading
    | ModelReady
    | ModelFailed
    | ModelFetched
    | FetchFailed
    | TokenChunk
    | ThoughtChunk
    | ReplyDone
    | ReplyFailed
    | ReplyScored
    | CandidatesRanked
    | AdapterSwapped
    | SwapFailed
    | TuningStarted
    | StageReport
    | PassStarted
    | MaskProof
    | PassResumed
    | StepReport
    | HoldoutReport
    | RolloutReport
    | PassDone
    | PassSkipped
    | TuningDone
    | TuningCancelled
    | TuningFailed
)
