"""The list of chats: searched, opened, renamed, pinned, deleted and brought back."""

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
from tui.controllers.conversations import Chats
from tui.error_toasts import errors_shown
from tui.screens.text_dialog import TextDialog
from tui.text_format import harmless
from tui.theme import MUTED
from tui.views.chat import ConversationView
from tui.widgets.footer import Footer

_NONE = N_("None yet: a chat is kept from its first message on.")


class _Search(Input):
    """The words to look for; ↓ and Enter go on to what was found."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "app.focus_next", show=False, id="form.down"),
        Binding("escape", "clear_search", "All chats", key_display="Esc", id="chats.all"),
    ]

    def action_clear_search(self) -> None:
        self.value = ""
        self.screen.query_one(OptionList).focus()


class _Found(OptionList):
    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave Enter to the screen, which says what it does."""
        return action != "select"


class ConversationsScreen(ModalScreen[str | None]):
    """Gives back the id of the chat to open.

    Args:
        chats: All of them.
    """

    TITLE = "Chats"
    HELP = """All chats, the pinned ones first, then the one that was talked in last. A deleted one
        can be brought back until you quit, and what it taught stays in any case."""
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

    def __init__(self, chats: Chats) -> None:
        super().__init__()
        self._chats = chats

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog wide"):
            yield Static(Content(_("Chats")).stylize("bold"), classes="dialog-title")
            search = _Search(placeholder=_("/ searches titles and texts"), compact=True)
            search.cursor_blink = False
            yield search
            yield _Found(compact=True, markup=False)
            yield Static(_(_NONE), id="no-chats", markup=False)
            yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        self._show()

    # -- what is listed --------------------------------------------------------------------------

    def _show(self, chosen: str | None = None) -> None:
        """List what there is, with `chosen` or else the same place marked."""
        options, query = self.query_one(OptionList), self.query_one(_Search).value
        place = options.highlighted or 0
        found = self._chats.listed(query)
        options.clear_options()
        options.add_options(Option(_line(view), id=view.id) for view in found)
        if found:
            ids = [view.id for view in found]
            options.highlighted = ids.index(chosen) if chosen in ids else min(place, len(ids) - 1)
        options.display = bool(found)
        none = self.query_one("#no-chats", Static)
        none.display = not found
        none.update(_("Nothing holds these words.") if query else _(_NONE))
        self.refresh_bindings()

    def _chosen(self) -> str | None:
        options = self.query_one(OptionList)
        if options.highlighted is None:
            return None
        return options.get_option_at_index(options.highlighted).id

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
        """Go on with the chat that is marked."""
        self.dismiss(self._chosen())

    @on(OptionList.OptionSelected)
    def _opened(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(event.option_id)

    # -- what is done ----------------------------------------------------------------------------

    def action_search(self) -> None:
        self.query_one(_Search).focus()

    def action_rename(self) -> None:
        chosen = self._chosen()
        if chosen is None:
            return
        title = next(view.title for view in self._chats.listed() if view.id == chosen)

        def rename(title: str | None) -> None:
            if title is not None:
                with errors_shown(self.app):
                    self._chats.rename(chosen, title)
                    self._show(chosen)

        keys = _("Enter keeps it · empty: that of its first question · Esc leaves")
        self.app.push_screen(TextDialog(_("Title"), title, "", keys), rename)

    def action_pin(self) -> None:
        chosen = self._chosen()
        if chosen is not None:
            self._chats.pin(chosen)
            self._show(chosen)

    def action_delete(self) -> None:
        chosen = self._chosen()
        if chosen is not None:
            self._chats.delete(chosen)
            self._show()
            self.notify(_("Ctrl+Z brings it back. What it taught stays."), title=_("Deleted."))

    def action_undo(self) -> None:
        self._show(self._chats.undo())

    def action_save(self) -> None:
        chosen = self._chosen()
        if chosen is not None:
            path = self._chats.save(chosen)
            self.app.copy_to_clipboard(str(path))
            self.notify(str(path), title=_("Saved; the path is copied."), markup=False)


def _line(view: ConversationView) -> Content:
    pin = ("📌 ", "") if view.pinned else ("", "")
    excerpt = f"  {harmless(view.excerpt)}" if view.excerpt else ""
    return Content.assemble(
        (view.updated, MUTED), "  ", pin, harmless(view.title), (excerpt, MUTED)
    )
