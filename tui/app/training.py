"""Training in the app: the screen for it, what is told of a run, and which version answers then."""

from typing import TYPE_CHECKING

from core.events import (
    AdapterSwapped,
    SwapFailed,
    TuningCancelled,
    TuningDone,
    TuningFailed,
    TuningStarted,
)
from store.i18n import _
from tui.app.chat_status import Front
from tui.error_toasts import errors_shown, show_error

if TYPE_CHECKING:
    from tui.screens.tuning import TuningScreen
    from tui.views.training_progress import TuningEvent


class Training(Front):
    """The part of the app that trains, and compares what was trained."""

    _tuning_screen: "TuningScreen | None" = None

    async def on_activity_opened(self) -> None:
        await self.action_tune()

    async def action_tune(self) -> None:
        """Open the tuning screen."""
        from tui.screens.tuning import TuningScreen

        if self._tuning_screen is None:
            self._tuning_screen = TuningScreen(self._tuner)
            await self.push_screen(self._tuning_screen, self._tuning_closed)

    def _tuning_closed(self, _: None) -> None:
        self._tuning_screen = None
        self._show_activity()

    async def _tuning_went_on(self, event: "TuningEvent") -> None:
        progress = self._tuner.on_event(event)
        match event:
            case TuningDone(adapter=None) | TuningCancelled():
                # A new adapter is announced once the chat answers with it.
                self.notify(progress.message, markup=False)
            case TuningFailed(error):
                show_error(self, error)
        if isinstance(event, TuningStarted) or not progress.active:
            self._show_guide()
        if progress.active:
            self._show_progress()
        else:
            self.call_back(progress.message)
            await self._renew_tuning()

    def _show_progress(self) -> None:
        self._show_activity()
        if self._tuning_screen is not None:
            self._tuning_screen.progress = self._tuner.run.progress

    async def _renew_tuning(self) -> None:
        self._show_progress()
        if self._tuning_screen is not None:
            self._tuning_screen.renew()

    def action_compare(self) -> None:
        """Ask two versions the same, and keep which reply is better."""
        from tui.controllers.comparison import ComparisonController
        from tui.screens.compare import CompareScreen

        self.push_screen(
            CompareScreen(ComparisonController(self._services, self._session.last_question()))
        )

    def action_best_of(self) -> None:
        """Draw the last reply again several times, and let the person pick."""
        from tui.controllers.best_of import BestOfController
        from tui.screens.best_of import BestOfScreen

        candidates = BestOfController(self._services, self._session.last_exchange())

        async def pick(index: int | None) -> None:
            if index is not None:
                with errors_shown(self):
                    self.notify(candidates.pick(index), timeout=6, markup=False)
                    await self.records_changed()

        self.push_screen(BestOfScreen(candidates), pick)

    def action_roll_back(self) -> None:
        """Answer with the version that was active before."""
        self._tuner.versions.roll_back()

    def action_cancel_tuning(self) -> None:
        """Stop the run under way."""
        self._tuner.run.cancel()
        self._show_progress()

    async def _swapped(self, event: AdapterSwapped | SwapFailed) -> None:
        remark = self._tuner.versions.on_swap(event)
        if isinstance(event, SwapFailed):
            show_error(self, event.error)
        else:
            self._session.adapter_changed(event.version)
            title = _("{who} answers from now on.").format(who=event.version)
            self.notify(remark, title=title, timeout=8, markup=False)
        self._show_status()
        self._count_new()
        await self._renew_tuning()
