"""The app: what each key, command and event does, in one place.

It paints the first frame at once, opens the home behind it, takes every event of the workers on its
own thread, and ends within seconds whatever runs. The work is done by parts that know nothing of
this class: `Appearance` and `Startup` from the first frame on, those of the `Workspace` once the
home is open. It imports nothing that the first frame can do without; a test holds that.
"""

import logging
import os
import sys
import time
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events, on
from textual.actions import ActionParseResult
from textual.app import App
from textual.binding import Binding, BindingType
from textual.command import CommandPalette, Provider
from textual.dom import DOMNode
from textual.driver import Driver
from textual.screen import Screen

from core.events import (
    AdapterSwapped,
    CandidatesRanked,
    FetchFailed,
    ModelFailed,
    ModelFetched,
    ModelLoading,
    ModelReady,
    ReplyDone,
    ReplyFailed,
    ReplyScored,
    SwapFailed,
    ThoughtChunk,
    TokenChunk,
)
from store.errors import TuteeError
from store.i18n import _
from store.paths import Paths
from tui.app.appearance import Appearance
from tui.app.key_order import Handled, KeyOrder
from tui.app.startup import Startup
from tui.commands.keymap import Keymap, key_name
from tui.error_toasts import errors_shown, guarded
from tui.log import log_to
from tui.messages import Answered, FromCore, Taught, TokensWanted
from tui.screens.opening import OpeningScreen
from tui.terminal.clipboard import copy_to_desktop
from tui.terminal.signals import watch
from tui.theme import DARK

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui.app.workspace import Workspace
    from tui.services import Services

_CTRL_C_SECONDS = 3.0
_KEYBOARD = 0
"""The file descriptor that keys are read from."""
_MEANWHILE = frozenset({"quit", "help_quit"})
"""Actions that work while the home is being opened."""

_log = logging.getLogger(__name__)


def _commands() -> type[Provider]:
    """Return the provider of the palette, imported when it is first opened."""
    from tui.commands.palette import CommandProvider

    return CommandProvider


