"""The teaching queue: unrated replies one after another, one key each."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from core.events import ModelReady, ReplyDone, ReplyFailed, TokenChunk
from store.errors import TuteeError
from store.i18n import N_, _, ngettext
from tui.commands.keymap import keyed
from tui.controllers.live_reply import PendingFeedback
from tui.controllers.teaching_queue import TeachingQueue
from tui.error_toasts import guarded, show_error
from tui.messages import FromCore, Taught
from tui.screens.correct import CorrectScreen
from tui.text_format import harmless
from tui.theme import MUTED
from tui.views.teaching_queue import QueueView, missing_line
from tui.widgets.footer import Footer
from tui.widgets.markdown import ReplyText
from tui.widgets.title import title_line

_STATES = {
    "waiting": N_("waiting for the model…"),
    "writing": N_("writing…"),
    "failed": N_("It could not be answered. R tries again, S skips it."),
}
_END = N_("That was the last one. Esc leads back to the chat, {key:app.tune} to training.")


class TeachScreen(Screen[None]):
    """One reply at a time, and what is still missing until the next training."""

    TITLE = "Teach"
    HELP = """Replies that have no feedback yet, one after another. Each key stores your feedback
        and shows the next reply. What you skip stays unrated. Prompts from a file are answered
        first; the next one is answered while you read."""
    AUTO_FOCUS = "#teach-reply"
    FOLLOWS_MODEL = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("g,f2,plus", "like", "Good", key_display="G", id="teach.good"),
        Binding("b,f3,minus", "dislike", "Bad", key_display="B", id="teach.bad"),
        Binding("f,f4,c", "correct", "Fix", key_display="F", id="teach.fix"),
        Binding("s,space", "skip", "Skip", key_display="S", id="teach.skip"),
        Binding("r", "try_again", "Try again", key_display="R", id="teach.again"),
        Binding("ctrl+z", "undo", "Undo", key_display="^z", id="teach.undo"),
        Binding("escape,q", "dismiss", "Back", key_display="Esc", id="app.back"),
    ]

    def __init__(self, queue: TeachingQueue) -> None:
        super().__init__()
        self._queue = queue

    def compose(self) -> ComposeResult:
        yield Static(id="teach-title")
        with VerticalScroll(id="teach-reply"):
            yield Static(id="teach-question", markup=False)
            yield Static(id="teach-heading", markup=False)
            yield ReplyText("")
        yield Footer(compact=True, show_command_palette=True)

    async def on_mount(self) -> None:
        self._queue.answer_ahead()
        await self._show()

    def on_unmount(self) -> None:
        self._queue.stop()

    # -- answers ---------------------------------------------------------------------------------

    def asked(self, request_id: str) -> bool:
        return self._queue.asked(request_id)

    @on(FromCore)
    @guarded
    async def _from_core(self, message: FromCore) -> None:
        match message.event:
            case ModelReady():
                self._queue.answer_ahead()
            case TokenChunk() | ReplyDone() | ReplyFailed() as event:
                if isinstance(event, ReplyFailed):
                    show_error(self.app, event.error)
                self._queue.on_reply(event)
        await self._show()

    # -- one key each ----------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        state = self._queue.view().state
        if action in ("like", "dislike", "correct"):
            return state == "done" or None
        if action == "skip":
            return state != "end" or None
        if action == "try_again":
            return state == "failed"
        if action == "undo":
            return self._queue.undoable or None
        return True

    def obstacle(self, action: str) -> TuteeError | None:
        """Why the current reply cannot be rated; None if it can."""
        if action not in ("like", "dislike", "correct"):
            return None
        try:
            self._queue.reply()
        except TuteeError as error:
            return error
        return None

    async def action_like(self) -> None:
        await self._rate(PendingFeedback(True))

    async def action_dislike(self) -> None:
        await self._rate(PendingFeedback(False))

    async def _rate(self, feedback: PendingFeedback) -> None:
        self._queue.rate(feedback)
        await self._next(taught=True)

    def action_correct(self) -> None:
        reply = self._queue.reply()

        async def save(text: str, why: str) -> None:
            self._queue.correct(reply.id, text, why)
            await self._next(taught=True)

        screen = CorrectScreen(reply, save, self._queue.draft_for(reply.id))
        self.app.push_screen(screen, self._corrected)

    def _corrected(self, _: None) -> None:
        """A draft has stopped the answers in progress, so they are requested again."""
        self._queue.stop()
        self._queue.answer_ahead()

    async def action_skip(self) -> None:
        self._queue.skip()
        await self._next()

    async def action_try_again(self) -> None:
        self._queue.try_again()
        await self._show()

    async def action_undo(self) -> None:
        self._queue.undo()
        await self._next(taught=True)

    async def _next(self, *, taught: bool = False) -> None:
        if taught:
            self.post_message(Taught())
        self._queue.answer_ahead()
        await self._show()
        self.query_one("#teach-reply").scroll_home(animate=False)

    # -- drawing ---------------------------------------------------------------------------------

    async def _show(self) -> None:
        view = self._queue.view()
        missing = keyed(self, missing_line(self._queue.new_records(), self._queue.minimum))
        place = _("{place} of {count}").format(place=min(view.place, view.count), count=view.count)
        place = _("done") if view.state == "end" else place
        detail = " · ".join(filter(None, (place, missing)))
        self.query_one("#teach-title", Static).update(title_line(_("Teach"), detail))
        self.query_one("#teach-question", Static).update(self._question(view))
        self.query_one("#teach-heading", Static).update(_heading(view))
        await self.query_one(ReplyText).update(harmless(view.reply))
        self.refresh_bindings()

    def _question(self, view: QueueView) -> Content:
        if view.state == "end":
            return Content(keyed(self, _(_END)))
        earlier = ""
        if view.earlier > 0:
            earlier = ngettext(
                "  after {count} earlier message", "  after {count} earlier messages", view.earlier
            ).format(count=view.earlier)
        return Content.assemble((_("You"), "bold"), (earlier, MUTED), "\n", view.question)


def _heading(view: QueueView) -> Content:
    if view.state == "end":
        return Content("")
    state = _(_STATES[view.state]) if view.state in _STATES else view.adapter
    style = MUTED if view.state == "done" else "$text-warning"
    return Content.assemble(("Tutee", "bold"), (f"  {state}" if state else "", style))
