"""The chat's screen in the app, and what it shows around the conversation: the status line, the
first steps, and what runs in the background."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from textual.app import App
from textual.worker import Worker

from core.config_file import change
from core.events import (
    CandidatesRanked,
    Event,
    ModelLoading,
    ReplyDone,
    ReplyFailed,
    ThoughtChunk,
    TokenChunk,
)
from store.errors import TuteeError
from store.i18n import _, current_language
from tui.app.appearance import Appearance
from tui.controllers.chat_session import ChatSession
from tui.controllers.tuning import TuningController
from tui.error_toasts import errors_shown
from tui.messages import Asker, FromCore
from tui.screens.chat import ChatScreen
from tui.services import Services
from tui.views.next_step import next_step
from tui.widgets.activity import loading_line, offer_line, outcome_line, tuning_line
from tui.widgets.status import Status

if TYPE_CHECKING:
    from core.config import Config


@dataclass(eq=False)
class ChatStatus:
    app: App[Any]
    services: Services
    session: ChatSession
    tuner: TuningController
    appearance: Appearance
    configure: "Callable[[Config], None]"
    """Called with settings that were changed here."""
    screen: ChatScreen
    model: str = ""
    """Label of the model that replies; empty until one can."""

    # -- the screen ------------------------------------------------------------------------------

    async def show(self) -> None:
        """Replace the base screen by the chat. Each chat screen gets a mode of its own, because an
        app is never without a screen."""
        before, mode = self.app.current_mode, f"chat-{current_language()}"
        self.app.add_mode(mode, lambda: self.screen)
        await self.app.switch_mode(mode)
        if before.startswith("chat-"):
            await self.app.remove_mode(before)

    async def rebuild(self) -> None:
        """Return to the chat on a new screen, in the language that is now spoken; the text in the
        prompt is kept."""
        while self.app.screen is not self.screen:
            await self.app.screen.dismiss()
        written = self.screen.written
        self.screen = ChatScreen(self.session, self.services)
        await self.show()
        self.screen.take_over((), written)
        self.show_activity()
        self.show_status()

    async def records_changed(self) -> None:
        """Redraw what depends on the records."""
        await self.screen.renew()
        self.taught()

    def tell(self, event: Event) -> None:
        """Send an event to the chat's screen."""
        self.screen.post_message(FromCore(event))

    def deliver(
        self, event: ThoughtChunk | TokenChunk | ReplyDone | ReplyFailed | CandidatesRanked
    ) -> None:
        """Send an event of a reply to the screen that asked for it, or else to the chat's."""
        for screen in self.app.screen_stack:
            if isinstance(screen, Asker) and screen.asked(event.request_id):
                screen.post_message(FromCore(event))
                return
        self.tell(event)

    # -- the activity line -----------------------------------------------------------------------

    def show_loading(self, event: ModelLoading, note: str = "") -> None:
        """Show how far the model is loaded; a training run goes first."""
        if not self.tuner.run.running:
            self.screen.activity = loading_line(event, note)

    def show_activity(self) -> None:
        """Show the training run under way, what it made, or the offer to resume one."""
        progress, keymap = self.tuner.run.progress, self.appearance.keymap
        outcome, coming = self.tuner.outcome, self.tuner.versions.coming
        line = None
        if progress is not None and progress.active:
            line = tuning_line(progress, keymap.in_text("{key:app.tune}"))
        elif coming:
            line = offer_line(_("Putting {version} in use…").format(version=coming))
        elif outcome is not None:
            line = outcome_line(keymap.in_text(outcome.sentence))
        elif self.tuner.interrupted.saved is not None:
            line = offer_line(keymap.in_text(self.tuner.interrupted.offer()))
        self.screen.activity = line

    # -- the status line -------------------------------------------------------------------------

    def taught(self) -> None:
        """Show the counts of the records, which have changed."""
        self.show_status()
        self._count_new()

    def show_status(self) -> None:
        """Show the model, its adapter version and the counts of the records."""
        counts = self.services.repository.counts()
        self.screen.status = Status(
            model=self.model,
            adapter=self.tuner.versions.active if self.model else "",
            liked=counts.liked,
            disliked=counts.disliked,
            corrected=counts.corrected,
            new=self.tuner.new_records(),
        )
        self.show_guide()

    def _count_new(self) -> None:
        """Show how many records are new, once it is known which of them are held out."""

        async def count() -> None:
            with errors_shown(self.app):
                await self.tuner.planner.refresh_kept_out()
                self.show_status()

        _counting: Worker[None] = self.app.run_worker(count, group="new", exclusive=True)

    # -- the first steps -------------------------------------------------------------------------

    def show_guide(self) -> None:
        """Show a beginner what to do next; nothing while a run is under way."""
        wanted = self.services.config.screen.guide and not self.tuner.run.running
        self.screen.guide = self._next_step() if wanted else ""

    def skip_guide(self) -> None:
        """Hide the first steps for good."""
        self._forget_guide()
        self.show_guide()

    def _next_step(self) -> str:
        repository, adapters = self.services.repository, self.services.chat.adapters
        step = next_step(
            repository.counts(),
            answered=repository.answered(),
            trained=adapters is not None and bool(adapters.versions()),
            ready=self.services.config.tuning.sft.minimum_records,
        )
        if not step:
            self._forget_guide()
        return self.appearance.keymap.in_text(step)

    def _forget_guide(self) -> None:
        config = self.services.config
        with suppress(TuteeError):  # where it cannot be written, the steps come again next time
            change(self.services.paths.config_file, "screen", "guide", False)
        screen = config.screen.model_copy(update={"guide": False})
        self.configure(config.model_copy(update={"screen": screen}))
