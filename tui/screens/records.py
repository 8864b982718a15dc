"""All records, newest first: browse, filter, check, delete and exclude them.

Searching and checking run in threads, and rows are drawn as the user scrolls, so that any number
of records opens at once.
"""

from functools import partial
from itertools import accumulate
from typing import ClassVar

from textual import events, on
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
from tui.controllers.records import RecordLibrary
from tui.error_toasts import errors_shown, guarded
from tui.messages import Taught
from tui.screens.confirm import confirm
from tui.screens.record import RecordScreen
from tui.text_format import counted
from tui.theme import MUTED
from tui.views.record_list import (
    ORDERS,
    RecordView,
    lessons,
    parse_query,
    search,
    sort_records,
    telling,
)
from tui.widgets.footer import Footer
from tui.widgets.form import writes
from tui.widgets.record import RecordBody
from tui.widgets.records import RecordTable

PAGE = 100
"""Rows added at a time."""
_PREVIEW_FROM = 120
"""Cells of a screen that has room for a preview."""
_AUTO_CHECK = 2000
"""Number of records up to which the check is fast enough to run unasked."""

_NO_RECORDS = N_(
    "No records yet.\n\nIn the chat, {key:chat.like} likes a reply, {key:chat.dislike} dislikes it"
    " and {key:chat.correct} corrects it.\n{key:records.import} imports records from elsewhere."
)


class FilterInput(Input):
    """The filter; Esc clears and leaves it."""

    HELP = "In the filter"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "escape", "screen.clear_filter", "Show all", key_display="Esc", id="records.show_all"
        ),
        Binding(
            "enter,down",
            "screen.focus_table",
            "To the list",
            key_display="Enter",
            id="records.to_table",
        ),
    ]


