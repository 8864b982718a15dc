"""Bring in what was taught elsewhere: first what it would bring, then, on Enter, the bringing.

Reading runs in a thread; keeping goes in portions between which the screen is drawn, because only
this thread writes to the store.
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
from tui.controllers.imports import preview, starter_preview
from tui.controllers.records import Library
from tui.messages import Taught
from tui.theme import MUTED
from tui.views.import_preview import Preview, completed, matches
from tui.widgets.footer import Footer
from tui.widgets.form import MOVING, Field, Toggle
from tui.widgets.import_preview import previewed

_PORTION = 200
"""Records kept at a time: few enough that typing does not stall, many enough to be fast."""
_CHATS = 50
"""Conversations kept at a time."""
_BREATH = 0.005
"""Seconds between two portions: time for what was typed and for the paint."""


def _portions(
    found: Preview,
) -> Iterator[tuple[Sequence[Record], Sequence[ImportedConversation], str]]:
    """What is kept at a time, and how far that is."""
    for start in range(0, len(found.records), _PORTION):
        share = _("{start:,} of {count:,} records").format(start=start, count=len(found.records))
        yield found.records[start : start + _PORTION], (), share
    for start in range(0, len(found.chats), _CHATS):
        share = _("{start:,} of {count:,} conversations").format(
            start=start, count=len(found.chats)
        )
        yield (), found.chats[start : start + _CHATS], share


class ImportScreen(Screen[None]):
    """A file, what it holds, and the question whether to take it.

    Args:
        library: Where it goes.
        starter: Offer Tutee's own examples instead of asking for a file.
    """

    TITLE = "Import"
    HELP = """A file or folder that another program wrote: first a look at what it holds, and
        at every row that is refused, then take it or leave it. What is known adds nothing."""
    AUTO_FOCUS = "#import-path Input"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "go", "Look, then take", show=False, id="import.go"),
        Binding("tab", "complete", "Complete", key_display="Tab", id="import.complete"),
        Binding("ctrl+t", "starter", "Starter set", key_display="^t", id="import.starter"),
        # Before the fields, which have no pages to turn.
        Binding("pageup", "scroll(-1)", "Scroll up", show=False, priority=True, id="import.up"),
        Binding("pagedown", "scroll(1)", "Scroll", priority=True, id="import.down"),
        Binding("escape", "leave", "Back", key_display="Esc", id="app.back"),
        *MOVING,
    ]

    class Reading(Message):
        """What the thread reads now."""

        def __init__(self, what: str) -> None:
            super().__init__()
            self.what = what

    def __init__(self, library: Library, *, starter: bool = False) -> None:
        super().__init__()
        self._library = library
        self._starter = starter
        self._preview: Preview | None = None
        self._taking = False

    def compose(self) -> ComposeResult:
        yield Static(id="import-title")
        yield Field(_("File or folder"), placeholder=_("Tab completes"), id="import-path")
        yield Field(_("Call it"), placeholder=_("by the file's name"), id="import-name")
        yield Toggle(_("learn every reply of conversations too"), id="import-learn")
        with VerticalScroll(id="import-body", can_focus=False):
            yield Static(id="import-found")
        yield Static(id="import-keys", markup=False)
        yield Footer(compact=True, show_command_palette=True)

    def on_mount(self) -> None:
        self._begin()

    def _begin(self) -> None:
        for part in ("#import-path", "#import-name", "#import-learn"):
            self.query_one(part).display = not self._starter
        title = _("Start with examples") if self._starter else _("Import")
        about = _("short ones with good replies, in English and Chinese")
        line = Content.assemble((title, "bold"), "  ", (about if self._starter else "", MUTED))
        self.query_one("#import-title", Static).update(line)
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
        """What was read is no longer what would be taken."""
        if not self._starter:
            self._preview = None
            aside(self, self._list_matches, "read")

    async def _list_matches(self) -> None:
        typed = self._path
        found = await in_thread(lambda _: matches(typed))
        lines = Content("\n").join(Content(path) for path in found)
        self._say(lines.stylize(MUTED), _("Enter reads it; nothing is taken yet") if typed else "")

    def action_complete(self) -> None:
        """Go on with the path as far as it is clear; where there is nothing to it, go on."""
        field = self.query_one("#import-path", Field).input
        longer = completed(field.value)
        if self.focused is not field or not (longer != field.value or matches(field.value)[1:]):
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
        """Read what is named, or take what was read."""
        if self._taking:
            return
        if self._preview is None:
            if self._path:
                aside(self, self._read, "read")
        elif self._preview.useful:
            self._taking = True
            aside(self, partial(self._take, self._preview), "take")
        else:
            self.dismiss()

    async def _read(self) -> None:
        path = Path(self._path).expanduser()
        name = self.query_one("#import-name", Field).value
        learn = self.query_one(Toggle).on
        known = self._library.known()

        def say(what: str) -> None:
            self.post_message(self.Reading(what))

        try:
            read = partial(preview, path, name, learn, known, say)
            self._show_preview(await in_thread(read))
        except TuteeError as error:
            self._say(Content(str(error)).stylize("$text-error"), "")

    @on(Reading)
    def _reading(self, event: Reading) -> None:
        if self._preview is None:
            self._say(Content(event.what).stylize("$text-warning"), "")

    def _show_preview(self, found: Preview) -> None:
        self._preview = found
        if found.useful:
            keys = _("Enter takes {kinds} · Esc leaves").format(kinds=found.kinds)
            if cell_len(keys) > self.size.width - 2:
                keys = _("Enter takes all that is new · Esc leaves")
        else:
            keys = _("There is nothing new to take · Esc leaves")
        self._say(self._previewed(found), keys)

    def _previewed(self, found: Preview) -> Content:
        return previewed(found, self.size.width - 4)

    # -- taking ----------------------------------------------------------------------------------

    async def _take(self, found: Preview) -> None:
        """Keep it in portions; each is kept whole, so an end half-way loses nothing of them."""
        try:
            for records, chats, share in _portions(found):
                self.query_one("#import-keys", Static).update(
                    _("Taking {share}…").format(share=share)
                )
                await asyncio.sleep(_BREATH)
                self._library.take(records, chats)
        finally:
            self._taking = False
            self.app.post_message(Taught())
        self.app.notify(_("Taken: {kinds}.").format(kinds=found.kinds), markup=False)
        self.dismiss()

    def action_leave(self) -> None:
        if not self._taking:
            self.dismiss()

    # -- drawing ---------------------------------------------------------------------------------

    def _say(self, found: Content, keys: str) -> None:
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
