"""Everything that was taught, newest first: to be looked through, checked and cleaned up.

Searching and checking run in threads, and only as many rows are drawn as were gone through, so a
home of any size opens at once.
"""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.screen import Screen
from textual.widgets import DataTable, Input, Static

from store.i18n import N_, _
from store.records import Record
from tui.background import aside, in_thread
from tui.commands.keymap import keyed
from tui.controllers.records import Library
from tui.error_toasts import errors_shown, guarded
from tui.messages import Taught
from tui.screens.confirm import ConfirmScreen
from tui.screens.record import RecordScreen
from tui.text_format import counted
from tui.theme import MUTED
from tui.views.record_list import ORDERS, RecordView, ordered, parsed, search
from tui.widgets.footer import Footer
from tui.widgets.records import RecordTable

PAGE = 100
"""Rows added at a time."""
_CHECKED_UNASKED = 2000
"""Records up to which the check costs so little that it runs by itself."""

_NOTHING = N_(
    "Nothing was taught yet.\n\nIn the chat, F2 keeps a reply, F3 refuses it and F4 says it "
    "better.\nHere, I imports what was taught elsewhere."
)


class FilterInput(Input):
    """What the records must have; leaving it by Esc empties it."""

    HELP = "In the filter"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "escape", "screen.clear_filter", "Show all", key_display="Esc", id="records.show_all"
        ),
        Binding(
            "enter,down",
            "screen.focus_table",
            "To the records",
            key_display="Enter",
            id="records.to_table",
        ),
    ]


