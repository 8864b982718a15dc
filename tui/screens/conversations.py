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
from tui.text_format import padded
from tui.theme import MUTED
from tui.views.chat import ConversationRow
from tui.views.record_list import differing
from tui.widgets.footer import Footer

_AGE = 6
"""Cells of the age."""
_LEAST_TITLE = 24
_EMPTY = N_("No chats yet. A chat is saved with its first message.")


class _Search(Input):
    """The search field has the focus, so that typing searches; the keys of the list work in it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "screen.move('cursor_down')", "Next chat", show=False, id="chats.down"),
        Binding("up", "screen.move('cursor_up')", "Previous chat", show=False, id="chats.up"),
        Binding(
            "pagedown", "screen.move('page_down')", "Scroll down", show=False, id="chats.page_down"
        ),
        Binding("pageup", "screen.move('page_up')", "Scroll up", show=False, id="chats.page_up"),
        Binding("home", "screen.move('first')", "First chat", show=False, id="chats.first"),
        Binding("end", "screen.move('last')", "Last chat", show=False, id="chats.last"),
    ]

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave Enter, Ctrl+E and Ctrl+K to the list; Del too where it has nothing to delete."""
        if action == "delete_right":
            return self.cursor_position < len(self.value)
        return action not in ("submit", "end", "delete_right_all")


class _Rows(OptionList, can_focus=False):
    pass


class ConversationsScreen(ModalScreen[str | None]):
    """Returns the id of the conversation to open; None if left."""

    TITLE = "Chats"
    HELP = """All chats, pinned ones first, then the most recent. You can restore a deleted chat
        until you quit; your feedback in it stays in any case."""
    AUTO_FOCUS = "Input"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "Open", key_display="Enter", id="chats.enter"),
        Binding("ctrl+e", "rename", "Rename", key_display="^e", id="chats.rename"),
        Binding("ctrl+k", "pin", "Pin", key_display="^k", id="chats.pin"),
        Binding("delete", "delete", "Delete", key_display="Del", id="chats.delete"),
        Binding(
            "ctrl+s",
            "save",
            "Save",
            key_display="^s",
            tooltip=N_("Save as Markdown"),
            id="chats.save",
        ),
        Binding("ctrl+z", "undo", "Undo", key_display="^z", id="chats.undo"),
        Binding("ctrl+n", "new", "New", show=False, id="chat.new"),
        Binding("ctrl+r", "dismiss", "Back", show=False, id="chat.open"),
        Binding("escape", "leave", "Back", key_display="Esc", id="app.back"),
        Binding("f1", "app.help", "Help", show=False, id="app.help"),
    ]

    def __init__(self, library: ConversationLibrary, words: str = "") -> None:
        super().__init__()
        self._library = library
        self._words = words
        """What the search begins with."""

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog wide"):
            yield Static(Content(_("Chats")).stylize("bold"), classes="dialog-title")
            search = _Search(
                self._words, placeholder=_("type to search titles and texts"), compact=True
            )
            search.cursor_blink = False
            yield search
            yield _Rows(compact=True, markup=False)
            yield Static(_(_EMPTY), id="no-chats", markup=False)
            yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        self._show()
        self.call_after_refresh(self._show)  # now its width is known

    def on_resize(self) -> None:
        self._show(self._chosen())

    # -- the list --------------------------------------------------------------------------------

    def _show(self, chosen: str | None = None) -> None:
        """Update the list, with `chosen` or else the same row highlighted."""
        with errors_shown(self.app):
            self._fill(chosen)

    def _fill(self, chosen: str | None) -> None:
        options, query = self.query_one(OptionList), self.query_one(_Search).value
        place = options.highlighted or 0
        found = self._library.described(query)
        options.clear_options()
        room = options.size.width or self.size.width
        options.add_options(Option(_line(row, room), id=row.id) for row in found)
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

    def action_move(self, how: str) -> None:
        """Move the highlight while the search field keeps the focus."""
        getattr(self.query_one(OptionList), f"action_{how}")()
        self.refresh_bindings()

    def action_leave(self) -> None:
        """Clear the search, or leave."""
        search = self.query_one(_Search)
        if search.value:
            search.value = ""
        else:
            self.dismiss(None)

    async def action_new(self) -> None:
        """Leave for a new chat."""
        await self.dismiss(None)
        await self.app.run_action("app.new_chat")

    def action_open(self) -> None:
        self.dismiss(self._chosen())

    @on(OptionList.OptionSelected)
    def _opened(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(event.option_id)

    # -- actions ---------------------------------------------------------------------------------

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


def _line(row: ConversationRow, width: int) -> Content:
    """Age, title and what was taught; then the last message, or the text around a search hit."""
    pin = "📌 " if row.pinned else ""
    counts = ((row.corrected, "✎"), (row.liked, "👍"))
    taught = " ".join(f"{mark}{count}" for count, mark in counts if count)
    title = differing(row.title, row.shared, max(width * 2 // 5, _LEAST_TITLE))
    return Content.assemble(
        (f"{padded(row.age, -_AGE)}  ", MUTED),
        f"{pin}{title}",
        (f"  {taught}" if taught else "", "$text-success"),
        (f"  {row.excerpt or row.last}", MUTED),
    )
