"""F9: all settings, with help. A value is written when the focus leaves it."""

from collections.abc import Iterator
from itertools import islice
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Static

from store.i18n import _
from tui.controllers.settings import Settings
from tui.error_toasts import guarded
from tui.theme import MUTED
from tui.views.settings import SECTIONS, Setting, all_settings, format_value
from tui.widgets.footer import Footer
from tui.widgets.form import FORM_KEYS
from tui.widgets.settings import SettingRow

_AT_ONCE = 8
"""Rows added between two checks for input."""


class _Rows(VerticalScroll, can_focus=False):
    BINDINGS: ClassVar[list[BindingType]] = FORM_KEYS

    def action_page_up(self) -> None:
        self._page(-1)

    def action_page_down(self) -> None:
        self._page(1)

    def _page(self, pages: int) -> None:
        """Focus the setting a page away: if only the view scrolled, ↓ would scroll it back."""
        rows = [*self.query(SettingRow)]
        at = next((place for place, row in enumerate(rows) if row.has_focus_within), 0)
        to = at + pages * max(self.size.height - 2, 1)
        rows[min(max(to, 0), len(rows) - 1)].control.focus()


class SettingsScreen(Screen[None]):
    """One row per setting, and below them help on the focused one."""

    TITLE = "Settings"
    HELP = """A value is written to the file when you leave it or press Enter; comments in the file
        stay. A dot marks values that differ from the default. If a change affects how the chat
        model is loaded, it is loaded again when you leave."""
    AUTO_FOCUS = "SettingRow Lines"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+z", "undo", "Undo", key_display="^z", id="settings.undo"),
        Binding("ctrl+r", "reset", "Default", key_display="^r", id="settings.reset"),
        Binding("escape", "leave", "Back", key_display="Esc", id="app.back"),
        Binding("f9", "leave", "Back", show=False, id="app.settings"),
    ]

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._settings = settings
        self._below = self._rows()
        """Rows still to be mounted; mounting all at once would delay the first frame."""
        self._row: SettingRow | None = None
        """The focused row."""

    def compose(self) -> ComposeResult:
        yield Static(id="settings-title")
        with _Rows(id="settings"):
            yield from islice(self._below, max(self.app.size.height, _AT_ONCE))
        yield Static(id="settings-said")
        yield Footer(compact=True, show_command_palette=True)

    def on_mount(self) -> None:
        place = Content.assemble((_("Settings"), "bold"), "  ", (str(self._settings.path), MUTED))
        self.query_one("#settings-title", Static).update(place)
        self.call_after_refresh(self._add)

    async def _add(self) -> None:
        """Mount some more rows, and continue after the next refresh."""
        more = [*islice(self._below, _AT_ONCE)]
        if more and self.is_attached:
            await self.query_one(_Rows).mount_all(more)
            self.call_after_refresh(self._add)

    def _rows(self) -> Iterator[Widget]:
        section = ""
        for setting in all_settings():
            if setting.section != section:
                section = setting.section
                yield Static(Content(_(SECTIONS[section])).stylize("bold"), classes="section")
            yield SettingRow(setting, self._text(setting))

    def _text(self, setting: Setting) -> str:
        return format_value(self._settings.value(setting))

    # -- changing --------------------------------------------------------------------------------

    @on(SettingRow.Focused)
    def _came_to(self, event: SettingRow.Focused) -> None:
        self._row = event.row
        self._tell()

    @on(SettingRow.Edited)
    def _edited(self, event: SettingRow.Edited) -> None:
        self._tell()

    @on(SettingRow.Submitted)
    @guarded
    def _submitted(self, event: SettingRow.Submitted) -> None:
        row = event.row
        if not self._settings.problem(row.setting, row.text):
            if self._settings.change(row.setting, row.text):
                self._renew()
        elif self.focused is None or row not in self.focused.ancestors:
            # The user moved on: say what is wrong, and show the stored value again.
            self.notify(self._settings.problem(row.setting, row.text), markup=False, timeout=4)
            self._show(row)
        self._tell()

    def action_reset(self) -> None:
        if self._row is not None:
            self._settings.reset(self._row.setting)
            self._renew()

    def action_undo(self) -> None:
        self._settings.undo()
        self._renew()

    def action_leave(self) -> None:
        """Leave; if the edited value is invalid, restore the stored one instead."""
        row = self._row
        if row is not None and row.edited:
            if self._settings.problem(row.setting, row.text):
                self._show(row)
                self._tell()
                return
            self._settings.change(row.setting, row.text)
        self.dismiss(None)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "undo":
            return self._settings.undoable or None
        return True

    # -- drawing ---------------------------------------------------------------------------------

    def _renew(self) -> None:
        for row in self.query(SettingRow):
            self._show(row)
        self._tell()

    def _show(self, row: SettingRow) -> None:
        row.show(self._text(row.setting))

    def _tell(self) -> None:
        row = self._row
        if row is None:
            return
        setting = row.setting
        problem = self._settings.problem(setting, row.text)
        row.mark_invalid(bool(problem))
        value = format_value(setting.default) or _("empty")
        default = _("default: {default}").format(default=value)
        facts = " · ".join(filter(None, (default, setting.bounds)))
        said = Content(problem).stylize("$text-error") if problem else Content(facts).stylize(MUTED)
        self.query_one("#settings-said", Static).update(said + "\n" + _(setting.help))
        self.refresh_bindings()
