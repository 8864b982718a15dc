"""Import records: preview a file or folder, then import it on Enter.

Reading runs in a thread. Only the main thread writes to the store, so it imports in batches and
lets the screen repaint in between.
"""

import asyncio
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import ClassVar

from rich.cells import cell_len
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Input, Static

from store.errors import TuteeError
from store.i18n import _
from store.records import ImportedConversation, Record
from tui.background import aside, in_thread
from tui.controllers.imports import preview_import, starter_preview
from tui.controllers.records import RecordLibrary
from tui.messages import Taught
from tui.theme import MUTED
from tui.views.import_preview import ImportPreview, complete_path, path_matches
from tui.widgets.footer import Footer
from tui.widgets.form import FORM_KEYS, Field, Toggle
from tui.widgets.import_preview import render_preview
from tui.widgets.title import title_line

_RECORDS_PER_BATCH = 200
"""Small enough that typing does not stall, large enough to be fast."""
_CONVERSATIONS_PER_BATCH = 50
_PAUSE = 0.005
"""Seconds between two batches, for key presses and painting."""


def _batches(
    found: ImportPreview,
) -> Iterator[tuple[Sequence[Record], Sequence[ImportedConversation], str]]:
    """Yield records and conversations to import at a time, with the progress so far."""
    for start in range(0, len(found.records), _RECORDS_PER_BATCH):
        done = _("{start:,} of {count:,} records").format(start=start, count=len(found.records))
        yield found.records[start : start + _RECORDS_PER_BATCH], (), done
    for start in range(0, len(found.chats), _CONVERSATIONS_PER_BATCH):
        done = _("{start:,} of {count:,} conversations").format(start=start, count=len(found.chats))
        yield (), found.chats[start : start + _CONVERSATIONS_PER_BATCH], done


