"""Actions on one reply: feedback, trained tokens, copying."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from store.errors import TuteeError
from store.i18n import N_, _, ngettext
from tui.controllers.chat_session import ChatSession
from tui.controllers.feedback import ReplyFeedback
from tui.controllers.live_reply import PendingFeedback
from tui.error_toasts import errors_shown
from tui.messages import Taught, TokensWanted
from tui.screens.correct import CorrectScreen
from tui.screens.reasons import Reasons, ReasonsScreen
from tui.views.chat import Change, FeedbackStored, ReplyView
from tui.views.markdown import code_blocks
from tui.widgets.transcript import Transcript

_NEEDS: dict[str, Callable[[ReplyView], object]] = {
    **dict.fromkeys(("like", "dislike", "correct", "copy", "tokens", "go_on"), lambda reply: True),
    **dict.fromkeys(("undo", "exclude"), lambda reply: reply.undoable),
    "adopt": lambda reply: reply.second_try,
    "prefer": lambda reply: reply.places > 1,
    "choose": lambda reply: reply.places > 1 or reply.question_places > 1,
    "choose_question": lambda reply: reply.question_places > 1,
    "copy_code": lambda reply: code_blocks(reply.shown),
}
"""What each action needs of the reply."""
_LACKS = {
    "undo": (N_("This reply has no feedback to undo."), ""),
    "exclude": (N_("This reply has no feedback to train on."), N_("Rate or correct it first.")),
    "prefer": (
        N_("There is only one reply to this question."),
        N_("R on the reply adds another."),
    ),
    "adopt": (
        N_("This is the first reply to its question, so there is none to correct."),
        N_("Ask for another one (“shorter, please”), or edit the question."),
    ),
    "copy_code": (N_("This reply has no code block."), ""),
}
"""What to say where a reply lacks what an action needs."""

_WHILE_WRITING = frozenset({"like", "dislike", "correct", "undo"})
"""Actions on a reply in progress; their feedback is stored once it ends."""
_WRITES_RECORDS = _WHILE_WRITING | {"adopt", "prefer", "exclude"}
"""Actions that must never act on the reply before the one in progress."""

Apply = Callable[[Callable[[], Sequence[Change]]], Awaitable[None]]
"""Draws what a function changes in the open conversation."""


class ReplyActions:
    """Acts on the focused reply, or else on the one in progress, or else on the last one.

    Feedback on a reply in progress is kept by the session and stored when the reply ends; `apply`
    draws what the session changes.
    """

    def __init__(
        self, transcript: Transcript, session: ChatSession, feedback: ReplyFeedback, apply: Apply
    ) -> None:
        self._transcript = transcript
        self._session = session
        self._feedback = feedback
        self._apply = apply

    def possible(self, action: str) -> bool:
        """Whether there is a reply or question for `action`; True for actions on other things."""
        return self.obstacle(action) is None

    def obstacle(self, action: str) -> TuteeError | None:
        """Why `action` is not possible now; None if it is, or acts on other things."""
        if action in ("regenerate", "edit"):
            return None if self._session.conversation.has_question() else _nothing_asked()
        needs = _NEEDS.get(action)
        if needs is None:
            return None
        pending = self._pending()
        if pending is not None and action in _WRITES_RECORDS:
            if action in _WHILE_WRITING and (action != "undo" or pending != PendingFeedback()):
                return None
            return TuteeError(_("The reply is still being written."), _("Esc stops it."))
        target = self._transcript.target()
        if target is None:
            return TuteeError(_("There is no complete reply yet."), _("Ask something first."))
        if needs(target):
            return None
        title, hint = _LACKS.get(action, (N_("There is no other version."), ""))
        return TuteeError(_(title), _(hint) if hint else "")

    def _pending(self) -> PendingFeedback | None:
        """The feedback on the reply in progress, if that is what the keys act on."""
        focused = self._transcript.focused_reply()
        return self._session.pending if focused is None or focused.live_id else None

    async def _rate_live(self, feedback: PendingFeedback) -> None:
        given = None if feedback == PendingFeedback() else feedback
        await self._apply(lambda: self._session.rate_live(given))

    def target(self) -> ReplyView:
        """The reply to act on.

        Raises:
            TuteeError: there is none.
        """
        target = self._transcript.target()
        if target is None:
            raise TuteeError(_("There is no complete reply yet."), _("Ask something first."))
        return target

    def focused_id(self) -> str | None:
        """Id of the focused reply; a reply in progress has none yet."""
        focused = self._transcript.focused_reply()
        return focused.message_id or None if focused else None

    def _notify(self, text: str, seconds: float = 3) -> None:
        self._transcript.notify(text, markup=False, timeout=seconds)

    # -- feedback --------------------------------------------------------------------------------

    async def like(self) -> None:
        if self._pending() is not None:
            await self._rate_live(PendingFeedback(True))
            return
        await self._show(self._feedback.like(self.target().id))

    async def dislike(self, why: str = "") -> None:
        """Store 👎, and open the reasons unless `why` is given."""
        pending = self._pending()
        if pending is not None:
            # No dialog: it would cover the reply that is being written.
            comment = why or pending.comment
            await self._rate_live(replace(pending, label=False, comment=comment))
            return
        reply = self._feedback.dislike(self.target().id)
        await self._show(reply)

        async def explain(reasons: Reasons | None) -> None:
            if reasons is not None:
                with errors_shown(self._transcript.app):
                    explained = self._feedback.explain(reply.id, reasons.chosen, reasons.comment)
                    await self._show(explained)

        if why:
            await explain(Reasons(reply.reasons, why))
        else:
            self._transcript.app.push_screen(ReasonsScreen(reply), explain)

    async def correct(self, text: str = "") -> None:
        """Store the correction `text`, or open the editor for one."""
        pending = self._pending()
        if pending is not None:
            label = None if pending.label else pending.label  # a correction replaces a 👍
            await self._rate_live(replace(pending, label=label, correction=text))
            return
        await self._correct(self.target(), text)

    async def _correct(self, reply: ReplyView, text: str = "") -> None:
        async def save(text: str, why: str) -> None:
            corrected = self._feedback.correct(reply.id, text, why)
            await self._show(corrected)
            if corrected.correction is None:
                self._notify(_("Unchanged, so it is kept as 👍."))
            elif corrected != reply:
                self._notify(_("Saved as 1 instruction and 1 preference."))

        if text:
            await save(text, "")
        else:
            draft = self._feedback.draft_for(reply.id)
            self._transcript.app.push_screen(CorrectScreen(reply, save, draft))

    async def stored(self, stored: FeedbackStored, *, undisturbed: bool) -> None:
        """Feedback given while the reply was in progress has been stored: open the editor, if the
        user asked for it and is not doing anything else."""
        if not stored.editing:
            return
        target = self._transcript.target()
        if undisturbed and target is not None and target.id == stored.reply_id:
            await self._correct(target)
        else:
            self._notify(_("The reply is complete. {key:chat.correct} corrects it."), 6)

    async def undo(self) -> None:
        if self._pending() is not None:
            await self._rate_live(PendingFeedback())
            return
        await self._show(self._feedback.undo(self.target().id))

    async def prefer(self) -> None:
        target = self.target()
        await self._show(self._feedback.prefer(target.id))
        others = target.places - 1
        saved = ngettext(
            "Saved as 1 preference. {{key:reply.undo}} undoes it.",
            "Saved as up to {count} preferences. {{key:reply.undo}} undoes it.",
            others,
        )
        self._notify(saved.format(count=others))

    async def adopt(self) -> None:
        """Make the reply the correction of the first one to the same question, or undo that."""
        *others, reply = self._feedback.adopt(self.target().id)
        for other in others:
            await self._transcript.change(other)
        await self._show(reply)
        if reply.adopted:
            saved = _("Kept as the correction of the first reply. {key:chat.adopt} undoes it.")
            self._notify(saved, 5)
        else:
            self._notify(_("The first reply is as it was before."))

    async def exclude(self) -> None:
        await self._show(self._feedback.exclude(self.target().id))

    async def _show(self, reply: ReplyView) -> None:
        await self._transcript.change(reply)
        # Not from the transcript: what a handler of the screen sends would bubble no further.
        self._transcript.screen.post_message(Taught())

    # -- looking and copying ---------------------------------------------------------------------

    def tokens(self) -> None:
        self._transcript.screen.post_message(TokensWanted(self._feedback.records(self.target().id)))

    def copy(self, number: str = "") -> None:
        """Copy the reply, or its code block with that number.

        Raises:
            TuteeError: it has no such code block.
        """
        shown = self.target().shown
        if not number:
            self._copy(shown, _("Reply copied."))
            return
        blocks = code_blocks(shown)
        if not number.isdecimal() or not 1 <= int(number) <= len(blocks):
            raise TuteeError(
                _("This reply has no code block {number}.").format(number=number),
                _("It has {count}.").format(count=len(blocks)) if blocks else "",
            )
        self.copy_text(blocks[int(number) - 1])

    def copy_code(self) -> None:
        """Copy the last code block."""
        blocks = code_blocks(self.target().shown)
        if not blocks:
            raise TuteeError(_("This reply has no code block."))
        self.copy_text(blocks[-1])

    def copy_text(self, code: str) -> None:
        self._copy(code, _("Code copied."))

    def _copy(self, text: str, copied: str) -> None:
        self._transcript.app.copy_to_clipboard(text)
        self._notify(copied, 2)


def _nothing_asked() -> TuteeError:
    return TuteeError(_("Nothing was asked yet."), _("Ask something first."))