class TuteeApp(App[bool]):
    """Runs until the user quits; the result says whether all threads had ended by then.

    Args:
        theme: As the settings name it, not yet checked.
        enter: Opens the home and composes the services; called in a thread, once.
    """

    TITLE = "Tutee"
    CSS_PATH = "tutee.tcss"
    COMMANDS: ClassVar = {_commands}
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (76, "-normal"), (100, "-wide")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f1", "help", "Help", show=False, id="app.help"),
        Binding("f2,f3,f4", "rate_elsewhere", "Only in the chat", show=False, id="app.rate"),
        Binding("f5", "tune", "Tune", show=False, id="app.tune"),
        Binding("f6", "compare", "Compare", show=False, id="app.compare"),
        Binding("f7", "records", "Records", show=False, id="app.records"),
        Binding("f8", "export", "Export", show=False, id="app.export"),
        Binding("f9", "settings", "Settings", show=False, id="app.settings"),
        Binding("ctrl+o", "models", "Models", show=False, id="app.models"),
        Binding("ctrl+n", "new_chat", "New chat", show=False, id="chat.new"),
        Binding("ctrl+r", "chats", "Open a chat", show=False, id="chat.open"),
        Binding("ctrl+z", "suspend_process", "To the shell", show=False, id="app.suspend"),
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

    def __init__(
        self,
        paths: Paths,
        theme: object,
        enter: "Callable[[], Services]",
        *,
        light: bool = False,
        few: bool = False,
    ) -> None:
        super().__init__()
        self.animation_level = "none"
        self._paths = paths
        self._first_theme = theme
        self.appearance = Appearance(self, self._write, light=light, few=few)
        self.startup = Startup(self, enter, self._furnish, self._refuse)
        self._workspace: Workspace | None = None
        self.refused: TuteeError | None = None
        """Why the home could not be opened; the app has ended then."""
        self._key_order = KeyOrder(self, super().on_event)
        self._leaving = False
        self._ctrl_c_at = float("-inf")

    @property
    def open(self) -> bool:
        """The home is open, and the chat is on the screen."""
        return self._workspace is not None

    @property
    def workspace(self) -> "Workspace":
        """The parts of the open home."""
        assert self._workspace is not None, "the home is not open yet"
        return self._workspace

    # -- opening ---------------------------------------------------------------------------------

    def get_default_screen(self) -> Screen[None]:
        return OpeningScreen()

    def on_load(self) -> None:
        self._log_handler = log_to(self._paths.log_file)
        self.appearance.begin(self._first_theme)

    def on_mount(self) -> None:
        self.call_after_refresh(self.startup.begin)
        if not self.is_headless:
            watch(lambda: self.call_later(self._cut_off), lambda: self.call_later(self._go_on))

    def on_unmount(self) -> None:
        logging.getLogger().removeHandler(self._log_handler)
        self._log_handler.close()

    def _refuse(self, error: TuteeError) -> None:
        self.refused = error
        self.exit(True)

    async def _furnish(self, services: "Services") -> None:
        from tui.app.workspace import assembled

        opening = self.screen_stack[0]
        assert isinstance(opening, OpeningScreen)
        self.appearance.use_keys(services.config.keys, services.bindings)
        workspace = assembled(self, self.appearance, services)
        services.bridge.connect(lambda event: self.post_message(FromCore(event)))
        workspace.chat.show_status()
        await workspace.chat.show()
        workspace.chat.screen.take_over(opening.sent, opening.written)
        if services.teach is not None:
            with errors_shown(self):
                await workspace.navigation.open_teach(services.teach)
        if services.new:
            await workspace.navigation.open_welcome()
        else:
            workspace.models.start()
        for notice in services.repository.notices:
            self.notify(notice, severity="warning", timeout=15, markup=False)
        self._workspace = workspace

    # -- keys and commands -----------------------------------------------------------------------

    async def on_event(self, event: events.Event) -> None:
        """Hand keys on in their order (`KeyOrder`), and drop a mouse event that fails: what it
        points at may just have been removed."""
        if isinstance(event, events.Key) and not event.is_forwarded:
            await self._key_order.on_key(event)
            return
        try:
            await super().on_event(event)
        except Exception:
            if not isinstance(event, events.MouseEvent):
                raise
            _log.warning("A mouse event was dropped", exc_info=True)
            self.screen.clear_selection()

    async def on_key(self, event: events.Key) -> None:
        """Say why a key of the app does not work in a dialog, which keeps keys to itself."""
        bound = self._bindings.key_to_bindings.get(event.key)
        if not bound or not self.screen.is_modal:
            return
        event.prevent_default()  # the keys of the dialog are looked for here
        if await self._check_bindings(event.key):
            return
        if any(binding.action == "suspend_process" for binding in bound):
            self.action_suspend_process()
        else:
            self.notify(_("{key:app.back} closes this dialog first."), markup=False, timeout=3)

    async def on_handled(self, message: Handled) -> None:
        await self._key_order.on_handled(message)

    async def run_action(
        self,
        action: "str | ActionParseResult",
        default_namespace: DOMNode | None = None,
        namespaces: dict[str, DOMNode] | None = None,  # type: ignore[override]
    ) -> bool:
        """Every key and command passes here, so that its errors end as a toast.

        An action that is not possible now says why, where its screen knows.
        """
        with errors_shown(self):
            done = await super().run_action(action, default_namespace, namespaces)
            if not done:
                self._explain(action, default_namespace)
            return done
        return True

    def _explain(self, action: "str | ActionParseResult", namespace: DOMNode | None) -> None:
        """Raise why `action` is not possible on the screen it belongs to, if that is known."""
        from tui.commands.registry import Explains

        node, name, _parameters = self._parse_action(action, namespace or self)
        if name == "undo":
            return  # the key goes on to what else it does
        if isinstance(node, Explains) and (why := node.obstacle(name)) is not None:
            raise why

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Hide what cannot be done now, and gray out what needs the home until it is open."""
        if not self.open:
            return action in _MEANWHILE or None
        if action == "cancel_tuning":
            return self.workspace.training.can_cancel
        if action in ("show_outcome", "settle_outcome"):
            return self.workspace.training.has_outcome
        if action == "skip_guide":
            return self.workspace.services.config.screen.guide
        return True

    def obstacle(self, action: str) -> TuteeError | None:
        """Why an action is not possible now; None if it is, or there is nothing to say."""
        if not self.open or self.check_action(action, ()):
            return None
        if action == "cancel_tuning":
            return TuteeError(_("No training run is under way."))
        if action == "skip_guide":
            return TuteeError(_("The first steps are hidden already."))
        return None

    def action_help(self) -> None:
        self.workspace.navigation.open_help()

    async def action_models(self, spec: str = "") -> None:
        await self.workspace.navigation.open_models(spec)

    async def action_records(self) -> None:
        await self.workspace.navigation.open_records()

    def action_rate_elsewhere(self) -> None:
        raise TuteeError(
            _("Here is no reply to rate."), _("Rate replies in the chat; Esc leads back there.")
        )

    async def action_new_chat(self) -> None:
        await self.workspace.navigation.to_chat()
        await self.workspace.chat.screen.action_new_chat()

    async def action_chats(self) -> None:
        await self.workspace.navigation.to_chat()
        self.workspace.chat.screen.action_chats()

    async def action_teach(self, wanted: str = "") -> None:
        await self.workspace.navigation.open_teach(wanted)

    async def action_statistics(self) -> None:
        await self.workspace.navigation.open_statistics()

    async def action_import(self) -> None:
        await self.workspace.navigation.open_import(starter=False)

    async def action_starter(self) -> None:
        await self.workspace.navigation.open_import(starter=True)

    async def action_export(self) -> None:
        await self.workspace.navigation.open_export()

    async def action_settings(self) -> None:
        await self.workspace.navigation.open_settings()

    def action_change_theme(self, name: str = "") -> None:
        self.workspace.navigation.open_theme(name)

    def action_skip_guide(self) -> None:
        self.workspace.chat.skip_guide()

    async def action_tune(self) -> None:
        await self.workspace.training.open()

    def action_cancel_tuning(self) -> None:
        self.workspace.training.cancel()

    def action_show_outcome(self) -> None:
        self.workspace.training.show_outcome()

    def action_settle_outcome(self) -> None:
        self.workspace.training.settle_outcome()

    async def action_compare(self) -> None:
        await self.workspace.navigation.open_compare()

    def action_best_of(self) -> None:
        self.workspace.training.best_of()

    def action_roll_back(self) -> None:
        self.workspace.training.roll_back()

    async def action_serve(self, port: str = "") -> None:
        await self.workspace.endpoint.toggle(port)

    def action_command_palette(self) -> None:
        if not CommandPalette.is_open(self.app):
            self.push_screen(
                CommandPalette(id="--command-palette", placeholder=_("Search for commands…"))
            )

    # -- events of the workers and the screens ---------------------------------------------------

    @on(FromCore)
    @guarded
    async def _from_core(self, message: FromCore) -> None:
        parts = self.workspace
        match message.event:
            case ModelLoading() as event:
                parts.models.on_loading(event)
            case ModelFetched() | FetchFailed() as event:
                await parts.models.on_fetched(event)
            case ModelReady() as event:
                parts.chat.tell(event)
                parts.models.on_ready(event)
            case ModelFailed(error):
                parts.models.on_failed(error)
            case (
                ThoughtChunk() | TokenChunk() | ReplyDone() | ReplyFailed() | CandidatesRanked()
            ) as event:
                parts.chat.deliver(event)
            case ReplyScored() as event:
                parts.chat.tell(event)
            case AdapterSwapped() | SwapFailed() as event:
                parts.training.on_swap(event)
            case event:
                await parts.training.on_tuning(event)

    @on(Taught)
    @guarded
    def _taught(self, _: Taught) -> None:
        self.workspace.chat.taught()

    @on(Answered)
    @guarded
    def _answered(self, _: Answered) -> None:
        self.workspace.chat.show_guide()

    @on(TokensWanted)
    def _tokens_wanted(self, event: TokensWanted) -> None:
        self.workspace.navigation.open_tokens(event.records)

    async def on_activity_opened(self) -> None:
        await self.workspace.training.open()

    # -- how it looks ----------------------------------------------------------------------------

    @property
    def keymap(self) -> Keymap:
        """The keys in use."""
        return self.appearance.keymap

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Return the variables that Textual's own themes lack; one is shown before ours."""
        return {"quiet": DARK.variables["quiet"]}

    def get_key_display(self, binding: Binding) -> str:
        """Name a key as the footer shows it."""
        return binding.key_display or key_name(binding.key)

    def notify(self, message: str, *, title: str = "", **options: Any) -> None:
        """Show a toast, with every `{key:ID}` replaced by the name of the user's key.

        The title comes before the message, so that both fit on a line where there is room.
        """
        text = f"{title} {message}" if title.endswith((".", "。", "!", "?")) else message
        if title and text == message:
            text = f"{title}: {message}"
        super().notify(self.keymap.in_text(text), **options)

    def push_screen(self, *args: Any, **options: Any) -> Any:
        """Open a screen without the toasts of the one before.

        Warnings and errors stay until their time is up: they are shown nowhere else.
        """
        for toast in [*self._notifications]:
            if toast.severity == "information":
                self._unnotify(toast, refresh=False)
        return super().push_screen(*args, **options)

    # -- the terminal ----------------------------------------------------------------------------

    def get_driver_class(self) -> type[Driver]:
        usual = super().get_driver_class()
        if sys.platform == "win32":
            return usual
        from tui.terminal.driver import LinuxDriver, TerminalDriver

        return TerminalDriver if usual is LinuxDriver else usual

    def on_app_focus(self, event: events.AppFocus) -> None:
        event.prevent_default()  # nothing looks different with the focus, so nothing is redrawn
        self.appearance.away = False

    def on_app_blur(self, event: events.AppBlur) -> None:
        event.prevent_default()
        self.appearance.away = True

    def copy_to_clipboard(self, text: str) -> None:
        """Copy through the terminal and to the desktop of this machine."""
        super().copy_to_clipboard(text)
        copy_to_desktop(text)

    def _write(self, sequence: str) -> None:
        if self._driver is not None:
            self._driver.write(sequence)

    async def _cut_off(self) -> None:
        """End from outside. Reading stops first: a terminal that is gone never stops sending."""
        if self._driver is not None:
            self._driver.disable_input()
        await self.leave()

    def _go_on(self) -> None:
        """Take the terminal again after the process was stopped, and repaint all of it.

        The shell has changed the terminal meanwhile, even where the app could not give it back.
        """
        if self._driver is not None and self.is_running and os.isatty(_KEYBOARD):
            self._driver.suspend_application_mode()
            self._driver.resume_application_mode()
            self.refresh(layout=True)

    # -- leaving ---------------------------------------------------------------------------------

    def action_help_quit(self) -> None:
        """Ctrl+C with nothing to copy: stop the reply under way, or quit the second time."""
        if self.open:
            chat = self.workspace.chat.screen
            if self.screen is chat and self.workspace.session.replying:
                self.call_later(chat.action_stop)
                return
        if time.monotonic() - self._ctrl_c_at < _CTRL_C_SECONDS:
            self.call_later(self.action_quit)
            return
        self._ctrl_c_at = time.monotonic()
        self.notify(_("Ctrl+C again quits."), timeout=_CTRL_C_SECONDS, markup=False)

    async def action_quit(self) -> None:
        """Leave, after asking where a run would be interrupted."""
        from tui.screens.confirm import ConfirmScreen, quit_dialog

        if not self.open or not self.workspace.tuner.run.running:
            await self.leave()
        elif not self._leaving and not isinstance(self.screen, ConfirmScreen):
            self.push_screen(quit_dialog(), self._quit_if)

    async def _quit_if(self, agreed: bool | None) -> None:
        if agreed:
            await self.leave()

    async def leave(self) -> None:
        """Store what there is, stop the workers within seconds, and end."""
        if self._leaving:
            return
        self._leaving = True
        # Before the home is open, the thread that reads it is left behind.
        self.exit(await self._workspace.close() if self._workspace else False)

    def _fatal_error(self) -> None:
        """A defect outside any guard (Textual ends the app): one sentence, the rest in the log."""
        _log.exception("A defect ended the app")
        self.panic(
            _(
                "Tutee had to close because of a bug. Everything that was stored is safe. "
                "Details: {file}"
            ).format(file=self._paths.log_file)
        )
