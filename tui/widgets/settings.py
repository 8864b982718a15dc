"""One setting per row: its name, an editor for its value, and a mark if it is not the default."""

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Static, TextArea

from tui.theme import MUTED
from tui.views.settings import Setting, format_value
from tui.widgets.form import Choice, Toggle
from tui.widgets.safe_text_area import SafeTextArea


class SettingRow(Horizontal):
    """A setting and its value; posts `Edited` on each change and `Submitted` at its end."""

    class _RowMessage(Message):
        def __init__(self, row: "SettingRow") -> None:
            super().__init__()
            self.row = row

    class Edited(_RowMessage):
        """The user is changing the value."""

    class Submitted(_RowMessage):
        """The value is to be written."""

    class Focused(_RowMessage):
        """The row has received the focus."""

    def __init__(self, setting: Setting, text: str) -> None:
        super().__init__(classes=setting.kind)
        self.setting = setting
        self._stored = text

    def compose(self) -> ComposeResult:
        yield Static(classes="label", markup=False)
        yield self._control()

    def _control(self) -> Widget:
        setting = self.setting
        if setting.kind == "switch":
            return Toggle("", on=self._stored == "true")
        if setting.kind == "choice":
            choice = Choice(setting.options)
            choice.choose(self._stored)
            return choice
        if setting.kind == "text":
            return Lines(self._stored)
        field = Input(self._stored, compact=True, select_on_focus=False)
        field.cursor_blink = False
        return field

    def on_mount(self) -> None:
        self._mark()

    @property
    def control(self) -> Widget:
        """The editor of the value."""
        return self.children[1]

    @property
    def text(self) -> str:
        control = self.control
        if isinstance(control, Toggle):
            return "true" if control.on else "false"
        if isinstance(control, Choice):
            return control.value
        if isinstance(control, TextArea):
            return control.text.strip()
        assert isinstance(control, Input)
        return control.value.strip()

    def show(self, text: str) -> None:
        """Show `text` as the stored value."""
        self._stored = text
        control = self.control
        if isinstance(control, Toggle):
            control.on = text == "true"
        elif isinstance(control, Choice):
            control.choose(text)
        elif isinstance(control, TextArea):
            if control.text.strip() != text:
                control.text = text
        elif isinstance(control, Input) and control.value.strip() != text:
            control.value = text
        self._mark()

    @property
    def edited(self) -> bool:
        """Whether the editor's text differs from the stored value."""
        return self.text != self._stored

    def mark_invalid(self, invalid: bool) -> None:
        self.set_class(invalid, "flawed")

    def _mark(self) -> None:
        own = self._stored != format_value(self.setting.default)
        label = Content(self.setting.label).stylize("bold" if own else MUTED)
        mark = Content("• ").stylize("$text-primary") if own else Content("  ")
        self.query_one(".label", Static).update(mark + label)

    # -- events ----------------------------------------------------------------------------------

    @on(Input.Changed)
    @on(TextArea.Changed)
    def _edited(self, event: Message) -> None:
        event.stop()
        self.post_message(self.Edited(self))

    @on(Input.Submitted)
    @on(Toggle.Changed)
    @on(Choice.Changed)
    def _submitted(self, event: Message) -> None:
        event.stop()
        self.post_message(self.Submitted(self))

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        self.post_message(self.Focused(self))

    def on_descendant_blur(self, event: events.DescendantBlur) -> None:
        if self.edited:
            self.post_message(self.Submitted(self))


class Lines(SafeTextArea):
    """A text of some lines; ↑ and ↓ leave it at its ends, Tab anywhere."""

    def __init__(self, text: str) -> None:
        super().__init__(text, compact=True, highlight_cursor_line=False)
        self.cursor_blink = False
        self.move_cursor(self.document.end)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave PgUp and PgDn to the container."""
        return not action.startswith("cursor_page") and super().check_action(action, parameters)

    def action_cursor_up(self, select: bool = False) -> None:
        if select or not self.navigator.is_first_wrapped_line(self.cursor_location):
            super().action_cursor_up(select)
        else:
            self.screen.focus_previous()

    def action_cursor_down(self, select: bool = False) -> None:
        if select or not self.navigator.is_last_wrapped_line(self.cursor_location):
            super().action_cursor_down(select)
        else:
            self.screen.focus_next()
