"""The app: screens over controllers over the services it was given.

It starts the model after the first paint, takes every event of the workers on its own thread, and
ends within seconds whatever runs. It imports nothing that the first paint can do without; a test
holds that. Its parts, each on top of the one before: how it looks (`tui.app.appearance`), the ways
to its screens (`tui.app.navigation`), the first frame (`tui.app.startup`), the chat
(`tui.app.chat_status`), `tui.app.training`.
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
)
from store.errors import TuteeError
from store.i18n import _
from tui.app.training import Training
from tui.error_toasts import errors_shown, guarded, show_error
from tui.messages import Asker, FromCore
from tui.screens.opening import OpeningScreen

if TYPE_CHECKING:
    from core.config import Config
    from tui.services import Services

CHAT_CLOSE_SECONDS = 2.0
TUNING_CLOSE_SECONDS = 4.0
_CTRL_C_SECONDS = 3.0

_log = logging.getLogger(__name__)


def _commands() -> type[Provider]:
    """The palette's, imported when it is first opened."""
    from tui.commands.palette import Commands

    return Commands


class TuteeApp(Training):
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

    _leaving = False
    _ctrl_c_at = float("-inf")

    async def furnish(self, services: "Services") -> None:
        """Put the chat in the place of the opening screen, and start the model."""
        from tui.controllers.session import Session
        from tui.controllers.tuning import TuningController
        from tui.screens.chat import ChatScreen

        await super().furnish(services)
        self._session = Session(services.repository, services.chat, services.config)
        self._tuner = TuningController(services)
        if services.open_chat:
            self._session.open(services.open_chat)
        self._binding_tables = services.bindings
        self.choose_keys(services.config.keys)
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
        await self.show_the_chat()
        self._chat_screen.take_over(opening.sent, opening.written)

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

        if not self._tuner.run.running:
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
            from tui.screens.load_failure import LoadFailureScreen

            screen = LoadFailureScreen(error, self._paths.log_file)
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
        self.tell_models(event)
        self._tuner.on_model_ready(event.adapter)
        self._show_status()
        self._count_new()
        with errors_shown(self):
            self._tuner.interrupted.find()
        await self._renew_tuning()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave out what cannot be done now."""
        if not self.open:
            return super().check_action(action, parameters)
        if action == "cancel_tuning":
            progress = self._tuner.run.progress
            return progress is not None and progress.state in ("running", "paused")
        if action == "skip_guide":
            return self._services.config.screen.guide
        return True

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
        from tui.screens.confirm import ConfirmScreen, quit_dialog

        if self._leaving:
            return
        if not self.open or not self._tuner.run.running:
            await self.leave()
        elif not isinstance(self.screen, ConfirmScreen):
            self.push_screen(quit_dialog(), self._quit_if)

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
