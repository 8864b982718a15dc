"""Feedback on replies, without any widget: each verb stores one act and gives the reply back."""

from collections.abc import Callable, Mapping

from store.errors import TuteeError
from store.i18n import _
from store.records import Instruction, Message, Origin, Record
from store.repository import Repository
from tui.controllers.drafts import Drafting
from tui.views.chat import ReplyView, TurnView, UserView


class Teaching:
    """What one person thinks of the replies.

    Args:
        repository: Where it is kept.
        drafting: Has the model write a correction of the reply of that id.
    """

    def __init__(self, repository: Repository, drafting: Callable[[str], Drafting]) -> None:
        self._repository = repository
        self.drafting = drafting
        self._bare: str | None = None
        """The reply whose 👎 was just given and may still get its reasons."""

    def like(self, reply_id: str) -> ReplyView:
        self._bare = None
        self._repository.rate(reply_id, True)
        return self.reply(reply_id)

    def dislike(self, reply_id: str) -> ReplyView:
        """👎; one that stands already keeps its reasons."""
        if self._repository.feedback(reply_id).label is not False:
            self._repository.rate(reply_id, False)
            self._bare = reply_id
        return self.reply(reply_id)

    def explain(self, reply_id: str, reasons: tuple[str, ...], comment: str) -> ReplyView:
        """Give a 👎 its reasons. With the 👎 just given they are one act, undone as one."""
        if self._bare == reply_id:
            self._repository.explain(reply_id, reasons, comment)
        else:
            self._repository.rate(reply_id, False, reasons, comment)
        self._bare = None
        return self.reply(reply_id)

    def correct(self, reply_id: str, text: str, why: str = "") -> ReplyView:
        """Say what the reply should have been, and why."""
        self._bare = None
        self._repository.correct(reply_id, text, why)
        return self.reply(reply_id)

    def prefer(self, reply_id: str) -> ReplyView:
        """Say that a reply is better than the others to the same question.

        Raises:
            TuteeError: there is no other.
        """
        self._bare = None
        versions = self._repository.siblings(self._repository.message(reply_id).conversation_id)
        others = [other for other in versions[reply_id] if other != reply_id]
        if not others:
            raise TuteeError(
                _("There is only one reply to this question."), _("R on the reply writes another.")
            )
        self._repository.prefer(reply_id, [self._repository.message(m).content for m in others])
        return self.reply(reply_id)

    def exclude(self, reply_id: str) -> ReplyView:
        """Keep what stands about a reply out of training, or let it in again.

        Raises:
            TuteeError: nothing stands about it.
        """
        self._repository.exclude(reply_id, not self._repository.feedback(reply_id).excluded)
        return self.reply(reply_id)

    def records(self, reply_id: str) -> list[Record]:
        """What is trained on of a reply; where it was not judged, what a 👍 would make of it."""
        records = [r for r in self._repository.records() if r.message_id == reply_id]
        message = self._repository.message(reply_id)
        preview = Instruction(
            message_id=reply_id,
            origin=message.origin or Origin(),
            prompt=self._repository.prompt_for(reply_id),
            completion=message.content,
        )
        return records or [preview]

    def undo(self, reply_id: str) -> ReplyView:
        """Take back the latest feedback on a reply."""
        self._bare = None
        self._repository.undo(reply_id)
        return self.reply(reply_id)

    def reply(self, reply_id: str) -> ReplyView:
        """A reply as it stands now."""
        return reply_view(self._repository, self._repository.message(reply_id))


Siblings = Mapping[str, tuple[str, ...]]
"""For each message those in its place, as `Repository.siblings` gives them."""


def turn_view(repository: Repository, message: Message, siblings: Siblings) -> TurnView:
    """A stored message as the transcript shows it."""
    if message.role != "user":
        return reply_view(repository, message, siblings)
    versions = siblings[message.id]
    return UserView(message.id, message.content, versions.index(message.id) + 1, len(versions))


def reply_view(
    repository: Repository, message: Message, siblings: Siblings | None = None
) -> ReplyView:
    """A stored reply with everything that stands about it."""
    siblings = siblings or repository.siblings(message.conversation_id)
    feedback = repository.feedback(message.id)
    versions = siblings[message.id]
    origin = message.origin or Origin()
    limit = origin.sampling.max_new_tokens if origin.sampling else None
    return ReplyView(
        id=message.id,
        text=message.content,
        question=repository.message(message.parent_id).content if message.parent_id else "",
        place=versions.index(message.id) + 1,
        places=len(versions),
        question_id=message.parent_id or "",
        question_places=len(siblings.get(message.parent_id or "", ())),
        adapter=origin.adapter,
        speed=_speed(message),
        stopped=origin.stopped,
        limit=limit if limit and message.tokens >= limit and not origin.stopped else None,
        forgotten=origin.forgotten,
        label=feedback.label,
        reasons=feedback.reasons,
        comment=feedback.comment,
        correction=feedback.correction,
        why=feedback.why,
        preferred=feedback.preferred,
        excluded=feedback.excluded,
        undoable=feedback.undoable,
    )


def _speed(message: Message) -> float | None:
    """Tokens a second; the clock runs from the first token, so that one is not counted."""
    later = message.tokens - 1
    return later / message.seconds if later > 0 and message.seconds > 0 else None
