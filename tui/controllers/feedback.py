"""Feedback on replies, without widgets: each method stores it and returns the reply's new view."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from data.taught_reply import learned
from data.thoughts import split_thoughts
from store.errors import TuteeError
from store.i18n import _
from store.records import Instruction, Message, Origin, Record
from store.repository import Repository
from tui.controllers.drafts import CorrectionDraft
from tui.controllers.follow_up import second_try
from tui.views.chat import MessageView, RecalledView, ReplyView, UserView

Siblings = Mapping[str, tuple[str, ...]]
"""The versions of each message, as `Repository.siblings` returns them."""


class ReplyFeedback:
    def __init__(self, repository: Repository, draft_for: Callable[[str], CorrectionDraft]) -> None:
        self._repository = repository
        self.draft_for = draft_for
        self._unexplained: str | None = None
        """The reply whose 👎 was just given and may still get reasons."""

    def like(self, reply_id: str) -> ReplyView:
        self._unexplained = None
        self._repository.rate(reply_id, True)
        return self.reply(reply_id)

    def dislike(self, reply_id: str) -> ReplyView:
        """Store 👎; an existing one keeps its reasons."""
        if self._repository.feedback(reply_id).label is not False:
            self._repository.rate(reply_id, False)
            self._unexplained = reply_id
        return self.reply(reply_id)

    def explain(self, reply_id: str, reasons: tuple[str, ...], comment: str) -> ReplyView:
        """Store the reasons for a 👎. Undo removes them together with a 👎 just given."""
        if self._unexplained == reply_id:
            self._repository.explain(reply_id, reasons, comment)
        else:
            self._repository.rate(reply_id, False, reasons, comment)
        self._unexplained = None
        return self.reply(reply_id)

    def correct(self, reply_id: str, text: str, why: str = "") -> ReplyView:
        self._unexplained = None
        self._repository.correct(reply_id, text, why)
        return self.reply(reply_id)

    def adopt(self, reply_id: str) -> list[ReplyView]:
        """Make a reply the correction of the first reply to the same question, or undo that; return
        the new views of both.

        Raises:
            TuteeError: it is the first reply itself, or both are the same.
        """
        message = self._repository.message(reply_id)
        found = second_try(self._repository, message)
        if found is None:
            raise TuteeError(
                _("This is the first reply to its question, so there is none to correct."),
                _("Ask for another one (“shorter, please”), or edit the question."),
            )
        self._unexplained = None
        first, text = found.first.id, _text(self._repository, message)
        if text.strip() == found.first.content.strip():
            raise TuteeError(_("Both replies are the same, so there is nothing to correct."))
        if self._repository.feedback(first).correction == text:
            self._repository.undo(first)
        else:
            self._repository.correct(first, text, found.why)
        return [self.reply(first), self.reply(reply_id)]

    def prefer(self, reply_id: str) -> ReplyView:
        """Prefer a reply over all others to the same message.

        Raises:
            TuteeError: there is no other.
        """
        self._unexplained = None
        versions = self._repository.siblings(self._repository.message(reply_id).conversation_id)
        others = [other for other in versions[reply_id] if other != reply_id]
        if not others:
            raise TuteeError(
                _("There is only one reply to this question."), _("R on the reply adds another.")
            )
        self._repository.prefer(reply_id, [self._repository.message(m).content for m in others])
        return self.reply(reply_id)

    def exclude(self, reply_id: str) -> ReplyView:
        """Exclude a reply from training, or include it again.

        Raises:
            TuteeError: the reply has no feedback.
        """
        self._repository.exclude(reply_id, not self._repository.feedback(reply_id).excluded)
        return self.reply(reply_id)

    def undo(self, reply_id: str) -> ReplyView:
        self._unexplained = None
        self._repository.undo(reply_id)
        return self.reply(reply_id)

    def records(self, reply_id: str) -> list[Record]:
        """The training records of a reply; without feedback a preview of what 👍 would store."""
        records = [r for r in self._repository.records() if r.message_id == reply_id]
        message = self._repository.message(reply_id)
        preview = Instruction(
            message_id=reply_id,
            origin=message.origin or Origin(),
            prompt=self._repository.prompt_for(reply_id),
            completion=message.content,
        )
        return records or [preview]

    def reply(self, reply_id: str) -> ReplyView:
        return reply_view(self._repository, self._repository.message(reply_id))


def message_view(repository: Repository, message: Message, siblings: Siblings) -> MessageView:
    if message.role != "user":
        return reply_view(repository, message, siblings)
    versions = siblings[message.id]
    return UserView(message.id, message.content, versions.index(message.id) + 1, len(versions))


def reply_view(
    repository: Repository, message: Message, siblings: Siblings | None = None
) -> ReplyView:
    siblings = siblings or repository.siblings(message.conversation_id)
    feedback = repository.feedback(message.id)
    versions = siblings[message.id]
    taught = _taught_beside(repository, message, versions) if len(versions) > 1 else ""
    if feedback.correction is not None or feedback.label is not None:
        taught = ""
    origin = message.origin or Origin()
    limit = origin.sampling.max_new_tokens if origin.sampling else None
    thoughts, text = message.thoughts, message.content
    if not thoughts:  # it may be stored from before thoughts were told apart
        thoughts, text = split_thoughts(text)
    return ReplyView(
        id=message.id,
        text=text,
        thoughts=thoughts,
        thought_seconds=message.thought_seconds,
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
        recalled=tuple(_recalled(repository, origin)),
        label=feedback.label,
        reasons=feedback.reasons,
        comment=feedback.comment,
        correction=feedback.correction,
        why=feedback.why,
        as_taught=learned(message.content, taught) if taught else None,
        taught=taught,
        preferred=feedback.preferred,
        excluded=feedback.excluded,
        undoable=feedback.undoable,
        **_second_try(repository, message),
    )


def _recalled(repository: Repository, origin: Origin) -> Iterator[RecalledView]:
    """The records that a reply recalled; empty where one was deleted since."""
    for record_id in origin.recalled:
        try:
            record = repository.record(record_id)
        except TuteeError:
            yield RecalledView()
        else:
            asked = [message.content for message in record.prompt if message.role == "user"]
            reply = record.completion if record.kind == "instruction" else ""
            yield RecalledView(asked[-1] if asked else "", reply)


def _taught_beside(repository: Repository, message: Message, versions: Sequence[str]) -> str:
    """Return what was taught last on the other replies to the same message, if anything."""
    for other in reversed([one for one in versions if one != message.id]):
        feedback = repository.feedback(other)
        if feedback.correction is not None:
            return feedback.correction
        if feedback.label:
            return repository.message(other).content
    return ""


def _second_try(repository: Repository, message: Message) -> dict[str, bool]:
    """Whether a reply may correct the first one, is offered to, or does."""
    found = second_try(repository, message)
    if found is None or not message.content.strip():
        return {}
    first = repository.feedback(found.first.id)
    return {
        "second_try": True,
        "offered": found.likely and first.correction is None and not first.label,
        "adopted": first.correction == _text(repository, message),
    }


def _text(repository: Repository, message: Message) -> str:
    """A reply as corrected, else as the model wrote it."""
    return repository.feedback(message.id).correction or message.content


def _speed(message: Message) -> float | None:
    """Tokens per second; the clock starts at the first token, which is therefore not counted."""
    later = message.tokens - 1
    return later / message.seconds if later > 0 and message.seconds > 0 else None
