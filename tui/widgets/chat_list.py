"""The list of chats at the left of a wide chat."""

from collections.abc import Sequence

from textual.content import Content
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from store.i18n import _
from tui.text_format import harmless, one_line
from tui.theme import MUTED
from tui.views.chat import ConversationRow


class ChatList(OptionList):
    """The newest chats, the open one marked. Hidden where there is no room."""

    HELP = "In the list of chats"

    class Chosen(Message):
        def __init__(self, conversation_id: str) -> None:
            super().__init__()
            self.conversation_id = conversation_id

    def __init__(self) -> None:
        super().__init__(id="chat-list", compact=True, markup=False)
        self._shown: tuple[tuple[ConversationRow, ...], str | None] | None = None

    def show(self, rows: Sequence[ConversationRow], open_id: str | None) -> None:
        """List `rows`, the highlight on the open one."""
        shown = tuple(rows), open_id
        if shown == self._shown:
            return
        self._shown = shown
        self.clear_options()
        self.add_options(Option(_line(row, row.id == open_id), id=row.id) for row in shown[0])
        if not rows:
            empty = _("No other chats yet.")
            self.add_option(Option(Content(empty).stylize(MUTED), disabled=True))
        ids = [row.id for row in shown[0]]
        self.highlighted = ids.index(open_id) if open_id in ids else None

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        if event.option_id is not None:
            self.post_message(self.Chosen(event.option_id))


def _line(row: ConversationRow, is_open: bool) -> Content:
    title = one_line(harmless(row.title)) or _("Chat")
    mark = ("▌", "$text-primary") if is_open else (" ", "")
    pin = "📌 " if row.pinned else ""
    return Content.assemble(mark, pin, (title, "bold" if is_open else ""))
