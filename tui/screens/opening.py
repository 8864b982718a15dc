"""The first frame: the chat without messages, usable for writing while the home is opened.

It deliberately needs neither the store nor the model. The chat screen replaces it and takes over
what was written.
"""

from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Horizontal, Vertical
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from store.i18n import _
from tui.commands.completion import Completions
from tui.widgets.footer import Footer
from tui.widgets.prompt import Prompt, PromptBar
from tui.widgets.status import StatusBar

KEYS: list[BindingType] = [
    Binding("f1", "app.help", "Help", key_display="F1", id="app.help"),
    Binding("f2", "like", "👍", key_display="F2", id="chat.like"),
    Binding("f3", "dislike", "👎", key_display="F3", id="chat.dislike"),
    Binding("f4", "correct", "Correct", key_display="F4", id="chat.correct"),
    Binding("f5", "app.tune", "Tune", key_display="F5", id="app.tune"),
    Binding("f6", "app.compare", "Compare", key_display="F6", id="app.compare"),
    Binding("f7", "app.records", "Records", key_display="F7", id="app.records"),
    Binding("f8", "app.export", "Export", key_display="F8", id="app.export"),
]
"""Keys in the footer of the chat, shown from the first frame on."""


PANELS = 130
"""Columns from which on there is room beside the chat."""


class OpeningScreen(Screen[None]):
    """The chat screen until the home is open."""

    TITLE = "Opening"
    HELP = """Your chats and records are being loaded. What you send now goes out once they are
        open."""
    AUTO_FOCUS = "#prompt"
    BINDINGS: ClassVar[list[BindingType]] = KEYS

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[str] = []
        """Messages to send once the chat is open."""

    def compose(self) -> ComposeResult:
        yield StatusBar(id="status")
        line = Content.assemble(("▸ ", "$text-warning"), _("Opening your chats and records…"))
        with Horizontal(id="columns"):
            yield Container(id="chats-beside")
            with Vertical(id="talk"):
                yield Container(id="transcript")
                yield PromptBar(lambda text, before: Completions())
                yield Static(line, id="activity")
            yield Container(Static(line, id="side-activity"), id="side")
        yield Footer(compact=True, show_command_palette=True)

    def on_resize(self, event: events.Resize) -> None:
        self.set_class(event.size.width >= PANELS, "-panels")

    def on_mount(self) -> None:
        self.query_one(PromptBar).hint = _("Enter sends")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Show the keys of the chat, grayed out."""
        return None if action in ("like", "dislike", "correct") else True

    @property
    def written(self) -> str:
        return self.query_one(Prompt).whole

    @on(Prompt.Sent)
    def _sent(self, event: Prompt.Sent) -> None:
        self.sent.append(event.text)
        self.query_one(PromptBar).hint = _("Will be sent")
