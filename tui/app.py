"""The app: screens over controllers over the services it was given.

It starts the model after the first paint, takes every event of the workers on its own thread, and
ends within seconds whatever runs. It imports nothing that the first paint can do without; a test
holds that.
"""

import asyncio
import logging
import time
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.actions import ActionParseResult
from textual.binding import Binding, BindingType
from textual.command import Provider
from textual.dom import DOMNode

from core.events import (
    AdapterSwapped,
    CandidatesRanked,
    Event,
    FetchFailed,
    ModelFailed,
    ModelFetched,
    ModelLoading,
    ModelReady,
    ReplyDone,
    ReplyFailed,
    ReplyScored,
    SwapFailed,
    TokenChunk,
    TuningCancelled,
    TuningDone,
    TuningFailed,
)
from store.errors import TuteeError
from store.language import _, spoken
from tui.guard import errors_shown, guarded, show_error
from tui.keys import keymap
from tui.messages import Asker, FromCore, Taught
from tui.opening import Opening
from tui.screens.opening import OpeningScreen
from tui.widgets.status import Status

if TYPE_CHECKING:
    from core.config import Config
    from tui.progress import TuningEvent
    from tui.screens.chat import ChatScreen
    from tui.screens.tuning import TuningScreen
    from tui.services import Services
    from tui.session import Session
    from tui.tuner import Tuner

CHAT_CLOSE_SECONDS = 2.0
TUNING_CLOSE_SECONDS = 4.0
_CTRL_C_SECONDS = 3.0

_log = logging.getLogger(__name__)


def _commands() -> type[Provider]:
    """The palette's, imported when it is first opened."""
    from tui.commands import Commands

    return Commands