class ImportScreen(Screen[None]):
    """A path or else the starter set, a preview of what it holds, and the choice to import it."""

    TITLE = "Import"
    HELP = """Import a file or folder from another program. A preview shows what it holds and every
        refused row before anything is imported. Records you already have are skipped."""
    AUTO_FOCUS = "#import-path Input"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "go", "Preview, then import", show=False, id="import.go"),
        Binding("tab", "complete", "Complete", key_display="Tab", id="import.complete"),
        Binding("ctrl+t", "starter", "Starter set", key_display="^t", id="import.starter"),
        # Priority over the fields, which have nothing to page through.
        Binding("pageup", "scroll(-1)", "Scroll up", show=False, priority=True, id="import.up"),
        Binding("pagedown", "scroll(1)", "Scroll", priority=True, id="import.down"),
        Binding("escape", "leave", "Back", key_display="Esc", id="app.back"),
        *FORM_KEYS,
    ]

    class Reading(Message):
        """The thread is reading a file."""

        def __init__(self, what: str) -> None:
            super().__init__()
            self.what = what

    def __init__(self, library: RecordLibrary, *, starter: bool = False) -> None:
        super().__init__()
        self._library = library
        self._starter = starter
        self._preview: ImportPreview | None = None
        self._importing = False

    def compose(self) -> ComposeResult:
        yield Static(id="import-title")
        yield Field(_("File or folder"), placeholder=_("Tab completes"), id="import-path")
        yield Field(_("Name"), placeholder=_("the file name"), id="import-name")
        yield Toggle(_("also learn every reply in conversations"), id="import-learn")
        with VerticalScroll(id="import-body", can_focus=False):
            yield Static(id="import-found")
        yield Static(id="import-keys", markup=False)
        yield Footer(compact=True, show_command_palette=True)

    def on_mount(self) -> None:
        self._begin()

    def _begin(self) -> None:
        for part in ("#import-path", "#import-name", "#import-learn"):
            self.query_one(part).display = not self._starter
        title = title_line(_("Import"))
        if self._starter:
            about = _("short prompts with good replies, in English and Chinese")
            title = title_line(_("Start with examples"), about)
        self.query_one("#import-title", Static).update(title)
        if self._starter:
            self._show_preview(starter_preview(self._library.known()))
        else:
            aside(self, self._list_matches, "read")

    # -- choosing --------------------------------------------------------------------------------

    @property
    def _path(self) -> str:
        return self.query_one("#import-path", Field).value

    @on(Input.Changed)
    @on(Toggle.Changed)
    def _changed(self) -> None:
        """Discard the preview, which no longer matches the form."""
        if not self._starter:
            self._preview = None
            aside(self, self._list_matches, "read")

    async def _list_matches(self) -> None:
        typed = self._path
        found = await in_thread(lambda _: path_matches(typed))
        lines = Content("\n").join(Content(path) for path in found)
        self._update(lines.stylize(MUTED), _("Enter shows a preview first") if typed else "")

    def action_complete(self) -> None:
        """Complete the path as far as it is unambiguous; otherwise move to the next field."""
        field = self.query_one("#import-path", Field).input
        longer = complete_path(field.value)
        if self.focused is not field or (longer == field.value and not path_matches(longer)[1:]):
            self.app.action_focus_next()
        elif longer != field.value:
            field.value = longer
            field.cursor_position = len(longer)

    def action_starter(self) -> None:
        self._starter = True
        self._begin()

    # -- reading ---------------------------------------------------------------------------------

    @on(Input.Submitted)
    def action_go(self) -> None:
        """Read the path, or import what was read."""
        if self._importing:
            return
        if self._preview is None:
            if self._path:
                aside(self, self._read, "read")
        elif self._preview.useful:
            self._importing = True
            aside(self, partial(self._import, self._preview), "import")
        else:
            self.dismiss()

    async def _read(self) -> None:
        path = Path(self._path).expanduser()
        name = self.query_one("#import-name", Field).value
        learn = self.query_one(Toggle).on
        known = self._library.known()

        def report(what: str) -> None:
            self.post_message(self.Reading(what))

        try:
            read = partial(preview_import, path, name, learn, known, report)
            self._show_preview(await in_thread(read))
        except TuteeError as error:
            self._update(Content(str(error)).stylize("$text-error"), "")

    @on(Reading)
    def _reading(self, event: Reading) -> None:
        if self._preview is None:
            self._update(Content(event.what).stylize("$text-warning"), "")

    def _show_preview(self, found: ImportPreview) -> None:
        self._preview = found
        if found.useful:
            keys = _("Enter imports {kinds}").format(kinds=found.kinds)
            if cell_len(keys) > self.size.width - 2:
                keys = _("Enter imports everything new")
        else:
            keys = _("Nothing new to import")
        self._update(render_preview(found, self.size.width - 4), keys)

    # -- importing -------------------------------------------------------------------------------

    async def _import(self, found: ImportPreview) -> None:
        """Import in batches; each is stored completely, so an interruption loses none of them."""
        self._library.begin_import()
        try:
            for records, chats, done in _batches(found):
                importing = _("Importing {done}…").format(done=done)
                self.query_one("#import-keys", Static).update(importing)
                await asyncio.sleep(_PAUSE)
                self._library.add(records, chats)
        finally:
            self._importing = False
            self.app.post_message(Taught())
        done = _("Imported {kinds}. {{key:records.undo}} in the records undoes it.")
        self.app.notify(done.format(kinds=found.kinds), markup=False)
        self.dismiss()

    def action_leave(self) -> None:
        if not self._importing:
            self.dismiss()

    # -- drawing ---------------------------------------------------------------------------------

    def _update(self, found: Content, keys: str) -> None:
        self.query_one("#import-found", Static).update(found)
        self.query_one("#import-keys", Static).update(keys)
        self.refresh_bindings()

    def action_scroll(self, pages: int) -> None:
        body = self.query_one("#import-body", VerticalScroll)
        if pages < 0:
            body.scroll_page_up(animate=False)
        else:
            body.scroll_page_down(animate=False)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("complete", "starter"):
            return not self._starter
        return True