class RecordsScreen(Screen[None]):
    """The table, the filter over it, and what can be done with a record."""

    TITLE = "Records"
    HELP = """Everything you taught, newest first. The filter takes words, and kind: source:
        task: with a word, or “excluded”. “Learned” names the versions that learned a record. Space
        marks several to delete them or to keep them out of training; both can be undone. Enter
        opens a record, where E edits it."""
    AUTO_FOCUS = "RecordTable"
    BINDINGS: ClassVar[list[BindingType]] = [
        # Said at the filter itself.
        Binding("slash", "focus_filter", "Filter", show=False, id="records.filter"),
        Binding("space", "mark", "Mark", key_display="Space", id="records.mark"),
        Binding("d,delete", "delete", "Delete", key_display="D", id="records.delete"),
        Binding("ctrl+z", "undo", "Undo", show=False, id="records.undo"),
        Binding("x", "exclude", "Exclude", key_display="X", id="records.exclude"),
        Binding("o", "order", "Order", key_display="O", id="records.order"),
        Binding("c", "check", "Check", key_display="C", id="records.check"),
        Binding("s", "app.statistics", "Statistics", show=False, id="records.statistics"),
        Binding("i", "app.import", "Import", key_display="I", id="records.import"),
        Binding("e", "app.export", "Export", show=False, id="records.export"),
        Binding("f8", "app.export", "Export", show=False, id="app.export"),
        Binding("escape", "dismiss", "Back", key_display="Esc", id="app.back"),
        Binding("f7", "dismiss", "Back", show=False, id="app.records"),
    ]

    def __init__(self, library: Library) -> None:
        super().__init__()
        self._library = library
        self._all: list[Record] = []
        self._matching: list[Record] = []
        self._learned: dict[str, str] = {}
        self._marked: frozenset[str] = frozenset()
        self._found: dict[str, list[str]] | None = None
        """What the check found, by record; nothing before it ran over the records as they are."""
        self._found_only = False
        self._order = "newest"
        self._checking = False

    def compose(self) -> ComposeResult:
        yield Static(id="records-title")
        with Horizontal(id="records-filter"):
            yield Static("/", id="filter-mark", markup=False)
            yield FilterInput(
                placeholder=_("filter: words, kind:preference, source:import, task:code"),
                compact=True,
                select_on_focus=False,
            )
        yield RecordTable()
        yield Static(id="records-empty", markup=False)
        yield Static(id="records-note", markup=False)
        yield Footer(compact=True, show_command_palette=True)

    @property
    def _table(self) -> RecordTable:
        return self.query_one(RecordTable)

    def on_mount(self) -> None:
        self.query_one(FilterInput).cursor_blink = False

    def on_screen_resume(self) -> None:
        with errors_shown(self.app):
            self._renew()

    def _renew(self) -> None:
        """Take up what other screens may have changed."""
        records = self._library.records()
        self._learned = self._library.learned()
        if records != self._all:
            self._all = records
            self._marked &= {record.id for record in records}
            self._found = None
            if self._found_only or len(records) <= _CHECKED_UNASKED:
                aside(self, self._check, "check")
        self._search_anew()

    # -- finding ---------------------------------------------------------------------------------

    @on(Input.Changed)
    def _search_anew(self) -> None:
        aside(self, self._search, "search")

    def action_order(self) -> None:
        """Another order; after the last comes the first."""
        orders = list(ORDERS)
        self._order = orders[(orders.index(self._order) + 1) % len(orders)]
        self._search_anew()

    @on(RecordTable.OrderWanted)
    def _ordered(self, event: RecordTable.OrderWanted) -> None:
        """By that column, or the other way round where it is the column already."""
        wanted = event.column.lower()
        if wanted == "when" and self._order == "newest":
            wanted = "oldest"
        elif wanted == "when":
            wanted = "newest"
        if wanted in ORDERS:
            self._order = wanted
            self._search_anew()

    async def _search(self) -> None:
        query = parsed(self.query_one(FilterInput).value)
        records = self._all
        if self._found_only:
            found = self._found or {}
            records = [record for record in records if record.id in found]
        task = self._library.task
        if query:
            records = await in_thread(lambda stop: search(records, query, task, stop))
        if self._order != "newest":
            by, learned = self._order, self._learned
            records = await in_thread(lambda _: ordered(records, by, task, learned))
        self._matching = records
        self._show(max(PAGE, self._table.shown))

    def _show(self, count: int) -> None:
        shown = self._views(self._matching[:count])
        self._table.show(shown, self._marked, found_only=self._found_only)
        self._table.display = bool(shown)
        empty = self.query_one("#records-empty", Static)
        empty.display = not shown
        empty.update(self._why_empty())
        self._tell()

    def _views(self, records: list[Record]) -> list[RecordView]:
        return self._library.views(records, self._learned, self._found or {})

    @on(RecordTable.MoreWanted)
    @guarded
    def _show_more(self, _: RecordTable.MoreWanted) -> None:
        shown = self._table.shown
        more = self._matching[shown : shown + PAGE]
        if more:
            self._table.add(self._views(more))
            self._tell()

    # -- what is said ----------------------------------------------------------------------------

    def _why_empty(self) -> str:
        if not self._all:
            return keyed(self, _(_NOTHING))
        if self._found_only and not self._found:
            return _("Nothing is wrong with any record.\n\nC shows them all.")
        return _("No record matches.\n\nEsc in the filter shows all.")

    def _tell(self) -> None:
        parts = [(f"{len(self._all):,}", "")]
        if len(self._matching) != len(self._all):
            parts.append((_("{count:,} match").format(count=len(self._matching)), ""))
        if self._order != "newest":
            parts.append(
                (
                    _("by {order}").format(order=_(self._order))
                    if self._order != "oldest"
                    else _("oldest first"),
                    "",
                )
            )
        if self._marked:
            parts.append((_("{count:,} marked").format(count=len(self._marked)), "$text-primary"))
        if self._found:
            style = "$text-warning"
            parts.append(
                (
                    _("the check says something about {count:,}").format(count=len(self._found)),
                    style,
                )
            )
        joined = Content(" · ").stylize(MUTED).join(Content.styled(*part) for part in parts)
        title = Content(_("Records")).stylize("bold") + "  " + joined
        self.query_one("#records-title", Static).update(title)
        note = self.query_one("#records-note", Static)
        note.update(self._note())
        note.display = bool(self._note())
        self.refresh_bindings()

    def _note(self) -> str:
        if self._checking:
            return _("Checking {records}…").format(records=counted(len(self._all), "record"))
        rest = len(self._matching) - self._table.shown
        return _("{count:,} more come as you go down.").format(count=rest) if rest > 0 else ""

    # -- moving about ----------------------------------------------------------------------------

    def action_focus_filter(self) -> None:
        self.query_one(FilterInput).focus()

    def action_focus_table(self) -> None:
        self._table.focus()

    def action_clear_filter(self) -> None:
        self.query_one(FilterInput).clear()
        self._table.focus()

    @on(DataTable.RowSelected)
    @guarded
    def _open(self, event: DataTable.RowSelected) -> None:
        screen = RecordScreen(self._library, self._matching, event.cursor_row, self._found or {})
        self.app.push_screen(screen, self._came_back)

    def _came_back(self, index: int | None) -> None:
        if index is not None:
            self._table.move_cursor(row=index, animate=False)

    # -- checking --------------------------------------------------------------------------------

    def action_check(self) -> None:
        """Show only what the check says something about, or all again."""
        self._found_only = not self._found_only
        if self._found_only and self._found is None:
            aside(self, self._check, "check")
        else:
            self._search_anew()

    async def _check(self) -> None:
        records = self._all[::-1]
        self._checking = True
        self._tell()
        try:
            self._found = await in_thread(lambda _: self._library.check(records))
        finally:
            self._checking = False
            if self.is_attached:  # the app may have ended meanwhile
                self._tell()
        self._search_anew()

    # -- marking and deleting --------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("mark", "delete", "exclude"):
            return True if self.is_mounted and self._table.current else None
        if action == "undo":
            return self._library.undoable
        return True

    def action_mark(self) -> None:
        current = self._table.current
        if current:
            self._marked ^= {current}
            self._table.mark(self._marked)
            self._table.action_cursor_down()
            self._tell()

    def action_exclude(self) -> None:
        """Keep the marked records, or else the one under the cursor, out of training, or let in."""
        chosen = self._chosen()
        if chosen:
            said = self._library.exclude(chosen)
            self._changed(_("{said} Ctrl+Z takes it back.").format(said=said))

    def _chosen(self) -> list[str]:
        """The marked records, or else the one under the cursor."""
        return list(self._marked) or list(filter(None, [self._table.current]))

    def action_delete(self) -> None:
        """Delete the marked records, or else the one under the cursor, after asking."""
        chosen = self._chosen()
        if not chosen:
            return
        self.app.push_screen(
            ConfirmScreen(
                _("Delete {records}?").format(records=counted(len(chosen), "record")),
                _(
                    "What is deleted is no longer counted, exported or learned from; what the "
                    "model has learned it keeps. Until you quit, Ctrl+Z brings it back."
                ),
                _("Enter deletes · Esc keeps"),
            ),
            lambda agreed: self._delete(chosen) if agreed else None,
        )

    def _delete(self, record_ids: list[str]) -> None:
        with errors_shown(self.app):
            number = self._library.delete(record_ids)
            self._marked = frozenset()
            self._changed(
                _("Deleted {records}. Ctrl+Z brings them back.").format(
                    records=counted(number, "record")
                )
            )

    def action_undo(self) -> None:
        self._changed(self._library.undo())

    def _changed(self, message: str) -> None:
        self._renew()
        self.post_message(Taught())
        self.notify(message, markup=False)