class TuteeApp(Opening):
    """Runs until the person quits; the result says whether all threads had ended by then."""

    TITLE = "Tutee"
    CSS_PATH = "tutee.tcss"
    COMMANDS: ClassVar = {_commands}
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (76, "-normal"), (100, "-wide")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f1", "help", "Help", show=False, id="app.help"),
        Binding("ctrl+q", "quit", "Quit", show=False, priority=True, id="app.quit"),
        Binding(
            "ctrl+p",
            "command_palette",
            "Menu",
            show=False,
            key_display="^p",
            priority=True,
            id="app.menu",
        ),
    ]

    _session: "Session"
    _tuner: "Tuner"
    _chat_screen: "ChatScreen"
    _tuning_screen: "TuningScreen | None" = None
    _model = ""
    _leaving = False
    _ctrl_c_at = float("-inf")

    async def furnish(self, services: "Services") -> None:
        """Put the chat in the place of the opening screen, and start the model."""
        from tui.screens.chat import ChatScreen
        from tui.session import Session
        from tui.tuner import Tuner

        await super().furnish(services)
        self._session = Session(services.repository, services.chat, services.config)
        self._tuner = Tuner(services)
        if services.open_chat:
            self._session.open(services.open_chat)
        self.set_keymap(keymap(services.config.keys))
        self._chat_screen = ChatScreen(self._session, services)
        self._show_status()
        services.bridge.connect(lambda event: self.post_message(FromCore(event)))
        await self._go_to_the_chat()
        self.tell_notices()
        if services.new:
            self.welcome()
        else:
            self._start_model()

    async def _go_to_the_chat(self) -> None:
        opening = self.screen_stack[0]
        assert isinstance(opening, OpeningScreen)
        await self._show_the_chat()
        self._chat_screen.take_over(opening.sent, opening.written)

    async def _show_the_chat(self) -> None:
        """Put it in the place of what is shown; there is always a screen, so each has a mode."""
        before, mode = self.current_mode, f"chat-{spoken()}"
        self.add_mode(mode, lambda: self._chat_screen)
        await self.switch_mode(mode)
        if before.startswith("chat-"):
            await self.remove_mode(before)

    def on_unmount(self) -> None:
        logging.getLogger().removeHandler(self._log_handler)
        self._log_handler.close()

    def _configured(self, config: "Config") -> None:
        super()._configured(config)
        self._session.configure(self._services.config)

    # -- errors ----------------------------------------------------------------------------------

    async def run_action(
        self,
        action: "str | ActionParseResult",
        default_namespace: DOMNode | None = None,
        namespaces: dict[str, DOMNode] | None = None,  # type: ignore[override]
    ) -> bool:
        """Every key and command passes here, so that its errors end as a toast."""
        with errors_shown(self):
            return await super().run_action(action, default_namespace, namespaces)
        return True

    def _fatal_error(self) -> None:
        """A defect outside any guard (Textual ends the app): one sentence, the rest in the log."""
        _log.exception("A defect ended the app")
        self.panic(
            _(
                "Tutee met a defect and had to close. Everything that was stored is safe. "
                "What happened is in {file}"
            ).format(file=self._paths.log_file)
        )

    # -- the model -------------------------------------------------------------------------------

    def _start_model(self) -> None:
        from tui.widgets.activity import loading_line

        services = self._services
        self._chat_screen.activity = loading_line(ModelLoading(_("Loading the model")))
        services.chat.start(services.config.chat.model, services.paths.cache, services.paths.models)

    @on(FromCore)
    @guarded
    async def _from_core(self, message: FromCore) -> None:
        match message.event:
            case ModelLoading() as event:
                self._choosing.on_loading(event)
                self._show_loading(event)
            case ModelFetched() | FetchFailed() as event:
                self._fetched(event)
            case ModelReady() as event:
                self._to_chat(event)
                await self._model_ready(event)
            case ModelFailed(error):
                self._model_failed(error)
            case TokenChunk() | ReplyDone() | ReplyFailed() | CandidatesRanked() as event:
                self._to_asker(event)
                if isinstance(event, ReplyDone):
                    self.call_after_refresh(self._show_guide)
            case ReplyScored() as event:
                self._to_chat(event)
            case AdapterSwapped() | SwapFailed() as event:
                await self._swapped(event)
            case event:
                await self._tuning_went_on(event)

    def _to_chat(self, event: Event) -> None:
        self._chat_screen.post_message(FromCore(event))

    def _show_loading(self, event: ModelLoading) -> None:
        from tui.widgets.activity import loading_line

        if not self._tuner.running:
            self._chat_screen.activity = loading_line(event, self._choosing.note)
        self.tell_models(event)

    def _fetched(self, event: ModelFetched | FetchFailed) -> None:
        self._show_activity()
        self.tell_models(event)
        if isinstance(event, FetchFailed) and not self._model:
            self.welcome()
        remark = self._choosing.on_fetched(event)
        self.notify(
            remark, title=_("{model} is on this machine.").format(model=event.spec), markup=False
        )

    def _model_failed(self, error: TuteeError) -> None:
        self._show_activity()
        self._choosing.failed()
        if self._model:
            show_error(self, error)
        else:
            from tui.screens.failure import FailureScreen

            screen = FailureScreen(error, self._paths.log_file)
            self.push_screen(screen, lambda _: self._start_model())

    def _to_asker(self, event: TokenChunk | ReplyDone | ReplyFailed | CandidatesRanked) -> None:
        """Tell the screen that waits for that reply; what none does is the chat's, or too late."""
        for screen in self.screen_stack:
            if isinstance(screen, Asker) and screen.asked(event.request_id):
                screen.post_message(FromCore(event))
                return
        self._to_chat(event)

    async def _model_ready(self, event: ModelReady) -> None:
        self.drop_failure()
        if self._model:
            self.notify(_("{who} answers from now on.").format(who=event.label), markup=False)
        if event.notice:
            self.notify(event.notice, severity="warning", timeout=15, markup=False)
        self._model = event.label
        self._choosing.loaded()
        self._tuner.model_ready(event.adapter)
        self._show_status()
        self._count_new()
        with errors_shown(self):
            self._tuner.look_for_unfinished()
        await self._renew_tuning()

    async def _swapped(self, event: AdapterSwapped | SwapFailed) -> None:
        remark = self._tuner.on_swap(event)
        if isinstance(event, SwapFailed):
            show_error(self, event.error)
        else:
            self._session.adapter_changed(event.version)
            title = _("{who} answers from now on.").format(who=event.version)
            self.notify(remark, title=title, timeout=8, markup=False)
        self._show_status()
        self._count_new()
        await self._renew_tuning()

    # -- what is shown around the chat -----------------------------------------------------------

    def _show_activity(self) -> None:
        from tui.widgets.activity import offer_line, tuning_line

        progress = self._tuner.progress
        active = progress is not None and progress.active
        line = tuning_line(progress) if progress and active else None
        if line is None and self._tuner.unfinished is not None:
            line = offer_line(_("A training run was interrupted. F5 goes on with it, or drops it."))
        self._chat_screen.activity = line

    @on(Taught)
    @guarded
    def _taught(self, _: Taught) -> None:
        self._show_status()

    async def records_changed(self) -> None:
        await self._chat_screen.renew()
        self._show_status()

    async def said_anew(self) -> None:
        """Go back to the chat, on a new screen; what stands in the prompt goes along."""
        from tui.screens.chat import ChatScreen

        while self.screen is not self._chat_screen:
            await self.screen.dismiss()
        written = self._chat_screen.written
        self._chat_screen = ChatScreen(self._session, self._services)
        await self._show_the_chat()
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

        self.run_worker(count(), group="new", exclusive=True)

    def _show_guide(self) -> None:
        """Say what to do next, to who does it for the first time."""
        self._chat_screen.guide = self.next_step() if self._services.config.screen.guide else ""

    def action_skip_guide(self) -> None:
        """Hide the first steps for good."""
        self.forget_guide()
        self._show_guide()

    # -- tuning ----------------------------------------------------------------------------------

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
        progress = self._tuner.on_tuning(event)
        match event:
            case TuningDone(adapter=None) | TuningCancelled():
                # A new adapter is announced once the chat answers with it.
                self.notify(progress.message, markup=False)
            case TuningFailed(error):
                show_error(self, error)
        if progress.active:
            self._show_progress()
        else:
            self.call_back(progress.message)
            await self._renew_tuning()

    def _show_progress(self) -> None:
        self._show_activity()
        if self._tuning_screen is not None:
            self._tuning_screen.progress = self._tuner.progress

    async def _renew_tuning(self) -> None:
        self._show_progress()
        if self._tuning_screen is not None:
            await self._tuning_screen.renew()

    def action_compare(self) -> None:
        """Ask two versions the same, and keep which reply is better."""
        from tui.comparing import Comparing
        from tui.screens.compare import CompareScreen

        self.push_screen(CompareScreen(Comparing(self._services, self._session.last_question())))

    def action_best_of(self) -> None:
        """Draw the last reply again several times, and let the person pick."""
        from tui.candidates import Candidates
        from tui.screens.candidates import CandidatesScreen

        candidates = Candidates(self._services, self._session.last_exchange())

        async def pick(index: int | None) -> None:
            if index is not None:
                with errors_shown(self):
                    self.notify(candidates.pick(index), timeout=6, markup=False)
                    await self.records_changed()

        self.push_screen(CandidatesScreen(candidates), pick)

    def action_roll_back(self) -> None:
        """Answer with the version that was active before."""
        self._tuner.roll_back()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave out what cannot be done now."""
        if not self.open:
            return super().check_action(action, parameters)
        if action == "cancel_tuning":
            progress = self._tuner.progress
            return progress is not None and progress.state in ("running", "paused")
        if action == "skip_guide":
            return self._services.config.screen.guide
        return True

    def action_cancel_tuning(self) -> None:
        """Stop the run under way."""
        self._tuner.cancel()
        self._show_progress()

    # -- leaving --------------------------------------------------------------------------------

    def action_help_quit(self) -> None:
        """Ctrl+C with nothing to copy: stops the reply under way, or else quits the second time."""
        if self.open and self.screen is self._chat_screen and self._session.replying:
            self.call_later(self._chat_screen.action_stop)
            return
        if time.monotonic() - self._ctrl_c_at < _CTRL_C_SECONDS:
            self.call_later(self.action_quit)
            return
        self._ctrl_c_at = time.monotonic()
        self.notify(_("Ctrl+C again quits."), timeout=_CTRL_C_SECONDS, markup=False)

    async def action_quit(self) -> None:
        """Leave, after asking where a run would be interrupted."""
        from tui.screens.confirm import ConfirmScreen, question_of_quitting

        if self._leaving:
            return
        if not self.open or not self._tuner.running:
            await self.leave()
        elif not isinstance(self.screen, ConfirmScreen):
            self.push_screen(question_of_quitting(), self._quit_if)

    async def _quit_if(self, agreed: bool | None) -> None:
        if agreed:
            await self.leave()

    async def leave(self) -> None:
        """Keep what there is, stop the workers within seconds, and end."""
        if self._leaving:
            return
        self._leaving = True
        if not self.open:
            await super().leave()
            return
        with errors_shown(self):
            self._session.close()
        # In threads, so that the screen stays alive; both wait a bounded time.
        ended = await asyncio.gather(
            asyncio.to_thread(self._services.chat.close, CHAT_CLOSE_SECONDS),
            asyncio.to_thread(self._services.tuning.close, TUNING_CLOSE_SECONDS),
        )
        self.exit(all(ended))
