"""Take what was taught elsewhere: which kinds, in which formats, and what the files would hold.

F8 Enter writes everything in the formats that tools expect. Counting and writing run in threads.
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
from store.records import KINDS, Record
from tui.background import aside, in_thread
from tui.controllers.records import Library
from tui.text_format import counted, padded
from tui.theme import MUTED
from tui.widgets.footer import Footer
from tui.widgets.form import MOVING, Choice, Field, Toggle

_NAMES = {
    "instruction": N_("instructions"),
    "preference": N_("preferences"),
    "verdict": N_("verdicts"),
}


class ExportScreen(Screen[None]):
    """The choices, and what they would write.

    Args:
        library: What there is.
        folder: Where it goes if the person does not say otherwise.
    """

    TITLE = "Export"
    HELP = """Which kinds of records to write, in which format, and where. What would be
        written is shown below while you choose."""
    AUTO_FOCUS = "Toggle"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "write", "Write", key_display="Enter", id="export.write"),
        Binding("escape", "dismiss", "Back", key_display="Esc", id="app.back"),
        Binding("f8", "dismiss", "Back", show=False, id="app.export"),
        *MOVING,
    ]

    def __init__(self, library: Library, folder: Path) -> None:
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
        yield Toggle(_("hold a fifth of the conversations out, in files of their own"), id="split")
        yield Toggle(_("hide secrets and e-mail addresses"), id="redact")
        yield Toggle(_("describe the files for LLaMA-Factory (dataset_info.json)"), id="info")
        yield Field(_("Only since"), placeholder=_("any day, or 2026-01-31"), id="since")
        yield Field(_("Licence"), placeholder=_("for the card that goes with it"), id="licence")
        yield Field(_("Into the folder"), str(self._folder), id="folder")
        with VerticalScroll(id="export-body", can_focus=False):
            yield Static(id="export-found")
        yield Footer(compact=True, show_command_palette=True)

    def on_mount(self) -> None:
        for kind in KINDS:
            self.query_one(f"#kind-{kind}", Toggle).detail = f"{self._counts[kind]:,}"
        total = counted(len(self._records), "record")
        line = Content.assemble((_("Export"), "bold"), "  ", (total, MUTED))
        self.query_one("#export-title", Static).update(line)
        aside(self, self._foresee, "foresee")

    # -- choosing --------------------------------------------------------------------------------

    def _ticked(self, toggle: str) -> bool:
        return self.query_one(f"#{toggle}", Toggle).on

    def _written(self, field: str) -> str:
        return self.query_one(f"#{field}", Field).value

    def _choices(self) -> Choices:
        """What is chosen now.

        Raises:
            TuteeError: the date is none.
        """
        kinds = tuple(kind for kind in KINDS if self._ticked(f"kind-{kind}"))
        return Choices(
            kinds=kinds,
            formats={kind: self.query_one(f"#format-{kind}", Choice).value for kind in kinds},
            split=self._ticked("split"),
            since=_moment(self._written("since")),
            redact=self._ticked("redact"),
            dataset_info=self._ticked("info"),
            licence=self._written("licence"),
        )

    @on(Toggle.Changed, "#info")
    def _suit_llama_factory(self) -> None:
        """Choose formats that it reads, where others were chosen."""
        if self._ticked("info"):
            for kind in KINDS:
                choice = self.query_one(f"#format-{kind}", Choice)
                if choice.value not in LLAMA_FACTORY:
                    choice.choose(next(name for name in LLAMA_FACTORY if name in writers(kind)))

    @on(Toggle.Changed)
    @on(Choice.Changed)
    @on(Input.Changed)
    def _changed(self) -> None:
        aside(self, self._foresee, "foresee")

    async def _foresee(self) -> None:
        """Say what would be written."""
        found = self.query_one("#export-found", Static)
        try:
            choices = self._choices()
            found.update(Content(_("Counting…")).stylize("$text-warning"))
            selected = await in_thread(lambda _: select(self._records, choices))
        except TuteeError as error:
            found.update(Content(str(error)).stylize("$text-error"))
        else:
            found.update(_foreseen(selected))

    # -- writing ---------------------------------------------------------------------------------

    @on(Input.Submitted)
    def action_write(self) -> None:
        if not self._writing:
            self._writing = True
            aside(self, self._write, "write")

    async def _write(self) -> None:
        try:
            folder = Path(self._written("folder")).expanduser()
            write = partial(self._library.export, self._records, self._choices(), folder)
            exported = await in_thread(lambda _: write())
        finally:
            self._writing = False
        self.app.copy_to_clipboard(str(exported.folder))
        what = _(", ").join(counted(number, kind) for kind, number in exported.counts.items())
        where = _("{folder}\nThe path is copied.").format(folder=exported.folder)
        self.app.notify(where, title=_("Exported {records}.").format(records=what), markup=False)
        self.dismiss()


def _moment(typed: str) -> datetime | None:
    """The beginning of a day, or a moment of it, in the person's own time zone."""
    if not typed:
        return None
    try:
        return datetime.fromisoformat(typed).astimezone()
    except ValueError:
        raise TuteeError(
            _("“{text}” is no date.").format(text=typed), _("Write it like 2026-01-31.")
        ) from None


def _foreseen(selection: ExportSelection) -> Content:
    lines = [
        Content.assemble(
            f"{table.name:<24}",
            padded(counted(len(table.rows), "row"), -10),
            (f"  {table.format}", MUTED),
        )
        for table in selection.tables
    ]
    if selection.redacted:
        lines.append(
            Content(
                _("{records} with something hidden").format(
                    records=counted(selection.redacted, "record")
                )
            )
        )
    lines += [
        Content(_("left out: {reason}").format(reason=reason)).stylize("$text-warning")
        for reason in selection.left_out
    ]
    return Content("\n").join(lines or [Content(_("Nothing would be written.")).stylize(MUTED)])
