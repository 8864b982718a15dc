"""The list of chats, newest first."""

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from tui.theme import MUTED
from tui.views import ConversationView


class ConversationsScreen(ModalScreen[str | None]):
    """Gives back the id of the chat to open."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss", "Back", id="app.back")]

    def __init__(self, conversations: Sequence[ConversationView]) -> None:
        super().__init__()
        self._conversations = conversations

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog wide"):
            yield Static(Content("Chats").stylize("bold"), classes="dialog-title")
            if self._conversations:
                yield OptionList(*(Option(_line(c), id=c.id) for c in self._conversations))
            else:
                yield Static("None yet: a chat is kept from its first message on.", markup=False)
            keys = "Enter opens · Esc back" if self._conversations else "Esc back"
            yield Static(keys, classes="dialog-keys", markup=False)

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(event.option_id)


def _line(conversation: ConversationView) -> Content:
    return Content.assemble((conversation.updated, MUTED), "  ", conversation.title)
