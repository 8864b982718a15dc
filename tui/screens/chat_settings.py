"""The settings of one conversation: its system prompt and sampling."""

from collections.abc import Mapping
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static, TextArea

from core.config import Preset
from store.i18n import N_, _
from store.records import Sampling
from tui.commands.keymap import keyed
from tui.controllers.open_conversation import ChatSettings
from tui.controllers.presets import DEFAULT, sampling_settings, with_values
from tui.error_toasts import errors_shown
from tui.views.settings import format_value
from tui.widgets.form import FORM_KEYS, Choice, Field
from tui.widgets.settings import Lines

_KEYS = N_("{key:app.save} saves · empty: as in the settings ({key:app.settings}) · Esc cancels")


class ChatSettingsScreen(ModalScreen[ChatSettings | None]):
    """Returns the new settings of the conversation; None if cancelled."""

    TITLE = "This chat"
    HELP = """The system prompt and sampling of this chat alone, from the next reply on. Empty
        fields use the settings ({key:app.settings}). A preset fills in the fields."""
    AUTO_FOCUS = "#system-prompt"
    BINDINGS: ClassVar[list[BindingType]] = [
        *FORM_KEYS,
        Binding("ctrl+s", "save", "Save", id="app.save"),
        Binding("escape", "dismiss", "Cancel", id="app.back"),
        Binding("f1", "app.help", "Help", show=False, id="app.help"),
    ]

    def __init__(
        self, own: ChatSettings, default: ChatSettings, presets: Mapping[str, Preset]
    ) -> None:
        super().__init__()
        self._own = own
        self._default = default
        self._default_sampling = default.sampling or Sampling()
        self._presets = presets

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(Content(_("This chat")).stylize("bold"), classes="dialog-title")
            yield Static(_("System prompt"), classes="dim", markup=False)
            lines = Lines(self._own.system_prompt)
            lines.id = "system-prompt"
            lines.placeholder = self._default.system_prompt
            yield lines
            with Horizontal(id="preset-row"):
                yield Static(_("Preset"), classes="label", markup=False)
                yield Choice(("—", DEFAULT, *self._presets), id="preset")
            for setting in sampling_settings():
                standard = format_value(getattr(self._default_sampling, setting.name))
                yield Field(setting.label, self._text(setting.name), standard, id=setting.name)
            yield Static(keyed(self, _(_KEYS)), classes="dialog-keys", markup=False)

    def _text(self, name: str) -> str:
        sampling = self._own.sampling
        return format_value(getattr(sampling, name)) if sampling else ""

    @on(Choice.Changed)
    def _preset_chosen(self) -> None:
        preset = self._presets.get(self.query_one(Choice).value)
        for setting in sampling_settings():
            value = format_value(getattr(preset, setting.name)) if preset else ""
            self.query_one(f"#{setting.name}", Field).input.value = value
        if preset and preset.system_prompt:
            self.query_one("#system-prompt", TextArea).text = preset.system_prompt

    @on(Input.Submitted)
    def action_save(self) -> None:
        values = {s.name: self.query_one(f"#{s.name}", Field).value for s in sampling_settings()}
        written = {name: value for name, value in values.items() if value}
        with errors_shown(self.app):
            sampling = with_values(self._default_sampling, written) if written else None
            system_prompt = self.query_one("#system-prompt", TextArea).text.strip()
            self.dismiss(ChatSettings(system_prompt, sampling, self._own.recall))
