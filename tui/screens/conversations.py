"""The list of conversations: search, open, rename, pin, delete, restore, save."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from store.i18n import N_, _
from tui.controllers.conversations import ConversationLibrary
from tui.error_toasts import errors_shown
from tui.screens.text_dialog import TextDialog
from tui.text_format import harmless
from tui.theme import MUTED
from tui.views.chat import ConversationRow
from tui.widgets.footer import Footer

_EMPTY = N_("No chats yet. A chat is saved with its first message.")


class _Search(Input):
    """The search field; ↓ and Enter move on to the results."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "app.focus_next", show=False, id="form.down"),
        Binding("escape", "clear_search", "All chats", key_display="Esc", id="chats.all"),
    ]

    def action_clear_search(self) -> None:
        self.value = ""
        self.screen.query_one(OptionList).focus()


class _Rows(OptionList):
    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave Enter to the screen, whose binding names it."""
        return action != "select"


class ConversationsScreen(ModalScreen[str | None]):
    """Returns the id of the conversation to open; None if left."""

    TITLE = "Chats"
    HELP = """All chats, pinned ones first, then the most recent. You can restore a deleted chat
        until you quit; your feedback in it stays in any case."""
    AUTO_FOCUS = "OptionList"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "Open", key_display="Enter", id="chats.enter"),
        Binding("slash", "search", "Search", key_display="/", id="chats.search"),
        Binding("r", "rename", "Rename", id="chats.rename"),
        Binding("p", "pin", "Pin", id="chats.pin"),
        Binding("d", "delete", "Delete", id="chats.delete"),
        Binding("s", "save", "Save", tooltip=N_("Save as Markdown"), id="chats.save"),
        Binding("ctrl+z", "undo", "Undo", key_display="^z", id="chats.undo"),
        Binding("escape,q", "dismiss", "Back", key_display="Esc", id="app.back"),
        Binding("f1", "app.help", "Help", show=False, id="app.help"),
    ]

    def __init__(self, library: ConversationLibrary) -> None:
        super().__init__()
        self._library = library

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog wide"):
            yield Static(Content(_("Chats")).stylize("bold"), classes="dialog-title")
            search = _Search(placeholder=_("/ searches titles and texts"), compact=True)
            search.cursor_blink = False
            yield search
            yield _Rows(compact=True, markup=False)
            yield Static(_(_EMPTY), id="no-chats", markup=False)
            yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        with errors_shown(self.app):
            self._show()

    # -- the list --------------------------------------------------------------------------------

    def _show(self, chosen: str | None = None) -> None:
        """Update the list, with `chosen` or else the same row highlighted."""
        options, query = self.query_one(OptionList), self.query_one(_Search).value
        place = options.highlighted or 0
        found = self._library.listed(query)
        options.clear_options()
        options.add_options(Option(_line(row), id=row.id) for row in found)
        if found:
            ids = [row.id for row in found]
            options.highlighted = ids.index(chosen) if chosen in ids else min(place, len(ids) - 1)
        options.display = bool(found)
        none = self.query_one("#no-chats", Static)
        none.display = not found
        none.update(_("No chat contains these words.") if query else _(_EMPTY))
        self.refresh_bindings()

    def _chosen(self) -> str | None:
        options = self.query_one(OptionList)
        if options.highlighted is None:
            return None
        return options.get_option_at_index(options.highlighted).id

    def _highlighted_id(self) -> str:
        chosen = self._chosen()
        assert chosen is not None  # otherwise the action is not possible
        return chosen

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("open", "rename", "pin", "delete", "save"):
            return (self.is_mounted and self._chosen() is not None) or None
        return True

    @on(Input.Changed)
    def _searched(self) -> None:
        with errors_shown(self.app):
            self._show()

    @on(Input.Submitted)
    def action_open(self) -> None:
        self.dismiss(self._chosen())

    @on(OptionList.OptionSelected)
    def _opened(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(event.option_id)

    # -- actions ---------------------------------------------------------------------------------

    def action_search(self) -> None:
        self.query_one(_Search).focus()

    def action_rename(self) -> None:
        chosen = self._highlighted_id()
        title = next(row.title for row in self._library.listed() if row.id == chosen)

        def rename(title: str | None) -> None:
            if title is not None:
                with errors_shown(self.app):
                    self._library.rename(chosen, title)
                    self._show(chosen)

        self.app.push_screen(title_dialog(title), rename)

    def action_pin(self) -> None:
        chosen = self._highlighted_id()
        self._library.pin(chosen)
        self._show(chosen)

    def action_delete(self) -> None:
        self._library.delete(self._highlighted_id())
        self._show()
        restore = _("{key:chats.undo} restores it. Your feedback in it is kept.")
        self.notify(restore, title=_("Deleted."), markup=False)

    def action_undo(self) -> None:
        self._show(self._library.undo())

    def action_save(self) -> None:
        path = str(self._library.save(self._highlighted_id()))
        self.app.copy_to_clipboard(path)
        self.notify(path, title=_("Saved; path copied."), markup=False)


def title_dialog(title: str) -> TextDialog:
    keys = _("Enter saves · empty: title from the first question · Esc cancels")
    return TextDialog(_("Title"), title, "", keys)


def _line(row: ConversationRow) -> Content:
    pin = "📌 " if row.pinned else ""
    excerpt = f"  {harmless(row.excerpt)}" if row.excerpt else ""
    return Content.assemble((row.updated, MUTED), f"  {pin}{harmless(row.title)}", (excerpt, MUTED))
