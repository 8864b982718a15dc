"""Export records: choose kinds and formats, and see what the files would hold.

The defaults write everything in the formats that other tools expect. Counting and writing run in
threads.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Input, Static

from data.exports import Choices, ExportSelection, select
from data.formats import LLAMA_FACTORY, writers
from store.errors import TuteeError
from store.i18n import N_, _
from store.local_time import local
from store.records import KINDS, Record
from tui.background import aside, in_thread
from tui.controllers.records import RecordLibrary
from tui.text_format import counted, padded
from tui.theme import MUTED
from tui.widgets.footer import Footer
from tui.widgets.form import FORM_KEYS, Choice, Field, Toggle
from tui.widgets.title import title_line

_NAMES = {
    "instruction": N_("instructions"),
    "preference": N_("preferences"),
    "verdict": N_("verdicts"),
}


class ExportScreen(Screen[None]):
    """The options, and a preview of the files."""

    TITLE = "Export"
    HELP = """Choose which kinds of records to export, in which format, and where to. The preview
        below shows what would be written."""
    AUTO_FOCUS = "Toggle"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "write", "Write", key_display="Enter", id="export.write"),
        Binding("escape", "dismiss", "Back", key_display="Esc", id="app.back"),
        Binding("f8", "dismiss", "Back", show=False, id="app.export"),
        *FORM_KEYS,
    ]

    def __init__(self, library: RecordLibrary, folder: Path) -> None:
        super().__init__()
        self._library = library
        self._records: Sequence[Record] = library.records()[::-1]
        self._counts = Counter(str(record.kind) for record in self._records)
        self._folder = folder
        self._writing = False

    def compose(self) -> ComposeResult:
        yield Static(id="export-title")
        with Vertical(id="export-kinds"):
            for kind in KINDS:
                with Horizontal(classes="kind-row"):
                    yield Toggle(_(_NAMES[kind]), on=bool(self._counts[kind]), id=f"kind-{kind}")
                    yield Choice(writers(kind), id=f"format-{kind}")
        yield Toggle(_("hold out a fifth of the conversations, in separate files"), id="split")
        yield Toggle(_("redact secrets and email addresses"), id="redact")
        yield Toggle(_("add dataset_info.json for LLaMA-Factory"), id="info")
        yield Field(_("Since"), placeholder=_("any date, or 2026-01-31"), id="since")
        yield Field(_("License"), placeholder=_("for the dataset card"), id="licence")
        yield Field(_("Folder"), str(self._folder), id="folder")
        with VerticalScroll(id="export-body", can_focus=False):
            yield Static(id="export-found")
        yield Footer(compact=True, show_command_palette=True)

    def on_mount(self) -> None:
        for kind in KINDS:
            self.query_one(f"#kind-{kind}", Toggle).detail = f"{self._counts[kind]:,}"
        total = counted(len(self._records), "record")
        self.query_one("#export-title", Static).update(title_line(_("Export"), total))
        self._refresh_preview()

    # -- choosing --------------------------------------------------------------------------------

    def _checked(self, toggle: str) -> bool:
        return self.query_one(f"#{toggle}", Toggle).on

    def _text(self, field: str) -> str:
        return self.query_one(f"#{field}", Field).value

    def _choices(self) -> Choices:
        """Read the form.

        Raises:
            TuteeError: the date is invalid.
        """
        kinds = tuple(kind for kind in KINDS if self._checked(f"kind-{kind}"))
        return Choices(
            kinds=kinds,
            formats={kind: self.query_one(f"#format-{kind}", Choice).value for kind in kinds},
            split=self._checked("split"),
            since=_moment(self._text("since")),
            redact=self._checked("redact"),
            dataset_info=self._checked("info"),
            licence=self._text("licence"),
        )

    @on(Toggle.Changed, "#info")
    def _suit_llama_factory(self) -> None:
        """Switch to formats that LLaMA-Factory reads."""
        if self._checked("info"):
            for kind in KINDS:
                choice = self.query_one(f"#format-{kind}", Choice)
                if choice.value not in LLAMA_FACTORY:
                    choice.choose(next(name for name in LLAMA_FACTORY if name in writers(kind)))

    @on(Toggle.Changed)
    @on(Choice.Changed)
    @on(Input.Changed)
    def _refresh_preview(self) -> None:
        aside(self, self._preview, "preview")

    async def _preview(self) -> None:
        found = self.query_one("#export-found", Static)
        try:
            choices = self._choices()
            found.update(Content(_("Counting…")).stylize("$text-warning"))
            selected = await in_thread(lambda _: select(self._records, choices))
        except TuteeError as error:
            found.update(Content(str(error)).stylize("$text-error"))
        else:
            found.update(_preview_lines(selected))

    # -- writing ---------------------------------------------------------------------------------

    @on(Input.Submitted)
    def action_write(self) -> None:
        if not self._writing:
            self._writing = True
            aside(self, self._write, "write")

    async def _write(self) -> None:
        try:
            folder = Path(self._text("folder")).expanduser()
            write = partial(self._library.export, self._records, self._choices(), folder)
            exported = await in_thread(lambda _: write())
        finally:
            self._writing = False
        self.app.copy_to_clipboard(str(exported.folder))
        what = _(", ").join(counted(number, kind) for kind, number in exported.counts.items())
        where = _("{folder}\nThe path is on the clipboard.").format(folder=exported.folder)
        self.app.notify(where, title=_("Exported {records}.").format(records=what), markup=False)
        self.dismiss()


def _moment(typed: str) -> datetime | None:
    """Parse a date, or a date and time, in the user's time zone."""
    if not typed:
        return None
    try:
        return local(datetime.fromisoformat(typed))
    except ValueError:
        raise TuteeError(
            _("“{text}” is not a date.").format(text=typed), _("Write it like 2026-01-31.")
        ) from None


def _preview_lines(selection: ExportSelection) -> Content:
    lines = [
        Content.assemble(
            f"{table.name:<24}",
            padded(counted(len(table.rows), "row"), -10),
            (f"  {table.format}", MUTED),
        )
        for table in selection.tables
    ]
    if selection.redacted:
        redacted = counted(selection.redacted, "record")
        lines.append(Content(_("{records} with redactions").format(records=redacted)))
    lines += [
        Content(_("left out: {reason}").format(reason=reason)).stylize("$text-warning")
        for reason in selection.left_out
    ]
    return Content("\n").join(lines or [Content(_("Nothing would be written.")).stylize(MUTED)])