class RecordsScreen(Screen[None]):
    """A filter above a table of records."""

    TITLE = "Records"
    HELP = """All your records, newest first. The filter takes words, kind:, source: or task: with a
        word, or “excluded”; type it. “Learned” names the versions that learned a record. Mark
        several with Space, or all that match with {key:records.mark_all}, to delete them or exclude
        them from training; both can be undone. Enter opens a record, where E edits it."""
    AUTO_FOCUS = "RecordTable"
    BINDINGS: ClassVar[list[BindingType]] = [
        # Typing filters, so no letter is a command.
        Binding("slash,ctrl+f", "focus_filter", "Filter", show=False, id="records.filter"),
        Binding("space", "mark", "Mark", key_display="Space", id="records.mark"),
        Binding(
            "ctrl+a",
            "mark_all",
            "All",
            key_display="^a",
            tooltip=N_("Mark all that match, or none"),
            priority=True,
            id="records.mark_all",
        ),
        Binding("delete", "delete", "Delete", key_display="Del", id="records.delete"),
        Binding("ctrl+z", "undo", "Undo", show=False, id="records.undo"),
        Binding("ctrl+x", "exclude", "Exclude", key_display="^x", id="records.exclude"),
        Binding("ctrl+y", "order", "Order", key_display="^y", id="records.order"),
        Binding("ctrl+k", "check", "Check", key_display="^k", id="records.check"),
        Binding("insert", "app.import", "Import", key_display="Ins", id="records.import"),
        Binding("f8", "app.export", "Export", show=False, id="app.export"),
        Binding("escape", "dismiss", "Back", key_display="Esc", id="app.back"),
        Binding("f7", "dismiss", "Back", show=False, id="app.records"),
    ]

    def __init__(self, library: RecordLibrary) -> None:
        super().__init__()
        self._library = library
        self._all: list[Record] = []
        self._matching: list[Record] = []
        self._lessons: list[tuple[Record, ...]] = []
        """The matching records by row: those of one piece of feedback share one."""
        self._learned: dict[str, str] = {}
        self._marked: frozenset[str] = frozenset()
        self._findings: dict[str, list[str]] | None = None
        """Problems by record id; None until the check has run over the current records."""
        self._problems_only = False
        self._order = "newest"
        self._checking = False

    def compose(self) -> ComposeResult:
        yield Static(id="records-title")
        with Horizontal(id="records-filter"):
            yield Static("/", id="filter-mark", markup=False)
            hint = _("filter: words, kind:preference, source:import, task:code")
            yield FilterInput(placeholder=hint, compact=True, select_on_focus=False)
        with Horizontal(id="records-body"):
            yield RecordTable()
            preview = RecordBody(id="records-preview")
            preview.can_focus = False
            yield preview
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
            self._reload()

    def _reload(self) -> None:
        """Reload after other screens may have changed records."""
        records = self._library.records()
        self._learned = self._library.learned()
        if records != self._all:
            self._all = records
            self._marked &= {record.id for record in records}
            self._findings = None
            if self._problems_only or len(records) <= _AUTO_CHECK:
                aside(self, self._check, "check")
        self._start_search()

    # -- searching -------------------------------------------------------------------------------

    @on(Input.Changed)
    def _start_search(self) -> None:
        aside(self, self._search, "search")

    def action_order(self) -> None:
        """Switch to the next order, from the last one to the first."""
        self._order = ORDERS[(ORDERS.index(self._order) + 1) % len(ORDERS)]
        self._start_search()

    @on(RecordTable.OrderWanted)
    def _ordered(self, event: RecordTable.OrderWanted) -> None:
        """Sort by that column; clicking the date again reverses the order."""
        wanted = event.column.lower()
        if wanted == "when":
            wanted = "oldest" if self._order == "newest" else "newest"
        if wanted in ORDERS:
            self._order = wanted
            self._start_search()

    async def _search(self) -> None:
        query = parse_query(self.query_one(FilterInput).value)
        records = self._all
        if self._problems_only:
            findings = self._findings or {}
            records = [record for record in records if record.id in findings]
        task = self._library.task
        if query:
            records = await in_thread(lambda stop: search(records, query, task, stop))
        if self._order != "newest":
            by, learned = self._order, self._learned
            records = await in_thread(lambda _: sort_records(records, by, task, learned))
        self._matching = records
        self._lessons = (
            [(record,) for record in records] if self._problems_only else lessons(records)
        )
        self._show(max(PAGE, self._table.shown))

    def _show(self, count: int) -> None:
        shown = self._views(self._lessons[:count])
        self._table.show(shown, self._marked, problems_only=self._problems_only)
        self._table.display = bool(shown)
        empty = self.query_one("#records-empty", Static)
        empty.display = not shown
        empty.update(self._why_empty())
        self._refresh_title()

    def _views(self, shown: list[tuple[Record, ...]]) -> list[RecordView]:
        return self._library.lesson_views(shown, self._learned, self._findings or {})

    @on(RecordTable.MoreWanted)
    @guarded
    def _show_more(self, _: RecordTable.MoreWanted) -> None:
        shown = self._table.shown
        more = self._lessons[shown : shown + PAGE]
        if more:
            self._table.add(self._views(more))
            self._refresh_title()

    # -- texts -----------------------------------------------------------------------------------

    def _why_empty(self) -> str:
        if not self._all:
            return keyed(self, _(_NO_RECORDS))
        if self._problems_only and not self._findings:
            return keyed(
                self, _("The check found no problems.\n\n{key:records.check} shows all records.")
            )
        return _("No record matches.\n\nEsc in the filter shows all records.")

    def _refresh_title(self) -> None:
        parts = [(f"{len(self._all):,}", "")]
        if len(self._matching) != len(self._all):
            parts.append((_("{count:,} match").format(count=len(self._matching)), ""))
        if self._order == "oldest":
            parts.append((_("oldest first"), ""))
        elif self._order != "newest":
            parts.append((_("by {order}").format(order=_(self._order)), ""))
        if self._marked:
            parts.append((_("{count:,} marked").format(count=len(self._marked)), "$text-primary"))
        if self._findings:
            problems = _("{count:,} with problems").format(count=len(self._findings))
            parts.append((problems, "$text-warning"))
        joined = Content(" · ").stylize(MUTED).join(Content.styled(*part) for part in parts)
        title = Content(_("Records")).stylize("bold") + "  " + joined
        self.query_one("#records-title", Static).update(title)
        note = self.query_one("#records-note", Static)
        text = self._note()
        note.update(text)
        note.display = bool(text)
        self.refresh_bindings()

    def _note(self) -> str:
        if self._checking:
            return _("Checking {records}…").format(records=counted(len(self._all), "record"))
        rest = len(self._lessons) - self._table.shown
        return _("Scroll down for {count:,} more.").format(count=rest) if rest > 0 else ""

    # -- moving ----------------------------------------------------------------------------------

    def on_key(self, event: events.Key) -> None:
        """Type into the filter, wherever the focus is."""
        if self.focused is self._table and writes(event) and event.key != "slash":
            filter_ = self.query_one(FilterInput)
            filter_.focus()
            filter_.insert_text_at_cursor(event.character or "")
            event.stop()
            event.prevent_default()

    def action_focus_filter(self) -> None:
        self.query_one(FilterInput).focus()

    def action_focus_table(self) -> None:
        self._table.focus()

    def action_clear_filter(self) -> None:
        """Clear the filter and move to the list; where there is none, leave."""
        field = self.query_one(FilterInput)
        if not field.value and not self._table.display:
            self.dismiss()
            return
        field.clear()
        self._table.focus()

    @on(DataTable.RowSelected)
    @guarded
    def _open(self, event: DataTable.RowSelected) -> None:
        records = [record for lesson in self._lessons for record in _told(lesson)]
        index = sum(map(len, self._lessons[: event.cursor_row]))
        screen = RecordScreen(self._library, records, index, self._findings or {})
        self.app.push_screen(screen, self._follow)

    def _follow(self, index: int | None) -> None:
        """Put the cursor on the record that was shown last."""
        if index is not None:
            ends = accumulate(map(len, self._lessons))
            row = next((row for row, end in enumerate(ends) if index < end), 0)
            self._table.move_cursor(row=row, animate=False)

    @on(DataTable.RowHighlighted)
    def _preview(self) -> None:
        aside(self, self._show_preview, "preview")

    async def _show_preview(self) -> None:
        """Show the record under the cursor beside the table, where there is room."""
        preview = self.query_one("#records-preview", RecordBody)
        preview.display = self.size.width >= _PREVIEW_FROM and bool(self._lessons)
        row = self._table.cursor_row
        if preview.display and 0 <= row < len(self._lessons):
            record = telling(self._lessons[row])
            problems = (self._findings or {}).get(record.id, ())
            await preview.show(self._library.detail(record, problems))

    def on_resize(self) -> None:
        self._preview()

    # -- checking --------------------------------------------------------------------------------

    def action_check(self) -> None:
        """Switch between the records with problems and all records."""
        self._problems_only = not self._problems_only
        if self._problems_only and self._findings is None:
            aside(self, self._check, "check")
        else:
            self._start_search()

    async def _check(self) -> None:
        records = self._all[::-1]
        self._checking = True
        self._refresh_title()
        try:
            self._findings = await in_thread(lambda _: self._library.check(records))
        finally:
            self._checking = False
            if self.is_attached:  # the screen may have closed meanwhile
                self._refresh_title()
        self._start_search()

    # -- marking and deleting --------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("mark", "mark_all", "delete", "exclude"):
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
            self._refresh_title()

    def action_mark_all(self) -> None:
        """Mark all records that match the filter, or unmark them if all are marked."""
        matching = frozenset(telling(lesson).id for lesson in self._lessons)
        self._marked = self._marked - matching if matching <= self._marked else matching
        self._table.mark(self._marked)
        self._refresh_title()

    def action_exclude(self) -> None:
        chosen = self._chosen()
        if chosen:
            done = self._library.exclude(chosen)
            self._changed(_("{done} {{key:records.undo}} undoes it.").format(done=done))

    def _chosen(self) -> list[str]:
        """Return all records of the marked lessons, or of the one under the cursor if none is."""
        chosen = self._marked or set(filter(None, [self._table.current]))
        # A marked lesson may not match the filter any more; of one that does, what matches counts.
        rows = (*lessons(self._all), *self._lessons)
        ids = {telling(lesson).id: [record.id for record in lesson] for lesson in rows}
        return list(dict.fromkeys(each for row in chosen for each in ids.get(row, [row])))

    def action_delete(self) -> None:
        chosen = self._chosen()
        if not chosen:
            return
        detail = _(
            "Deleted records are no longer counted, exported or learned, but a model keeps what it"
            " has already learned from them. {key:records.undo} restores them until you quit."
        )
        confirm(
            self.app,
            _("Delete {records}?").format(records=counted(len(chosen), "record")),
            keyed(self, detail),
            _("Enter deletes · Esc cancels"),
            partial(self._delete, chosen),
        )

    def _delete(self, record_ids: list[str]) -> None:
        deleted = counted(self._library.delete(record_ids), "record")
        self._marked = frozenset()
        done = _("Deleted {records}. {{key:records.undo}} undoes it.")
        self._changed(done.format(records=deleted))

    def action_undo(self) -> None:
        self._changed(self._library.undo())

    def _changed(self, message: str) -> None:
        self._reload()
        self.post_message(Taught())
        self.notify(message, markup=False)


def _told(lesson: tuple[Record, ...]) -> list[Record]:
    """The records of a lesson, the most telling one first."""
    first = telling(lesson)
    return [first, *(record for record in lesson if record is not first)]
