"""Training in the app: its screen, the events of a run, and the adapter version in use."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from textual.app import App
from textual.timer import Timer

from core.events import (
    AdapterSwapped,
    SwapFailed,
    TuningCancelled,
    TuningDone,
    TuningFailed,
    TuningStarted,
)
from store.i18n import _
from tui.app.appearance import Appearance
from tui.app.chat_status import ChatStatus
from tui.controllers.chat_session import ChatSession
from tui.controllers.tuning import TuningController
from tui.error_toasts import errors_shown, show_error
from tui.services import Services
from tui.views.training_progress import TuningEvent

if TYPE_CHECKING:
    from tui.screens.report_card import ReportChoice
    from tui.screens.tuning import TuningScreen


@dataclass(eq=False)
class TrainingFlow:
    app: App[Any]
    services: Services
    session: ChatSession
    tuner: TuningController
    appearance: Appearance
    chat: ChatStatus
    screen: "TuningScreen | None" = None
    """The tuning screen, while it is open."""
    _clock: Timer | None = None

    # -- runs ------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Open the tuning screen."""
        from tui.screens.tuning import TuningScreen

        if self.screen is None:
            self.screen = TuningScreen(self.tuner)
            await self.app.push_screen(self.screen, self._closed)

    def _closed(self, _: None) -> None:
        self.screen = None
        self.chat.show_activity()

    @property
    def can_cancel(self) -> bool:
        """A run is under way that was not cancelled yet."""
        progress = self.tuner.run.progress
        return progress is not None and progress.state in ("running", "paused")

    def cancel(self) -> None:
        """Stop the run under way."""
        self.tuner.run.cancel()
        self._show_progress()

    async def on_tuning(self, event: TuningEvent) -> None:
        """Show an event of a run."""
        progress = self.tuner.on_event(event)
        match event:
            case TuningDone(adapter=None) | TuningCancelled():
                # A new adapter is announced in the chat, once that uses it.
                self.app.notify(progress.message, markup=False)
            case TuningFailed(error):
                show_error(self.app, error)
        if isinstance(event, TuningStarted) or not progress.active:
            self.chat.show_guide()
            self._tick(progress.active)
        if progress.active:
            self._show_progress()
        else:
            self.appearance.alert(progress.message, self.services.config.screen)
            self.refresh()

    def _tick(self, running: bool) -> None:
        """Let the clock of the run go on every second, also between the events."""
        if self._clock is not None:
            self._clock.stop()
        self._clock = self.app.set_interval(1.0, self._ticked) if running else None

    def _ticked(self) -> None:
        if not self.app.is_running:
            return  # closing: the panels may be gone
        self.tuner.run.tick()
        self._show_progress()

    def refresh(self) -> None:
        """Show the run and the versions as they are now."""
        self._show_progress()
        if self.screen is not None and self.screen.is_mounted:
            self.screen.renew()

    def _show_progress(self) -> None:
        self.chat.show_activity()
        # A screen that is still being mounted shows the run by itself.
        if self.screen is not None and self.screen.is_mounted:
            self.screen.progress = self.tuner.run.progress

    # -- versions --------------------------------------------------------------------------------

    def best_of(self) -> None:
        """Generate several candidates for the last reply and let the user pick one."""
        from tui.controllers.best_of import BestOfController
        from tui.screens.best_of import BestOfScreen

        candidates = BestOfController(self.services, self.session.last_exchange())

        async def pick(index: int | None) -> None:
            if index is not None:
                with errors_shown(self.app):
                    self.app.notify(candidates.pick(index), timeout=6, markup=False)
                    await self.chat.records_changed()

        self.app.push_screen(BestOfScreen(candidates), pick)

    @property
    def has_outcome(self) -> bool:
        """The last run made a version that the user has not dealt with."""
        return self.tuner.outcome is not None and not self.tuner.run.running

    def show_outcome(self) -> None:
        """Open the report of the version that the last run made."""
        from tui.screens.report_card import ReportCardScreen

        outcome = self.tuner.outcome
        if outcome is None:
            return

        def choose(choice: "ReportChoice | None") -> None:
            with errors_shown(self.app):
                if choice is not None:
                    self.settle_outcome()

        card = self.tuner.versions.report_card(outcome.version)
        screen = ReportCardScreen(card, active=outcome.used, can_activate=not outcome.used)
        self.app.push_screen(screen, choose)

    def settle_outcome(self) -> None:
        """Undo the version that the last run made, or use it where the user is asked first."""
        self.tuner.settle()
        self.refresh()

    def roll_back(self) -> None:
        """Activate the version before the current one."""
        self.tuner.versions.roll_back()

    def on_swap(self, event: AdapterSwapped | SwapFailed) -> None:
        """Show which version the chat uses now."""
        remark = self.tuner.versions.on_swap(event)
        if isinstance(event, SwapFailed):
            show_error(self.app, event.error)
            self.tuner.outcome = None
        else:
            self.session.adapter_changed(event.version)
            outcome = self.tuner.outcome
            if outcome is None or outcome.version != event.version:
                self.tuner.outcome = None
                title = _("Now using {version}.").format(version=event.version)
                self.app.notify(remark, title=title, timeout=8, markup=False)
        self.chat.taught()
        self.refresh()
