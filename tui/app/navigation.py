"""Which screen opens: models, records, settings, themes and help.

Each screen is imported when it is first opened.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from textual.app import App
from textual.screen import Screen

from store.errors import TuteeError
from store.i18n import _, current_language, resolve_language, set_language
from store.records import Record
from tui.app.appearance import Appearance
from tui.app.chat_status import ChatStatus
from tui.controllers.models import ModelChooser
from tui.controllers.records import RecordLibrary
from tui.controllers.settings import Settings
from tui.error_toasts import errors_shown
from tui.messages import FromCore
from tui.services import Services

if TYPE_CHECKING:
    from core.config import ThemeName
    from core.events import Event


@dataclass(eq=False)
class Navigation:
    """Opens screens, each of them once."""

    app: App[Any]
    services: Services
    library: RecordLibrary
    choosing: ModelChooser
    settings: Settings
    appearance: Appearance
    chat: ChatStatus
    """Redrawn when a screen that changed something is left."""

    # -- models ----------------------------------------------------------------------------------

    def open_models(self, spec: str = "") -> None:
        """List the base models, or change to the named one; raise TuteeError if that fails."""
        from tui.screens.models import ModelsScreen

        if spec and self.choosing.choose(spec):
            return
        self._open(ModelsScreen, lambda: ModelsScreen(self.choosing))

    def open_welcome(self) -> None:
        """Let the user choose a model where none can reply yet."""
        from tui.screens.models import ModelsScreen
        from tui.screens.welcome import WelcomeScreen

        if type(self.app.screen) is ModelsScreen:
            self.app.switch_screen(WelcomeScreen(self.choosing))  # cannot just be left
        else:
            self._open(ModelsScreen, lambda: WelcomeScreen(self.choosing))

    def tell_models(self, event: "Event") -> None:
        """Send an event to the screen of models, if it is open."""
        from tui.screens.models import ModelsScreen

        for screen in self.app.screen_stack:
            if isinstance(screen, ModelsScreen):
                screen.post_message(FromCore(event))

    # -- records ---------------------------------------------------------------------------------

    def open_records(self) -> None:
        """List all records."""
        from tui.screens.records import RecordsScreen

        self._open(RecordsScreen, lambda: RecordsScreen(self.library))

    def open_tokens(self, records: Sequence[Record]) -> None:
        """Show which tokens of `records` are trained on."""
        from tui.screens.record import RecordScreen

        self.app.push_screen(RecordScreen(self.library, records, 0, {}, tokens=True))

    def open_statistics(self) -> None:
        """Count the records."""
        from tui.screens.statistics import StatisticsScreen

        self._open(StatisticsScreen, lambda: StatisticsScreen(self.library))

    def open_import(self, *, starter: bool) -> None:
        """Import records from files, or from the starter set."""
        from tui.screens.import_records import ImportScreen

        self._open(ImportScreen, lambda: ImportScreen(self.library, starter=starter))

    def open_export(self) -> None:
        """Export records as files; raise TuteeError if there are none."""
        from data.exports import dated
        from tui.screens.export_records import ExportScreen

        if not self.library.records():
            raise TuteeError(
                _("There is nothing to export yet."),
                _("Teach with {key:chat.like}, {key:chat.dislike} and {key:chat.correct} first."),
            )
        folder = dated(self.services.paths.exports, datetime.now())
        self._open(ExportScreen, lambda: ExportScreen(self.library, folder))

    # -- settings and help -----------------------------------------------------------------------

    def open_settings(self) -> None:
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

        self._open(SettingsScreen, lambda: SettingsScreen(self.settings), left)

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

    def _open(
        self,
        kind: type[Screen[None]],
        make: Callable[[], Screen[None]],
        left: Callable[[None], Awaitable[None]] | None = None,
    ) -> None:
        """Open a screen, unless one of its kind is open; `left` is awaited once it is closed."""
        if not any(isinstance(screen, kind) for screen in self.app.screen_stack):
            self.app.push_screen(make(), left or self._returned)

    async def _returned(self, _: None) -> None:
        if self.library.changed:
            self.library.changed = False
            with errors_shown(self.app):
                await self.chat.records_changed()
