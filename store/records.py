"""What Tutee keeps: one schema, in one place.

A conversation is a tree of messages (each names its parent), so that siblings can live side by
side. Feedback is kept as training records that carry everything needed to train on them later:
the whole prompt, the replies, and where they came from. An *act* is one thing a person did (one
thumb, one correction); all records it wrote share its id, so that undoing it is exact. A newer act
supersedes an older one instead of erasing it, so that undo brings the older one back.

Left out on purpose: which adapter learned a record. That is written once, in the adapter's
manifest, and derived from there (`core.adapters`).
"""

from datetime import UTC, datetime
from typing import Annotated, Literal, NamedTuple
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field

SCHEMA_VERSION = 1

Role = Literal["system", "user", "assistant"]

REASONS = (
    "not helpful",
    "ignored the instruction",
    "wrong",
    "harmful or biased",
    "style",
    "other",
)
"""Reasons offered with a thumbs-down, in the order shown."""


def new_id() -> str:
    """A random id of 12 hex digits; ids are compared, never parsed."""
    return uuid4().hex[:12]


def now() -> datetime:
    """The present moment in UTC."""
    return datetime.now(UTC)


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Turn(_Frozen):
    """One message as a chat template sees it."""

    role: Role
    content: str


class Sampling(_Frozen):
    """How a reply is drawn from the model."""

    temperature: float = Field(0.2, ge=0, le=5)
    """0 is greedy: the most likely token each time. Small models err more the warmer they are."""
    top_p: float = Field(0.9, gt=0, le=1)
    repetition_penalty: float = Field(1.1, gt=0, le=5)
    max_new_tokens: int = Field(512, ge=1)


class Origin(_Frozen):
    """Where a reply or a record came from."""

    source: str = "chat"
    """`chat`, or `import:NAME`."""
    model: str | None = None
    revision: str | None = None
    adapter: str | None = None
    """The adapter version that wrote the reply, or `base`."""
    sampling: Sampling | None = None
    seed: int | None = None
    stopped: bool = False
    """The person stopped the reply before its end."""


class Conversation(_Frozen):
    id: str = Field(default_factory=new_id)
    title: str = ""
    source: str = "chat"
    """`chat`, or `import:NAME`."""
    created: datetime = Field(default_factory=now)
    updated: datetime = Field(default_factory=now)


class Message(_Frozen):
    """One node of a conversation's tree."""

    id: str = Field(default_factory=new_id)
    conversation_id: str
    parent_id: str | None = None
    role: Role
    content: str
    created: datetime = Field(default_factory=now)
    origin: Origin | None = None
    """Set on replies only."""
    tokens: int = 0
    seconds: float = 0.0


class Chat(NamedTuple):
    """A whole conversation, as it comes from elsewhere."""

    conversation: Conversation
    messages: tuple[Message, ...]
    """Parents before children; the way to the last one is the conversation's path."""


class _Feedback(_Frozen):
    id: str = Field(default_factory=new_id)
    act: str = Field(default_factory=new_id)
    superseded_by: str | None = None
    """The act that took this record's place; a record is live while this is empty."""
    created: datetime = Field(default_factory=now)
    conversation_id: str | None = None
    """The conversation it comes from, here or elsewhere: what is held out keeps them whole."""
    message_id: str | None = None
    """The reply that was judged; empty for imported records."""
    origin: Origin = Origin()
    prompt: tuple[Turn, ...]
    """Everything before the reply, oldest first."""


class Instruction(_Feedback):
    """A reply worth learning: SFT trains on it."""

    kind: Literal["instruction"] = "instruction"
    completion: str


class Preference(_Feedback):
    """One reply preferred over another for the same prompt: the reward model trains on it."""

    kind: Literal["preference"] = "preference"
    chosen: str
    rejected: str


class Verdict(_Feedback):
    """A thumb up (`label` true) or down."""

    kind: Literal["verdict"] = "verdict"
    completion: str
    label: bool
    reasons: tuple[str, ...] = ()
    comment: str = ""


Record = Annotated[Instruction | Preference | Verdict, Field(discriminator="kind")]
"""Any feedback record; `TypeAdapter(Record)` reads one back from a plain dict."""
