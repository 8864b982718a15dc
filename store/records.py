"""The schema of everything Tutee stores.

A conversation is a tree of messages (each names its parent), so that versions of a message can
exist side by side. Feedback is stored as training records that contain all that training needs: the
whole prompt, the replies, and their origin. All records written by one piece of feedback (one
thumb, one correction) share its `act` id, so that undoing it is exact. Newer feedback supersedes
older feedback instead of erasing it, so that undo brings it back.

Whatever changes together is one document: a conversation with its messages is a `ConversationTree`,
the records about one reply are a `FeedbackDocument`, and so is each imported record.

Left out on purpose: which adapter learned a record. That is written once, in the adapter's
manifest, and derived from there (`core.adapters.registry`).
"""

from datetime import UTC, datetime
from operator import not_
from typing import Annotated, Any, Literal, NamedTuple, Self
from uuid import uuid4

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from store.i18n import N_

SCHEMA_VERSION = 4

Role = Literal["system", "user", "assistant"]
RecordKind = Literal["instruction", "preference", "verdict"]
KINDS: tuple[RecordKind, ...] = (N_("instruction"), N_("preference"), N_("verdict"))
"""In the order shown and written."""

REASONS = (
    N_("not helpful"),
    N_("ignored the instruction"),
    N_("wrong"),
    N_("misleading"),
    N_("biased"),
    N_("hateful"),
    N_("violent"),
    N_("dangerous"),
    N_("style"),
    N_("other"),
)
"""Reasons offered with a thumbs-down, in the order shown."""
HARMS = frozenset({"biased", "hateful", "violent", "dangerous", N_("harmful or biased")})
"""Reasons that say a reply does harm. Older records have the last one, which stood for them all."""


def new_id() -> str:
    """Return a random id of 12 hex digits; ids are only compared, never parsed."""
    return uuid4().hex[:12]


def now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)


def _writable(text: str) -> str:
    """Replace unpaired surrogates (from a bad paste), which no file or tokenizer can hold."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _in_utc(moment: datetime) -> datetime:
    """Convert to UTC, so that times are comparable; a time without a zone counts as UTC."""
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("it is before the first or after the last year") from error


Text = Annotated[str, AfterValidator(_writable)]
Moment = Annotated[datetime, AfterValidator(_in_utc)]


_NO_NOTES: set[str] = set()


class _Frozen(BaseModel):
    """Base of all models: immutable, no extra fields.

    Pydantic keeps a set of the given field names for each object. Nothing here uses it, and in a
    large home it would take half of the memory, so all objects share one empty set.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    def model_post_init(self, _: Any, /) -> None:
        object.__setattr__(self, "__pydantic_fields_set__", _NO_NOTES)


class ChatMessage(_Frozen):
    """One message as a chat template sees it."""

    role: Role
    content: Text


class Sampling(_Frozen):
    """How the tokens of a reply are sampled."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    temperature: float = Field(0.2, ge=0, le=5)
    """0 always takes the most likely token. Small models make more mistakes at higher values."""
    top_p: float = Field(0.9, gt=0, le=1)
    """Sample only from the most likely tokens that together reach this probability; 1 uses all."""
    top_k: int = Field(0, ge=0, strict=True)
    """Sample only from this many of the most likely tokens; 0 uses all."""
    min_p: float = Field(0.0, ge=0, le=1)
    """Skip tokens less likely than this share of the most likely one; 0 uses all."""
    repetition_penalty: float = Field(1.1, gt=0, le=5)
    """Values above 1 make tokens that already appeared less likely."""
    max_new_tokens: int = Field(512, ge=1, strict=True)
    """Cut a reply off at this many tokens."""
    stop: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    """A reply ends at any of these texts; the text itself is not kept."""
    seed: int | None = Field(None, ge=0, lt=2**63, strict=True)
    """Makes sampling repeatable: same prompt, same reply. Empty uses a new seed each time."""
    thinking: bool = Field(False, exclude_if=not_)
    """Let the model think before it replies, where its chat template leaves the choice. Thoughts
    count toward `max_new_tokens`."""


class Origin(_Frozen):
    """Where a reply or a record came from."""

    source: Text = "chat"
    """`chat`, `compare` (two versions side by side), `api` (another program), or `import:NAME`."""
    model: str | None = None
    revision: str | None = None
    adapter: str | None = None
    """The adapter version that generated the reply, or `base`."""
    sampling: Sampling | None = None
    seed: int | None = None
    stopped: bool = False
    """The user stopped the reply before it ended."""
    forgotten: int = Field(0, ge=0)
    """Number of the oldest messages that no longer fit into the model's context."""
    recalled: tuple[str, ...] = ()
    """Ids of the records put before the question as examples; no prompt of a record has them."""


