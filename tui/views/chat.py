"""What widgets draw: plain values, made by the controllers from what the store and core hold.

A widget gets these and nothing else, so none of them knows a database or a model. A `Change` says
what became different in the chat that is open; the chat screen applies changes in order.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class UserView:
    """What the person said."""

    id: str
    text: str
    place: int = 1
    places: int = 1
    """Which of how many versions of the message it is."""


@dataclass(frozen=True)
class ReplyView:
    """One whole reply with everything that stands about it."""

    id: str
    text: str
    """What the model wrote."""
    question: str = ""
    """The message it answers."""
    place: int = 1
    places: int = 1
    """Which of how many replies to that message it is."""
    question_id: str = ""
    question_places: int = 1
    """How many versions of that message there are."""
    adapter: str | None = None
    speed: float | None = None
    """Tokens a second."""
    stopped: bool = False
    limit: int | None = None
    """The token limit it was cut off at."""
    forgotten: int = 0
    """The chat's oldest messages, which the model no longer saw."""
    label: bool | None = None
    reasons: tuple[str, ...] = ()
    comment: str = ""
    correction: str | None = None
    why: str = ""
    """What was said with the correction."""
    preferred: bool = False
    """It was picked among others."""
    excluded: bool = False
    """Nothing of it is trained on, though it was judged."""
    undoable: bool = False

    @property
    def shown(self) -> str:
        """The text that stands: the correction where there is one."""
        return self.text if self.correction is None else self.correction


TurnView = UserView | ReplyView


@dataclass(frozen=True)
class LiveView:
    """A reply under way."""

    id: str
    text: str
    note: str
    """What it waits for or does, in a word or two."""


@dataclass(frozen=True)
class Scene:
    """A whole conversation as it is to be shown."""

    turns: tuple[TurnView, ...] = ()
    live: LiveView | None = None
    queued: tuple[str, ...] = ()
    examples: int = 0
    """How many there are to start with, where nothing was taught yet."""


# -- changes of the open chat --------------------------------------------------------------------


@dataclass(frozen=True)
class Asked:
    """A message of the person was stored."""

    turn: UserView


@dataclass(frozen=True)
class Queued:
    """These messages wait for their turn now."""

    texts: tuple[str, ...]


@dataclass(frozen=True)
class Began:
    """A reply is awaited, or says something new about its waiting."""

    live: LiveView


@dataclass(frozen=True)
class Grew:
    """The reply under way has more text."""

    live_id: str
    text: str


@dataclass(frozen=True)
class Ended:
    """The reply under way is over; nothing is kept of it where `turn` is empty."""

    live_id: str
    turn: ReplyView | None


@dataclass(frozen=True)
class Rerouted:
    """The chat goes another way from somewhere on."""

    scene: Scene
    message_id: str = ""
    """The message that was chosen, where one was."""


Change = Asked | Queued | Began | Grew | Ended | Rerouted


# -- the lines around the chat -------------------------------------------------------------------


@dataclass(frozen=True)
class ConversationView:
    """One line of the list of chats."""

    id: str
    title: str
    updated: str
    pinned: bool = False
    excerpt: str = ""
    """Where the words were found that were searched for."""
