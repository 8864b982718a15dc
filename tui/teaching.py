"""Feedback on replies, without any widget: each verb stores one act and gives the reply back."""

from collections.abc import Callable

from store.records import Message, Origin
from store.repository import Repository
from tui.drafting import Drafting
from tui.views import ReplyView


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

    def undo(self, reply_id: str) -> ReplyView:
        """Take back the latest feedback on a reply."""
        self._bare = None
        self._repository.undo(reply_id)
        return self.reply(reply_id)

    def reply(self, reply_id: str) -> ReplyView:
        """A reply as it stands now."""
        return reply_view(self._repository, self._repository.message(reply_id))


def reply_view(repository: Repository, message: Message) -> ReplyView:
    """A stored reply with everything that stands about it."""
    feedback = repository.feedback(message.id)
    origin = message.origin or Origin()
    limit = origin.sampling.max_new_tokens if origin.sampling else None
    return ReplyView(
        id=message.id,
        text=message.content,
        question=repository.message(message.parent_id).content if message.parent_id else "",
        adapter=origin.adapter,
        speed=_speed(message),
        stopped=origin.stopped,
        limit=limit if limit and message.tokens >= limit and not origin.stopped else None,
        label=feedback.label,
        reasons=feedback.reasons,
        comment=feedback.comment,
        correction=feedback.correction,
        why=feedback.why,
        undoable=feedback.undoable,
    )


def _speed(message: Message) -> float | None:
    """Tokens a second; the clock runs from the first token, so that one is not counted."""
    later = message.tokens - 1
    return later / message.seconds if later > 0 and message.seconds > 0 else None