class Conversation(_Frozen):
    id: str = Field(default_factory=new_id)
    title: Text = ""
    source: Text = "chat"
    """`chat`, `api` (another program), or `import:NAME`."""
    created: Moment = Field(default_factory=now)
    updated: Moment = Field(default_factory=now)
    pinned: bool = False
    tip: str | None = None
    """The message its path ends with; if empty, the one added last."""
    system_prompt: Text = ""
    """Replaces the one it began with, from the next reply on."""
    sampling: Sampling | None = None
    """For this conversation only; if empty, the settings apply."""
    recall: bool | None = None
    """Whether corrections are recalled in it; if empty, the settings apply."""


class Message(_Frozen):
    """One node of a conversation's tree."""

    id: str = Field(default_factory=new_id)
    conversation_id: str
    parent_id: str | None = None
    role: Role
    content: Text
    created: Moment = Field(default_factory=now)
    origin: Origin | None = None
    """Set on replies only."""
    system_prompt: Text = ""
    """The system prompt of a reply, if the conversation began with another one."""
    tokens: int = 0
    seconds: float = 0.0
    thoughts: Text = Field("", exclude_if=not_)
    """What a reasoning model thought before its reply. Shown only: neither sent back nor learned.

    Written only where there are any, so that homes without stay readable by older versions.
    """
    thought_seconds: float = Field(0.0, exclude_if=not_)


class ImportedConversation(NamedTuple):
    """A whole conversation from another program."""

    conversation: Conversation
    messages: tuple[Message, ...]
    """Parents before children; the path leads to the last one."""


class ConversationTree(_Frozen):
    """A conversation with its messages, as stored.

    Raises:
        ValueError: A message has no parent here. Parents come first, so there are no cycles either.
    """

    conversation: Conversation
    messages: tuple[Message, ...] = ()
    """In the order they were added."""

    @model_validator(mode="after")
    def _is_a_tree(self) -> Self:
        seen: set[str | None] = {None}
        for message in self.messages:
            if message.conversation_id != self.conversation.id or message.parent_id not in seen:
                raise ValueError(f"message {message.id} has no parent in its conversation")
            seen.add(message.id)
        if self.conversation.tip not in seen:
            raise ValueError("its path ends at an unknown message")
        return self


class _Feedback(_Frozen):
    id: str = Field(default_factory=new_id)
    act: str = Field(default_factory=new_id)
    superseded_by: str | None = None
    """The `act` that replaced this record; the record is live while this is empty."""
    excluded: bool = False
    """Stored and shown, but not trained on."""
    comment: Text = ""
    """Why, in the user's own words."""
    created: Moment = Field(default_factory=now)
    conversation_id: str | None = None
    """The conversation it comes from, here or elsewhere; the hold-out split keeps it together."""
    message_id: str | None = None
    """The reply it is about; empty for imported records."""
    origin: Origin = Origin()
    prompt: tuple[ChatMessage, ...]
    """Everything before the reply, oldest first."""


class Instruction(_Feedback):
    """A reply worth learning; SFT trains on it."""

    kind: Literal["instruction"] = "instruction"
    completion: Text


class Preference(_Feedback):
    """One reply preferred over another; DPO and the reward model train on it."""

    kind: Literal["preference"] = "preference"
    chosen: Text
    rejected: Text


class Verdict(_Feedback):
    """A thumbs-up (`label` true) or thumbs-down."""

    kind: Literal["verdict"] = "verdict"
    completion: Text
    label: bool
    reasons: tuple[str, ...] = ()

    @property
    def harmful(self) -> bool:
        """Whether it is a thumbs-down for a reply that does harm."""
        return not self.label and not HARMS.isdisjoint(self.reasons)


Record = Annotated[Instruction | Preference | Verdict, Field(discriminator="kind")]
"""Any feedback record; `TypeAdapter(Record)` reads one back from a plain dict."""


class FeedbackDocument(_Frozen):
    """All records about one reply, or one imported record, as stored."""

    records: tuple[Record, ...] = ()
    """Oldest first."""
