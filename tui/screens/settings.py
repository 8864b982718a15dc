"""F9: all settings, with help. A value is written when the focus leaves it."""

from collections.abc import Iterator
from itertools import islice
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input, Static, TextArea

from store.i18n import N_, _
from tui.controllers.settings import Settings
from tui.error_toasts import guarded
from tui.theme import MUTED
from tui.views.settings import SECTIONS, Setting, all_settings, format_value
from tui.widgets.footer import Footer
from tui.widgets.form import FORM_KEYS, writes
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


class _Filter(Input):
    """Finds settings; ↓ and Enter lead to them."""

    HELP = "In the filter"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,enter", "app.focus_next", "To the settings", show=False, id="settings.down"),
        Binding("escape", "clear", "Show all", show=False, id="settings.clear"),
    ]

    def action_clear(self) -> None:
        self.value = ""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave Esc to the screen where nothing is to clear."""
        return bool(self.value) if action == "clear" else True


class SettingsScreen(Screen[None]):
    """One row per setting, and below them help on the focused one."""

    TITLE = "Settings"
    HELP = """A value is written to the file when you leave it or press Enter; comments in the file
        stay. A dot marks values that differ from the default. If a change affects how the chat
        model is loaded, it is loaded again when you leave. Type to find a setting;
        {key:settings.all} shows the advanced ones too."""
    AUTO_FOCUS = "#settings-filter"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+z", "undo", "Undo", key_display="^z", id="settings.undo"),
        Binding("ctrl+d", "reset", "Default", key_display="^d", priority=True, id="settings.reset"),
        Binding(
            "ctrl+a",
            "show_all",
            "Show all",
            key_display="^a",
            tooltip=N_("Show the advanced settings too, or only the basic ones"),
            priority=True,
            id="settings.all",
        ),
        Binding("ctrl+f", "find", "Find", show=False, id="settings.find"),
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
        self._all = False
        """The advanced settings are shown."""

    def compose(self) -> ComposeResult:
        yield Static(id="settings-title")
        hint = _("type to find a setting")
        yield _Filter(placeholder=hint, compact=True, id="settings-filter")
        with _Rows(id="settings"):
            yield from islice(self._below, max(self.app.size.height, _AT_ONCE))
        yield Static(id="settings-said")
        yield Footer(compact=True, show_command_palette=True)

    def on_mount(self) -> None:
        place = Content.assemble((_("Settings"), "bold"), "  ", (str(self._settings.path), MUTED))
        self.query_one("#settings-title", Static).update(place)
        self._filter()
        self.call_after_refresh(self._add)

    async def _add(self) -> None:
        """Mount some more rows, and continue after the next refresh."""
        more = [*islice(self._below, _AT_ONCE)]
        if more and self.is_attached:
            await self.query_one(_Rows).mount_all(more)
            self._filter()
            self.call_after_refresh(self._add)

    def _rows(self) -> Iterator[Widget]:
        section = ""
        for setting in all_settings():
            if setting.section != section:
                section = setting.section
                yield Static(Content(_(SECTIONS[section])).stylize("bold"), classes="section")
            yield SettingRow(setting, self._text(setting))

    # -- finding ---------------------------------------------------------------------------------

    @on(Input.Changed, "#settings-filter")
    def _filter(self) -> None:
        """Show the rows that match, or else the basic ones, under their headings."""
        words = self.query_one(_Filter).value
        heading: Static | None = None
        for child in self.query_one(_Rows).children:
            if isinstance(child, SettingRow):
                setting = child.setting
                shown = setting.matches(words) if words.strip() else self._all or setting.basic
                child.display = shown
                if heading is not None and shown:
                    heading.display = True
            elif isinstance(child, Static):
                heading = child
                heading.display = False

    def on_key(self, event: events.Key) -> None:
        """Type into the filter where the focused row takes no text."""
        takes_text = isinstance(self.focused, Input | TextArea)
        if not takes_text and writes(event):
            filter_ = self.query_one(_Filter)
            filter_.focus()
            filter_.insert_text_at_cursor(event.character or "")
            event.stop()
            event.prevent_default()

    def action_find(self) -> None:
        self.query_one(_Filter).focus()

    def action_show_all(self) -> None:
        self._all = not self._all
        self._filter()

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
