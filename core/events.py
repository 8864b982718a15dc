"""Everything the model's threads tell the rest of the program, as small frozen values.

Each worker takes one callable and calls it with these, from its own thread; what to do with them
is the listener's business (the app turns them into Textual messages, the command line prints
them). None of them carries a tensor.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from store.errors import TuteeError

# For reading only: what follows is needed before the first paint, and these are not.
if TYPE_CHECKING:
    from data.tokenization import Piece
    from store.records import Sampling

# -- loading -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ModelLoading:
    """One stage of getting the model ready; `total` is 0 where the length is not known."""

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
    """What a person who uses this model should know."""


@dataclass(frozen=True)
class ModelFailed:
    """A model could not be loaded; `ModelReady` of the one before follows, where there was one."""

    error: TuteeError


@dataclass(frozen=True)
class ModelFetched:
    """The model `spec` is on this machine now."""

    spec: str


@dataclass(frozen=True)
class FetchFailed:
    """The model `spec` could not be fetched, or the person stopped it."""

    spec: str
    error: TuteeError


# -- chat ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class TokenChunk:
    request_id: str
    text: str


@dataclass(frozen=True)
class ReplyScored:
    """What a reward model says of a reply of the chat."""

    message_id: str
    reward: float


@dataclass(frozen=True)
class ReplyDone:
    request_id: str
    text: str
    """The whole reply: the exact concatenation of its chunks."""
    stopped: bool
    """The person stopped it."""
    truncated: bool
    """It reached `max_new_tokens` or the model's context before it ended by itself."""
    tokens: int
    seconds: float
    """From the first piece of text on: how long the writing took, without the reading before it."""
    adapter: str
    seed: int
    forgotten: int = 0
    """The chat's oldest messages that did not fit into the model's context any more."""


@dataclass(frozen=True)
class ReplyFailed:
    request_id: str
    error: TuteeError


@dataclass(frozen=True)
class Candidate:
    """One reply of several to the same prompt."""

    text: str
    reward: float


@dataclass(frozen=True)
class CandidatesRanked:
    """Replies to one prompt, the one that the reward model likes best first."""

    request_id: str
    candidates: tuple[Candidate, ...]
    adapter: str
    """The version that drew them."""
    sampling: "Sampling"
    seed: int


@dataclass(frozen=True)
class AdapterSwapped:
    """The chat now answers with `version`."""

    version: str
    seconds: float


@dataclass(frozen=True)
class SwapFailed:
    """The chat goes on with the adapter it had."""

    version: str
    error: TuteeError


# -- tuning --------------------------------------------------------------------------------------

PassName = Literal["sft", "kto", "dpo", "reward", "rl"]


@dataclass(frozen=True)
class TuningStarted:
    passes: tuple[PassName, ...]


@dataclass(frozen=True)
class PassStarted:
    name: PassName
    steps: int
    records: int
    replayed: int


@dataclass(frozen=True)
class MaskProof:
    """Every sample of the pass was checked, packed as it will be trained on."""

    name: PassName
    samples: int
    tokens: int
    """Of all samples, each counted whole."""
    packed_tokens: int
    """What of them goes through the model, because samples share their beginnings."""
    largest: int
    """Packed tokens of the largest micro-batch."""
    padding: float
    """Share of the packed tokens that belong to no sample."""
    trained: int
    """Those that carry loss; of the reward model, those where a reply is scored."""
    shown: "tuple[tuple[Piece, ...], ...]"
    """A few samples, for a person to see."""


@dataclass(frozen=True)
class PassResumed:
    """The pass goes on where a run that was interrupted had got to."""

    name: PassName
    steps: int
    losses: tuple[float, ...]
    """Of the steps that are done."""


@dataclass(frozen=True)
class StepReport:
    """Sent after every micro-batch, so that a watcher sees life within a second."""

    name: PassName
    step: float
    """Optimiser steps done; fractional inside an accumulated step."""
    steps: int
    loss: float | None
    """Loss of the last whole step, in nats a trained token (a pair for the reward model)."""
    tokens_per_second: float
    """Real (not padding) tokens through the model, forward and backward."""
    eta_seconds: float


@dataclass(frozen=True)
class HoldoutReport:
    """Sent a few times in a pass: what is lost on records that it does not learn from."""

    name: PassName
    step: int
    """Optimiser steps done."""
    steps: int
    loss: float
    """Mean cross-entropy, in nats a token of a reply."""


@dataclass(frozen=True)
class RolloutReport:
    """Sent once a step of RL: the replies that the policy has just drawn."""

    step: int
    steps: int
    reward: float | None
    """Their mean reward; none where no reply ended."""
    kl: float
    """Nats a token from the base."""
    truncated: float
    """Share that did not end."""
    prompt: str
    reply: str
    """One of them."""


@dataclass(frozen=True)
class PassDone:
    name: PassName
    version: str
    """What the pass left on disk: `v3` for an adapter, `r2` for a reward model."""
    steps: int
    losses: tuple[float, ...]
    seconds: float
    trained_tokens: int
    metrics: dict[str, Any] = field(default_factory=dict)
    held_back: tuple[str, ...] = ()
    """Why the version is not to be activated automatically; empty if it may be."""

    @property
    def ended_early(self) -> str:
        """Why it made fewer steps than it was to; most often empty."""
        return str(self.metrics.get("stopped_because") or "")

    @property
    def activatable(self) -> bool:
        """Whether it made an adapter that passed its gate."""
        return self.name != "reward" and not self.held_back


@dataclass(frozen=True)
class PassSkipped:
    """A pass that turned out not to be possible; the run goes on."""

    name: PassName
    why: str


@dataclass(frozen=True)
class TuningDone:
    passes: tuple[PassDone, ...]
    adapter: str | None
    """The new adapter version to activate; None if no pass made one that may be."""


@dataclass(frozen=True)
class TuningCancelled:
    """Nothing of the pass that was under way is kept; passes that had finished are."""

    finished: tuple[PassDone, ...] = ()


@dataclass(frozen=True)
class TuningFailed:
    error: TuteeError
    finished: tuple[PassDone, ...] = ()


Event = (
    ModelLoading
    | ModelReady
    | ModelFailed
    | ModelFetched
    | FetchFailed
    | TokenChunk
    | ReplyDone
    | ReplyFailed
    | ReplyScored
    | CandidatesRanked
    | AdapterSwapped
    | SwapFailed
    | TuningStarted
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
