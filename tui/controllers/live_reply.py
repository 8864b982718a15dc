"""The reply in progress, and how it is stored once it ends."""

from dataclasses import dataclass

from core.events import ModelReady, ReplyDone
from store.i18n import N_, _
from store.records import ChatMessage, Message, Origin, Sampling
from store.repository import Repository
from tui.views.chat import LiveView

WAITING = N_("waiting for the model")
WRITING = N_("writing…")
STOPPING = N_("stopping…")


@dataclass(frozen=True)
class PendingFeedback:
    """Feedback given while a reply is in progress, stored once it ends."""

    label: bool | None = None
    reasons: tuple[str, ...] = ()
    comment: str = ""
    correction: str | None = None
    """The corrected text; empty where an editor is to open for it."""

    @property
    def badges(self) -> str:
        thumb = {True: "👍", False: "👎", None: ""}[self.label]
        return f"{thumb} {'' if self.correction is None else '✎'}".strip()

    def store(self, repository: Repository, reply_id: str) -> None:
        """Store it as feedback on the reply.

        Raises:
            TuteeError: the reply is empty, or cannot be stored.
        """
        if self.label is not None:
            repository.rate(reply_id, self.label, self.reasons, self.comment)
        if self.correction:
            repository.correct(reply_id, self.correction)


@dataclass
class LiveReply:
    """A reply that is requested or about to be."""

    id: str
    conversation_id: str
    question_id: str
    sampling: Sampling
    continued: Message | None = None
    """The stored reply that this one continues."""
    start: str = ""
    """The text it continues."""
    text: str = ""
    """The new text so far."""
    thoughts: str = ""
    """What the model has thought so far."""
    alternative: bool = False
    """The question already has a reply."""
    requested: bool = False
    stopping: bool = False
    discarded: bool = False
    """Its conversation was deleted."""
    feedback: PendingFeedback | None = None

    def view(self) -> LiveView:
        note = STOPPING if self.stopping else WRITING if self.requested else WAITING
        said = " · ".join(filter(None, (_(note), self.feedback.badges if self.feedback else "")))
        return LiveView(self.id, self.start + self.text, said, self.thoughts)

    def prompt(self, repository: Repository) -> tuple[ChatMessage, ...]:
        """The messages to reply to, with the start of the reply where it continues one."""
        messages = repository.turns(self.conversation_id, self.question_id)
        if self.continued is None:
            return messages
        return (*messages, ChatMessage(role="assistant", content=self.start))

    def store(
        self,
        repository: Repository,
        model: ModelReady | None,
        adapter: str | None,
        done: ReplyDone | None = None,
    ) -> Message | None:
        """Store the reply, unless it stopped before its first word or was discarded.

        Args:
            adapter: The adapter version in use, for a reply that never completed.
            done: How it completed; None where it failed or the app ends.
        """
        before = self.continued
        new = done.text if done else self.text
        thoughts = done.thoughts if done else self.thoughts.strip()
        stopped = done is None or done.stopped
        if self.discarded or (stopped and not new.strip() and not thoughts):
            return None
        origin = Origin(
            model=model.model_id if model else None,
            revision=model.revision if model else None,
            adapter=done.adapter if done else adapter,
            sampling=self.sampling,
            seed=done.seed if done else None,
            stopped=stopped,
            forgotten=done.forgotten if done else 0,
            recalled=self._recalled(done),
        )
        return repository.add_message(
            self.conversation_id,
            "assistant",
            self.start + new,
            parent_id=self.question_id,
            origin=origin,
            tokens=done.tokens + (before.tokens if before else 0) if done else 0,
            seconds=done.seconds + (before.seconds if before else 0.0) if done else 0.0,
            thoughts=thoughts or (before.thoughts if before else ""),
            thought_seconds=(
                done.thought_seconds
                if done and thoughts
                else before.thought_seconds
                if before
                else 0.0
            ),
        )

    def _recalled(self, done: ReplyDone | None) -> tuple[str, ...]:
        """The records recalled for any part of the reply."""
        before = self.continued.origin if self.continued else None
        earlier = before.recalled if before else ()
        return tuple(dict.fromkeys((*earlier, *(done.recalled if done else ()))))
