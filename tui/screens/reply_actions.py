"""Actions on one reply: feedback, trained tokens, copying."""

from collections.abc import Callable

from store.errors import TuteeError
from store.i18n import _, ngettext
from tui.controllers.feedback import ReplyFeedback
from tui.controllers.open_conversation import OpenConversation
from tui.error_toasts import errors_shown
from tui.messages import Taught, TokensWanted
from tui.screens.correct import CorrectScreen
from tui.screens.reasons import Reasons, ReasonsScreen
from tui.views.chat import ReplyView
from tui.views.markdown import code_blocks
from tui.widgets.transcript import Transcript

_NEEDS: dict[str, Callable[[ReplyView], object]] = {
    **dict.fromkeys(("like", "dislike", "correct", "copy", "tokens", "go_on"), lambda reply: True),
    **dict.fromkeys(("undo", "exclude"), lambda reply: reply.undoable),
    "prefer": lambda reply: reply.places > 1,
    "choose": lambda reply: reply.places > 1 or reply.question_places > 1,
    "choose_question": lambda reply: reply.question_places > 1,
    "copy_code": lambda reply: code_blocks(reply.shown),
}
"""What each action needs of the reply."""


class ReplyActions:
    """Acts on the focused reply, or else on the last one."""

    def __init__(
        self, transcript: Transcript, conversation: OpenConversation, feedback: ReplyFeedback
    ) -> None:
        self._transcript = transcript
        self._conversation = conversation
        self._feedback = feedback

    def possible(self, action: str) -> bool:
        """Whether there is a reply or question for `action`; True for actions on other things."""
        if action in ("regenerate", "edit"):
            return self._conversation.has_question()
        target, needs = self._transcript.target(), _NEEDS.get(action)
        return needs is None or (target is not None and bool(needs(target)))

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
        await self._show(self._feedback.like(self.target().id))

    async def dislike(self, why: str = "") -> None:
        """Store 👎, and open the reasons unless `why` is given."""
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
        reply = self.target()

        async def save(text: str, why: str) -> None:
            await self._show(self._feedback.correct(reply.id, text, why))
            self._notify(_("Saved as 1 instruction and 1 preference."))

        if text:
            await save(text, "")
        else:
            draft = self._feedback.draft_for(reply.id)
            self._transcript.app.push_screen(CorrectScreen(reply, save, draft))

    async def undo(self) -> None:
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
