"""What is done with a reply: the one that has the focus, or else the last one of the chat."""

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from textual.screen import Screen

from store.errors import TuteeError
from store.i18n import _, ngettext
from tui.controllers.feedback import Teaching
from tui.controllers.session import Session
from tui.error_toasts import errors_shown
from tui.messages import Taught, TokensWanted
from tui.screens.correct import CorrectScreen
from tui.screens.reasons import Reasons, ReasonsScreen
from tui.views.chat import Change, ReplyView, UserView
from tui.widgets.transcript import Transcript

_ON_REPLIES = frozenset({"like", "dislike", "correct", "copy", "tokens", "go_on"})
_CODE = re.compile(r"^ {0,3}(`{3,}|~{3,})[^\n]*\n(.*?)^ {0,3}\1", re.DOTALL | re.MULTILINE)


class ReplyActions(Screen[None]):
    """The part of the chat screen that teaches, and goes other ways through the chat.

    Args:
        session: The chat that is open.
        teaching: Where feedback goes.
    """

    def __init__(self, session: Session, teaching: Teaching) -> None:
        super().__init__()
        self._session = session
        self._teaching = teaching

    @property
    def transcript(self) -> Transcript:
        return self.query_one(Transcript)

    async def apply(self, act: Callable[[], Sequence[Change]]) -> None:
        """Draw what `act` changes."""
        raise NotImplementedError

    def edit(self, question: UserView) -> None:
        """Let the person write a question anew."""
        raise NotImplementedError

    def changed(self) -> None:
        """What can be done may be something else now."""
        raise NotImplementedError

    # -- which reply -----------------------------------------------------------------------------

    def _target(self) -> ReplyView:
        target = self.transcript.target()
        if target is None:
            raise TuteeError(_("There is no whole reply to judge yet."), _("Ask something first."))
        return target

    def _focused_id(self) -> str | None:
        """Of the reply with the focus; while one is being written it has none."""
        focused = self.transcript.focused_reply()
        return focused.turn_id or None if focused else None

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Grey the keys out that have no reply to work on."""
        target = self.transcript.target() if self.is_mounted else None
        if action in _ON_REPLIES:
            return target is not None or None
        if action in ("undo", "exclude"):
            return (target is not None and target.undoable) or None
        if action in ("prefer", "choose"):
            several = target is not None and (
                target.places > 1 or (action == "choose" and target.question_places > 1)
            )
            return several or None
        if action == "choose_question":
            return (target is not None and target.question_places > 1) or None
        if action == "copy_code":
            return (target is not None and _CODE.search(target.shown) is not None) or None
        if action in ("regenerate", "edit"):
            return (self.is_mounted and self._session.has_question()) or None
        return True

    # -- teaching --------------------------------------------------------------------------------

    async def action_like(self) -> None:
        await self._taught(self._teaching.like(self._target().id))

    async def action_dislike(self, why: str = "") -> None:
        reply = self._teaching.dislike(self._target().id)
        await self._taught(reply)

        async def explain(reasons: Reasons | None) -> None:
            if reasons is None:
                return
            with errors_shown(self.app):
                view = self._teaching.explain(reply.id, reasons.chosen, reasons.comment)
                await self._taught(view)

        if why:
            await explain(Reasons(reply.reasons, why))
        else:
            self.app.push_screen(ReasonsScreen(reply), explain)

    async def action_correct(self, text: str = "") -> None:
        reply = self._target()

        async def correct(text: str, why: str) -> None:
            await self._taught(self._teaching.correct(reply.id, text, why))
            self.notify(_("Kept as 1 instruction and 1 preference."), markup=False, timeout=3)

        if text:
            await correct(text, "")
        else:
            self.app.push_screen(CorrectScreen(reply, correct, self._teaching.drafting(reply.id)))

    async def action_undo(self) -> None:
        await self._taught(self._teaching.undo(self._target().id))

    async def action_prefer(self) -> None:
        target = self._target()
        await self._taught(self._teaching.prefer(target.id))
        others = target.places - 1
        kept = ngettext(
            "Kept as 1 preference. Ctrl+Z takes it back.",
            "Kept as up to {count} preferences. Ctrl+Z takes it back.",
            others,
        )
        self.notify(kept.format(count=others), markup=False, timeout=3)

    async def action_exclude(self) -> None:
        await self._taught(self._teaching.exclude(self._target().id))

    def action_tokens(self) -> None:
        """Show which of its tokens carry loss."""
        self.post_message(TokensWanted(self._teaching.records(self._target().id)))

    async def _taught(self, reply: ReplyView) -> None:
        await self.transcript.change(reply)
        self.changed()
        self.post_message(Taught())

    # -- another way -----------------------------------------------------------------------------

    async def action_regenerate(self) -> None:
        """Have it written anew, beside this one."""
        await self.apply(partial(self._session.regenerate, self._focused_id()))

    async def action_go_on(self) -> None:
        """Have it written on from its end."""
        await self.apply(partial(self._session.go_on, self._target().id))

    def action_edit(self) -> None:
        """Ask its question otherwise."""
        self.edit(self._session.question_of(self._focused_id()))

    async def action_choose(self, step: int) -> None:
        """Go to another reply to the same question, or else to another version of the question."""
        target = self._target()
        message_id = target.id if target.places > 1 else target.question_id
        await self.apply(partial(self._session.choose, message_id, step))

    async def action_choose_question(self, step: int) -> None:
        await self.apply(partial(self._session.choose, self._target().question_id, step))

    # -- taking away -----------------------------------------------------------------------------

    def action_copy(self) -> None:
        self._copy(self._target().shown, _("The reply is copied."))

    def action_copy_code(self) -> None:
        blocks: list[tuple[Any, str]] = _CODE.findall(self._target().shown)
        if not blocks:
            raise TuteeError(_("There is no block of code in this reply."))
        self._copy(blocks[-1][1].rstrip("\n"), _("The code is copied."))

    def _copy(self, text: str, said: str) -> None:
        self.app.copy_to_clipboard(text)
        self.notify(said, markup=False, timeout=2)
