"""Form controls: a checkbox, a choice of a few options, a text field. ↑ ↓ move between them."""

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widgets import Input, Static

from tui.theme import MUTED, checkbox

FORM_KEYS: list[BindingType] = [
    Binding("up", "app.focus_previous", "Previous field", show=False, id="form.up"),
    Binding("down", "app.focus_next", "Next field", show=False, id="form.down"),
]
"""Bindings for a screen that is a form."""


def writes(event: events.Key) -> bool:
    """Whether a key writes a character into a field; a space is a command in lists."""
    return event.character is not None and event.is_printable and event.key != "space"


class Toggle(Static, can_focus=True):
    """A checkbox."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "tick", "Toggle", key_display="Space", id="form.tick")
    ]

    on: reactive[bool] = reactive(False)
    detail: reactive[str] = reactive("")
    """Dimmed text after the label."""

    class Changed(Message):
        """The checkbox was toggled."""

        def __init__(self, toggle: "Toggle") -> None:
            super().__init__()
            self.toggle = toggle

        @property
        def control(self) -> "Toggle":
            return self.toggle

    def __init__(self, label: str, *, on: bool = False, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._label = label
        self.set_reactive(Toggle.on, on)

    def render(self) -> Content:
        return Content.assemble(
            checkbox(self.on), f" {self._label}", (f"  {self.detail}" if self.detail else "", MUTED)
        )

    def action_tick(self) -> None:
        self.on = not self.on
        self.post_message(self.Changed(self))

    def on_click(self, event: events.Click) -> None:
        event.stop()
        self.action_tick()


class Choice(Static, can_focus=True):
    """One of a few options; ← and → step through them."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "step(-1)", "Previous", key_display="←", id="form.before"),
        Binding("right,space", "step(1)", "Next", key_display="→", id="form.next"),
    ]

    index: reactive[int] = reactive(0)

    class Changed(Message):
        """The user chose another option."""

    def __init__(self, options: Sequence[str], *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._options = options

    @property
    def value(self) -> str:
        return self._options[self.index]

    def choose(self, option: str) -> None:
        self.index = self._options.index(option)

    def render(self) -> Content:
        return Content.assemble(("‹ ", MUTED), self.value, (" ›", MUTED))

    def action_step(self, step: int) -> None:
        self.index = (self.index + step) % len(self._options)
        self.post_message(self.Changed())

    def on_click(self, event: events.Click) -> None:
        event.stop()
        self.action_step(1)


class Field(Horizontal):
    """A labeled line of text."""

    def __init__(self, label: str, value: str = "", placeholder: str = "", *, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self._label = label
        self._value = value
        self._placeholder = placeholder

    def compose(self) -> ComposeResult:
        yield Static(self._label, classes="label", markup=False)
        field = Input(
            self._value, placeholder=self._placeholder, compact=True, select_on_focus=False
        )
        field.cursor_blink = False
        yield field

    @property
    def input(self) -> Input:
        return self.query_one(Input)

    @property
    def value(self) -> str:
        return self.input.value.strip()
