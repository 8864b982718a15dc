"""The completions that feedback may still come for, and how it is written.

A completion is stored only once there is feedback on it: then its conversation becomes one of the
user's conversations, and the reply is rated or corrected in it, so that the feedback can be seen,
changed and undone like any other. Ids are hashes of what was said, so the rounds of one
conversation, each sent whole by its client, come together in one tree.
"""

import hashlib
import json
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from store.feedback import Feedback
from store.records import (
    REASONS,
    ChatMessage,
    Conversation,
    ImportedConversation,
    Message,
    Origin,
)
from store.repository import Repository
from store.titles import title_of
from tui.endpoint.api_error import ApiError
from tui.endpoint.requests import FeedbackRequest

SOURCE = "api"
"""`Origin.source` of the replies."""
_MOST = 1000
_MOST_CHARACTERS = 16_000_000
"""Completions, and characters of their prompts and replies, that are kept."""


@dataclass(frozen=True)
class Completion:
    id: str
    prompt: tuple[ChatMessage, ...]
    reply: str
    """Without thoughts."""
    origin: Origin
    tokens: int
    seconds: float

    @property
    def size(self) -> int:
        return sum(len(message.content) for message in self.prompt) + len(self.reply)


class RecentCompletions:
    """The latest completions by id; the oldest leave first."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Completion] = OrderedDict()
        self._size = 0

    def add(self, completion: Completion) -> None:
        self._kept[completion.id] = completion
        self._size += completion.size
        while len(self._kept) > 1 and (len(self._kept) > _MOST or self._size > _MOST_CHARACTERS):
            self._size -= self._kept.popitem(last=False)[1].size

    def get(self, completion_id: str) -> Completion:
        """Return a completion.

        Raises:
            ApiError: there is none with this id, or it is too old.
        """
        try:
            return self._kept[completion_id]
        except KeyError:
            raise ApiError(
                404,
                "There is no chat completion with this id, or it is too old for feedback.",
                "completion_not_found",
                "id",
            ) from None


def check(completion: Completion, feedback: FeedbackRequest) -> None:
    """Check that the feedback can be written, so that never half of it is.

    Raises:
        ApiError: there is no label or correction, they do not fit the reply or each other, or a
            reason is unknown or without a 👎.
    """
    label, correction = feedback.label, feedback.correction
    if label is None and correction is None:
        raise ApiError(400, "Give a `label`, a `correction`, or both.", "invalid_value", "label")
    if label is not None and not completion.reply.strip():
        raise ApiError(400, "An empty reply can only be corrected.", "invalid_value", "label")
    if correction is not None and correction.strip() in ("", completion.reply.strip()):
        raise ApiError(
            400, "The correction is empty or the same as the reply.", "invalid_value", "correction"
        )
    if label and correction is not None:
        raise ApiError(
            400, "A reply is right or corrected, not both.", "invalid_value", "correction"
        )
    unknown = [reason for reason in feedback.reasons if reason not in REASONS]
    if unknown:
        known = ", ".join(REASONS)
        raise ApiError(
            400, f"Unknown reason {unknown[0]!r}; known: {known}.", "invalid_value", "reasons"
        )
    if feedback.reasons and feedback.label is not False:
        raise ApiError(400, "Reasons belong to a `label` of false.", "invalid_value", "reasons")


def write(repository: Repository, completion: Completion, feedback: FeedbackRequest) -> Feedback:
    """Store the completion's conversation, if it is not there yet, and the feedback on it.

    Raises:
        TuteeError: the reply was corrected before and is now given a 👍, or the disk refuses.
    """
    imported = _conversation(completion)
    repository.add_imported((), [imported])
    reply = imported.messages[-1].id
    if feedback.label is not None:
        repository.rate(reply, feedback.label, feedback.reasons, feedback.comment)
    if feedback.correction is not None:
        why = "" if feedback.label is not None else feedback.comment
        repository.correct(reply, feedback.correction, why)
    return repository.feedback(reply)


def _conversation(completion: Completion) -> ImportedConversation:
    said = (*completion.prompt, ChatMessage(role="assistant", content=completion.reply))
    asked = next((m.content for m in said if m.role == "user"), "")
    first = next((place for place, m in enumerate(said) if m.role == "user"), 0)
    conversation = Conversation(
        id=_id("conversation", said[: first + 1]), title=title_of([asked]), source=SOURCE
    )
    messages: list[Message] = []
    for place, one in enumerate(said):
        last = place == len(said) - 1
        messages.append(
            Message(
                id=_id("message", said[: place + 1]),
                conversation_id=conversation.id,
                parent_id=messages[-1].id if messages else None,
                role=one.role,
                content=one.content,
                origin=completion.origin if last else _elsewhere(one),
                tokens=completion.tokens if last else 0,
                seconds=completion.seconds if last else 0.0,
            )
        )
    return ImportedConversation(conversation, tuple(messages))


def _elsewhere(message: ChatMessage) -> Origin | None:
    """An earlier reply, as the client sent it: it may have been edited, or be another model's."""
    return Origin(source=SOURCE) if message.role == "assistant" else None


def _id(kind: str, said: Sequence[ChatMessage]) -> str:
    text = json.dumps([kind, *([one.role, one.content] for one in said)])
    return hashlib.sha256(text.encode()).hexdigest()[:12]
