"""The ways from the app to the screens about models, records and settings; what the store tells.

Each screen is imported when it is first opened, and what lies behind them once the home is open, so
that the first paint waits for none of it.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from textual import on
from textual.screen import Screen

from store.errors import TuteeError
from store.i18n import _, current_language, resolve_language, set_language
from tui.app.appearance import Looks
from tui.error_toasts import errors_shown
from tui.messages import FromCore, TokensWanted

if TYPE_CHECKING:
    from core.config import Config
    from core.events import Event
    from tui.controllers.models import Choosing
    from tui.controllers.records import Library
    from tui.services import Services


class Doors(Looks):
    """The part of the app that opens screens about records."""

    _services: "Services"
    _library: "Library"
    _choosing: "Choosing"

    async def furnish(self, services: "Services") -> None:
        """Take what lies behind the screens; until then none of them can be opened."""
        from tui.controllers.models import Choosing
        from tui.controllers.records import Library

        self._services = services
        self._config = services.config
        self._library = Library(services)
        self._choosing = Choosing(services)

    def _configured(self, config: "Config") -> None:
        self._services.configure(config)
        super()._configured(self._services.config)

    def action_models(self, spec: str = "") -> None:
        """Choose the base model, or take the one that is named."""
        from tui.screens.models import ModelsScreen

        if spec and self._choosing.choose(spec):
            return
        self._open(ModelsScreen, lambda: ModelsScreen(self._choosing))

    def welcome(self) -> None:
        """Let the person choose a model where none can answer yet."""
        from tui.screens.models import ModelsScreen
        from tui.screens.welcome import WelcomeScreen

        if type(self.screen) is ModelsScreen:
            self.switch_screen(WelcomeScreen(self._choosing))  # one that is not just left
        else:
            self._open(ModelsScreen, lambda: WelcomeScreen(self._choosing))

    def drop_failure(self) -> None:
        """Leave the screen that says why no model can answer: one can."""
        from tui.screens.load_failure import FailureScreen

        if isinstance(self.screen, FailureScreen):
            self.pop_screen()

    def tell_models(self, event: "Event") -> None:
        """Tell the screen of models, if it is open."""
        from tui.screens.models import ModelsScreen

        self._to_screen(ModelsScreen, event)

    def tell_notices(self) -> None:
        """Say what the store had to do when it was opened."""
        for notice in self._services.repository.notices:
            self.notify(notice, severity="warning", timeout=15, markup=False)

    def next_step(self) -> str:
        """What to do next, for who does it all for the first time; empty once it is done."""
        from tui.views.next_step import next_step

        repository, adapters = self._services.repository, self._services.chat.adapters
        step = next_step(
            repository.counts(),
            answered=repository.answered(),
            trained=adapters is not None and bool(adapters.versions()),
            ready=self._services.config.tuning.sft_minimum,
        )
        if not step:
            self.forget_guide()
        return self.with_keys(step)

    def action_records(self) -> None:
        """Look through everything that was taught."""
        from tui.screens.records import RecordsScreen

        self._open(RecordsScreen, lambda: RecordsScreen(self._library))

    @on(TokensWanted)
    def _tokens_wanted(self, event: TokensWanted) -> None:
        from tui.screens.record import RecordScreen

        self.push_screen(RecordScreen(self._library, event.records, 0, {}, tokens=True))

    def action_statistics(self) -> None:
        """Count it, and see what is thin."""
        from tui.screens.statistics import StatisticsScreen

        self._open(StatisticsScreen, lambda: StatisticsScreen(self._library))

    def action_import(self) -> None:
        """Bring in what was taught elsewhere."""
        self._open_import(starter=False)

    def action_starter(self) -> None:
        """Look at the starter set, and take it or leave it."""
        self._open_import(starter=True)

    def _open_import(self, *, starter: bool) -> None:
        from tui.screens.import_records import ImportScreen

        self._open(ImportScreen, lambda: ImportScreen(self._library, starter=starter))

    def action_export(self) -> None:
        """Choose what of the records to write, and where."""
        from data.exports import dated
        from tui.screens.export_records import ExportScreen

        if not self._library.records():
            raise TuteeError(
                _("There is nothing to export yet."), _("Teach with F2, F3 and F4 first.")
            )
        folder = dated(self._services.paths.exports, datetime.now())
        self._open(ExportScreen, lambda: ExportScreen(self._library, folder))

    def action_settings(self) -> None:
        """Change what can be set."""
        from tui.screens.settings import SettingsScreen

        before = self._services.config

        async def left(_: None) -> None:
            # Only now, because a choice passes by others on its way, and loading takes seconds.
            config = self._services.config
            if config.serving != before.serving:
                self._services.chat.serve_as(config.serving)
            language = config.screen.language
            if (
                language != before.screen.language
                and resolve_language(language) != current_language()
            ):
                set_language(resolve_language(language))
                await self.said_anew()

        self._open(SettingsScreen, lambda: SettingsScreen(self._settings), left)

    def _open(
        self,
        kind: type[Screen[None]],
        make: Callable[[], Screen[None]],
        left: Callable[[None], Awaitable[None]] | None = None,
    ) -> None:
        """Open a screen, unless one of its kind is open already."""
        if not any(isinstance(screen, kind) for screen in self.screen_stack):
            self.push_screen(make(), left or self._came_back)

    def _to_screen(self, kind: type[Screen[Any]], event: "Event") -> None:
        """Tell the screen of that kind, if it is still open."""
        for screen in self.screen_stack:
            if isinstance(screen, kind):
                screen.post_message(FromCore(event))

    async def _came_back(self, _: None) -> None:
        if self._library.changed:
            self._library.changed = False
            with errors_shown(self):
                await self.records_changed()

    async def records_changed(self) -> None:
        """What is on the screens behind is stale."""
        raise NotImplementedError

    async def said_anew(self) -> None:
        """Another language is spoken: what is on the screens behind is in the one before."""
        raise NotImplementedError
