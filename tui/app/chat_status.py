"""The chat's screen in the app, and what is shown around it: who answers, what was taught, and what
runs; what to do next."""

from typing import TYPE_CHECKING

from textual import on
from textual.worker import Worker

from store.i18n import _, current_language
from tui.app.startup import Startup
from tui.error_toasts import errors_shown, guarded
from tui.messages import Answered, Taught
from tui.widgets.status import Status

if TYPE_CHECKING:
    from tui.controllers.session import Session
    from tui.controllers.tuning import Tuner
    from tui.screens.chat import ChatScreen


class Front(Startup):
    """The part of the app that keeps the chat's screen true."""

    _session: "Session"
    _tuner: "Tuner"
    _chat_screen: "ChatScreen"
    _model = ""
    """What the model that answers is called; empty until one does."""

    async def show_the_chat(self) -> None:
        """Put it in the place of what is shown; there is always a screen, so each has a mode."""
        before, mode = self.current_mode, f"chat-{current_language()}"
        self.add_mode(mode, lambda: self._chat_screen)
        await self.switch_mode(mode)
        if before.startswith("chat-"):
            await self.remove_mode(before)

    def _show_activity(self) -> None:
        from tui.widgets.activity import offer_line, tuning_line

        progress = self._tuner.progress
        active = progress is not None and progress.active
        line = tuning_line(progress, self.with_keys("F5")) if progress and active else None
        if line is None and self._tuner.unfinished is not None:
            offer = _("A training run was interrupted. F5 goes on with it, or drops it.")
            line = offer_line(self.with_keys(offer))
        self._chat_screen.activity = line

    @on(Taught)
    @guarded
    def _taught(self, _: Taught) -> None:
        self._show_status()
        self._count_new()

    @on(Answered)
    @guarded
    def _answered(self, _: Answered) -> None:
        self._show_guide()

    async def records_changed(self) -> None:
        await self._chat_screen.renew()
        self._show_status()
        self._count_new()

    async def said_anew(self) -> None:
        """Go back to the chat, on a new screen; what stands in the prompt goes along."""
        from tui.screens.chat import ChatScreen

        while self.screen is not self._chat_screen:
            await self.screen.dismiss()
        written = self._chat_screen.written
        self._chat_screen = ChatScreen(self._session, self._services)
        await self.show_the_chat()
        self._chat_screen.take_over((), written)
        self._show_activity()
        self._show_status()

    def _show_status(self) -> None:
        counts = self._services.repository.counts()
        self._chat_screen.status = Status(
            model=self._model,
            adapter=self._tuner.answering if self._model else "",
            liked=counts.liked,
            disliked=counts.disliked,
            corrected=counts.corrected,
            new=self._tuner.new_records(),
        )
        self._show_guide()

    def _count_new(self) -> None:
        """Say how many records are new, once it is known which of them only measure."""

        async def count() -> None:
            with errors_shown(self):
                await self._tuner.look_for_held_out()
                self._show_status()

        _counting: Worker[None] = self.run_worker(count, group="new", exclusive=True)

    def _show_guide(self) -> None:
        """Say what to do next, to who does it for the first time; nothing while it trains."""
        wanted = self._services.config.screen.guide and not self._tuner.running
        self._chat_screen.guide = self.next_step() if wanted else ""

    def action_skip_guide(self) -> None:
        """Hide the first steps for good."""
        self.forget_guide()
        self._show_guide()
