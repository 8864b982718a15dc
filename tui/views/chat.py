"""View models of the chat: plain values made by the controllers and drawn by the widgets.

Widgets receive nothing else, so none of them depends on the store or a model. A `Change` is an
update to the open conversation; the chat screen applies changes in order.
"""

from dataclasses import dataclass

from store.errors import TuteeError


@dataclass(frozen=True)
class UserView:
    """A message of the user."""

    id: str
    text: str
    place: int = 1
    """Position among the versions of the message, from 1."""
    places: int = 1


@dataclass(frozen=True)
class RecalledView:
    """A record that was put before the question as an example; empty if it was deleted since."""

    question: str = ""
    reply: str = ""


@dataclass(frozen=True)
class ReplyView:
    """A complete reply with its feedback."""

    id: str
    text: str
    """The text the model wrote."""
    question: str = ""
    place: int = 1
    """Position among the replies to that message, from 1."""
    places: int = 1
    question_id: str = ""
    question_places: int = 1
    """Number of versions of that message."""
    adapter: str | None = None
    speed: float | None = None
    """Tokens per second."""
    stopped: bool = False
    limit: int | None = None
    """The token limit at which it was cut off."""
    forgotten: int = 0
    """Number of oldest messages that no longer fit into the context."""
    recalled: tuple[RecalledView, ...] = ()
    """Records put before the question as examples."""
    label: bool | None = None
    reasons: tuple[str, ...] = ()
    comment: str = ""
    correction: str | None = None
    why: str = ""
    """The comment on the correction."""
    as_taught: bool | None = None
    """Whether it is the reply that was taught on another one to the same message; None where
    nothing was taught, or by this reply itself."""
    taught: str = ""
    """What was taught there."""
    preferred: bool = False
    """Chosen over other replies to the same message."""
    excluded: bool = False
    """Kept out of training despite its feedback."""
    undoable: bool = False
    thoughts: str = ""
    """What it thought before, without the tags."""
    thought_seconds: float = 0.0
    """0 if unknown."""
    second_try: bool = False
    """It may correct the first reply to the same question."""
    offered: bool = False
    """It probably does, and the first reply was neither kept nor corrected."""
    adopted: bool = False
    """It was made the correction of the first reply."""

    @property
    def shown(self) -> str:
        """The correction if there is one, else the text of the model."""
        return self.text if self.correction is None else self.correction


MessageView = UserView | ReplyView


@dataclass(frozen=True)
class LiveView:
    """A reply in progress."""

    id: str
    text: str
    note: str
    """Its state in a word or two."""
    thoughts: str = ""


@dataclass(frozen=True)
class ConversationView:
    """A whole conversation, on its current branch."""

    messages: tuple[MessageView, ...] = ()
    live: LiveView | None = None
    queued: tuple[str, ...] = ()
    examples: int = 0
    """Size of the starter set, offered while there is no feedback yet."""


@dataclass(frozen=True)
class ConversationRow:
    id: str
    title: str
    updated: str
    pinned: bool = False
    excerpt: str = ""
    """The text around a search hit."""
    age: str = ""
    """Time since the last message, in a word."""
    last: str = ""
    """The last message."""
    corrected: int = 0
    liked: int = 0
    shared: int = 0
    """Characters that the title begins with as another one does."""


# -- changes to the open conversation ------------------------------------------------------------


@dataclass(frozen=True)
class MessageAdded:
    message: UserView


@dataclass(frozen=True)
class QueueChanged:
    texts: tuple[str, ...]


@dataclass(frozen=True)
class ReplyBegan:
    """A reply is in progress, or its note changed."""

    live: LiveView


@dataclass(frozen=True)
class ReplyGrew:
    live_id: str
    text: str


@dataclass(frozen=True)
class ThoughtGrew:
    live_id: str
    text: str


@dataclass(frozen=True)
class ReplyEnded:
    """The reply in progress ended; `reply` is None where nothing was stored."""

    live_id: str
    reply: ReplyView | None


@dataclass(frozen=True)
class FeedbackStored:
    """Feedback given while a reply was in progress was stored, or could not be."""

    reply_id: str | None
    error: TuteeError | None = None
    editing: bool = False
    """The user wants to correct the reply now that it is complete."""


@dataclass(frozen=True)
class BranchChanged:
    view: ConversationView
    message_id: str = ""
    """The message to focus, if one was chosen."""


Change = (
    MessageAdded
    | QueueChanged
    | ReplyBegan
    | ThoughtGrew
    | ReplyGrew
    | ReplyEnded
    | FeedbackStored
    | BranchChanged
)
