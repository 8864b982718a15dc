"""Which screen opens: models, records, settings, themes and help.

Each screen is imported when it is first opened.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual.app import App
from textual.screen import Screen

from store.errors import TuteeError
from store.i18n import _, current_language, resolve_language, set_language
from store.records import Record
from tui.app.appearance import Appearance
from tui.app.chat_status import ChatStatus
from tui.controllers.chat_session import ChatSession
from tui.controllers.models import ModelChooser
from tui.controllers.records import RecordLibrary
from tui.controllers.settings import Settings
from tui.error_toasts import errors_shown
from tui.messages import FromCore
from tui.services import Services

if TYPE_CHECKING:
    from core.config import ThemeName
    from core.events import Event

_TURNS = 100
"""Turns of the event loop in which a screen closes."""


@dataclass(eq=False)
class Navigation:
    """Opens screens, each of them once."""

    app: App[Any]
    services: Services
    library: RecordLibrary
    choosing: ModelChooser
    settings: Settings
    appearance: Appearance
    session: ChatSession
    chat: ChatStatus
    """Redrawn when a screen that changed something is left."""

    # -- models ----------------------------------------------------------------------------------

    async def open_models(self, spec: str = "") -> None:
        """List the base models, or change to the named one; raise TuteeError if that fails."""
        from tui.screens.models import ModelsScreen

        if spec and self.choosing.choose(spec):
            return
        await self._open(ModelsScreen, lambda: ModelsScreen(self.choosing))

    async def open_welcome(self) -> None:
        """Let the user choose a model where none can reply yet."""
        from tui.screens.models import ModelsScreen
        from tui.screens.welcome import WelcomeScreen

        if type(self.app.screen) is ModelsScreen:
            self.app.switch_screen(WelcomeScreen(self.choosing))  # cannot just be left
        else:
            await self._open(ModelsScreen, lambda: WelcomeScreen(self.choosing))

    def tell_models(self, event: "Event") -> None:
        """Send an event to the open screens that follow the base model."""
        for screen in self.app.screen_stack:
            if getattr(screen, "FOLLOWS_MODEL", False):
                screen.post_message(FromCore(event))

    # -- records ---------------------------------------------------------------------------------

    async def open_records(self) -> None:
        """List all records."""
        from tui.screens.records import RecordsScreen

        await self._open(RecordsScreen, lambda: RecordsScreen(self.library))

    async def open_compare(self) -> None:
        """Ask two versions the same question and keep the better reply; raise TuteeError while the
        model is loading."""
        from tui.controllers.comparison import ComparisonController
        from tui.screens.compare import CompareScreen

        question = self.session.conversation.last_question()
        comparing = ComparisonController(self.services, question)
        await self._open(CompareScreen, lambda: CompareScreen(comparing))

    async def open_teach(self, wanted: str = "") -> None:
        """Rate replies one after another; see `queue_items` for the argument and errors."""
        from tui.controllers.teaching_queue import TeachingQueue, queue_items
        from tui.screens.teach import TeachScreen

        if wanted.strip() and any(isinstance(s, TeachScreen) for s in self.app.screen_stack):
            raise TuteeError(_("A teaching queue is open already."), _("Leave it with Esc first."))
        items = queue_items(self.services.repository, wanted, Path.cwd())
        feedback, new_records = self.library.teaching, self.chat.tuner.new_records
        queue = TeachingQueue(self.services, items, feedback, new_records)

        async def left(_: None) -> None:
            if queue.changed:
                with errors_shown(self.app):
                    await self.chat.records_changed()

        await self._open(TeachScreen, lambda: TeachScreen(queue), left)

    def open_tokens(self, records: Sequence[Record]) -> None:
        """Show which tokens of `records` are trained on."""
        from tui.screens.record import RecordScreen

        self.app.push_screen(RecordScreen(self.library, records, 0, {}, tokens=True))

    async def open_statistics(self) -> None:
        """Count the records."""
        from tui.screens.statistics import StatisticsScreen

        await self._open(StatisticsScreen, lambda: StatisticsScreen(self.library))

    async def open_import(self, *, starter: bool) -> None:
        """Import records from files, or from the starter set."""
        from tui.screens.import_records import ImportScreen

        await self._open(ImportScreen, lambda: ImportScreen(self.library, starter=starter))

    async def open_export(self) -> None:
        """Export records as files; raise TuteeError if there are none."""
        from data.exports import dated
        from tui.screens.export_records import ExportScreen

        if not self.library.records():
            raise TuteeError(
                _("There is nothing to export yet."),
                _("Teach with {key:chat.like}, {key:chat.dislike} and {key:chat.correct} first."),
            )
        folder = dated(self.services.paths.exports, datetime.now())
        await self._open(ExportScreen, lambda: ExportScreen(self.library, folder))

    # -- settings and help -----------------------------------------------------------------------

    async def open_settings(self) -> None:
        """Change the settings."""
        from tui.screens.settings import SettingsScreen

        before = self.services.config

        async def left(_: None) -> None:
            # Only now, because choices pass by others on the way, and loading takes seconds.
            config = self.services.config
            if config.serving != before.serving:
                self.services.chat.serve_as(config.serving)
            language = config.screen.language
            if (
                language != before.screen.language
                and resolve_language(language) != current_language()
            ):
                set_language(resolve_language(language))
                await self.chat.rebuild()

        await self._open(SettingsScreen, lambda: SettingsScreen(self.settings), left)

    def open_theme(self, name: str = "") -> None:
        """Try themes on and keep one, or take the one that is named.

        Raises:
            TuteeError: there is no theme of that name, or the settings cannot be written.
        """
        from tui.screens.theme import ThemeScreen
        from tui.views.settings import setting

        theme = setting("screen", "theme")
        if name:
            if name not in theme.options:
                raise TuteeError(
                    _("There is no theme {name}.").format(name=name),
                    _("There are: {names}.").format(names=", ".join(theme.options)),
                )
            self.settings.change(theme, name)
            return

        def keep(name: "ThemeName | None") -> None:
            with errors_shown(self.app):
                if name is None or not self.settings.change(theme, name):
                    self.appearance.try_on(self.services.config.screen.theme)

        shown = self.services.config.screen.theme
        self.app.push_screen(ThemeScreen(shown, self.appearance.try_on), keep)

    def open_help(self) -> None:
        """Explain the open screen and its keys."""
        from tui.commands.key_help import help_sections, help_text
        from tui.screens.help import HelpScreen

        keymap = self.appearance.keymap
        sections = help_sections(self.app.screen, keymap.chosen)
        title, text = help_text(self.app.screen)
        self.app.push_screen(HelpScreen(title, keymap.in_text(text), sections))

    # -- opening ---------------------------------------------------------------------------------

    async def _open(
        self,
        kind: type[Screen[None]],
        make: Callable[[], Screen[None]],
        left: Callable[[None], Awaitable[None]] | None = None,
    ) -> None:
        """Open a screen, or return to the one of its kind that is open; `left` is awaited once it
        is closed."""
        for screen in self.app.screen_stack:
            if isinstance(screen, kind):
                await self._back_to(screen)
                return
        self.app.push_screen(make(), left or self._returned)

    async def to_chat(self) -> None:
        """Return to the chat; raise TuteeError where a screen cannot be left now."""
        await self._back_to(self.chat.screen)

    async def _back_to(self, wanted: Screen[Any]) -> None:
        """Leave the screens above one, each as its own key does; raise TuteeError where one cannot
        be left."""
        while (screen := self.app.screen) is not wanted:
            leave = getattr(screen, "action_leave", None)
            if leave is not None:
                leave()
            elif screen.check_action("dismiss", ()) and screen.is_current:
                screen.dismiss(None)
            for _turn in range(_TURNS):
                if self.app.screen is not screen:
                    break
                await asyncio.sleep(0)
            else:
                raise TuteeError(
                    _("This screen has to be finished first."), _("Then the key works.")
                )

    async def _returned(self, _: None) -> None:
        if self.library.changed:
            self.library.changed = False
            with errors_shown(self.app):
                await self.chat.records_changed()
