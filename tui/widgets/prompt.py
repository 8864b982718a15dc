"""Where the person writes: Enter sends, Ctrl+J makes a new line, a paste never sends.

Sent messages come back with Up on the first line and Down on the last one, as in a shell.
"""

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.reactive import reactive
from textual.widgets import Static, TextArea


class Prompt(TextArea):
    """A text area that sends."""

    HELP = "While you write"
    BINDINGS: ClassVar[list[BindingType]] = [
        # The last two reach only terminals that tell them apart from Enter.
        Binding(
            "ctrl+j,shift+enter,alt+enter", "new_line", "New line", show=False, id="prompt.new_line"
        ),
        Binding("pageup", "screen.page(-1)", "Scroll up", show=False, id="chat.page_up"),
        Binding("pagedown", "screen.page(1)", "Scroll down", show=False, id="chat.page_down"),
    ]

    class Sent(Message):
        """The person sent `text`."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    def __init__(self) -> None:
        super().__init__(
            id="prompt",
            compact=True,
            highlight_cursor_line=False,
            placeholder="Ask anything…",
        )
        self.cursor_blink = False
        self._sent: list[str] = []
        self._place = 0
        """Index into what was sent; its length stands for the draft."""
        self._draft = ""

    async def _on_key(self, event: events.Key) -> None:
        """Send on Enter; every other key goes on to the text area's own handler."""
        if event.key == "enter":
            event.stop()
            event.prevent_default()
            self._send()

    def _send(self) -> None:
        text = self.text.strip("\n").rstrip()
        if not text:
            return
        self._sent.append(text)
        self._place = len(self._sent)
        self.clear()
        self.post_message(self.Sent(text))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave F6 and F7, by which other text areas select, to the screen."""
        return action not in ("select_line", "select_all")

    def action_new_line(self) -> None:
        self.replace("\n", *self.selection, maintain_selection_offset=False)

    def action_cursor_up(self, select: bool = False) -> None:
        if select or not self.navigator.is_first_wrapped_line(self.cursor_location):
            super().action_cursor_up(select)
        else:
            self._recall(-1)

    def action_cursor_down(self, select: bool = False) -> None:
        if select or not self.navigator.is_last_wrapped_line(self.cursor_location):
            super().action_cursor_down(select)
        else:
            self._recall(1)

    def _recall(self, step: int) -> None:
        place = self._place + step
        if not 0 <= place <= len(self._sent):
            return
        if self._place == len(self._sent):
            self._draft = self.text
        self._place = place
        self.text = self._draft if place == len(self._sent) else self._sent[place]
        self.move_cursor(self.document.end)


class PromptBar(Horizontal):
    """The prompt between its mark and a hint of what Enter or Esc does now."""

    hint: reactive[str] = reactive("")

    def compose(self) -> ComposeResult:
        with Horizontal(id="prompt-row"):
            yield Static("›", id="prompt-mark", markup=False)
            yield Prompt()
            yield Static("", id="prompt-hint", markup=False)

    def on_mount(self) -> None:
        self._draw()

    def watch_hint(self) -> None:
        self._draw()

    def _draw(self) -> None:
        # The hint can change before there is a place for it.
        for place in self.query("#prompt-hint").results(Static):
            place.update(self.hint)
