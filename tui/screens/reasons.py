"""Ask why a reply was disliked. The 👎 is stored before this opens, so leaving it loses nothing."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static

from store.i18n import _
from store.records import REASONS
from tui.text_format import harmless, shortened
from tui.theme import checkbox
from tui.views.chat import ReplyView

_QUOTED = 120
"""Cells of the quoted reply: two lines."""
_NUMBERS = range(1, len(REASONS) + 1)


@dataclass(frozen=True)
class Reasons:
    chosen: tuple[str, ...]
    comment: str


class _ReasonList(OptionList):
    """The reasons; digits toggle them too."""

    BINDINGS: ClassVar[list[BindingType]] = [
        # In an option list, Enter would select like Space.
        Binding("enter", "screen.save", "Save", show=False, id="reasons.save"),
        Binding("space", "select", "Choose", show=False, id="reasons.choose"),
        *(
            Binding(
                str(number),
                f"choose({number})",
                REASONS[number - 1],
                show=False,
                id=f"reasons.{number}",
            )
            for number in _NUMBERS
        ),
    ]

    def __init__(self, chosen: Iterable[str]) -> None:
        self.chosen = set(chosen)
        super().__init__(*map(self._line, _NUMBERS))

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.action_choose(event.option_index + 1)

    def action_choose(self, number: int) -> None:
        self.highlighted = number - 1
        self.chosen ^= {REASONS[number - 1]}
        self.replace_option_prompt_at_index(number - 1, self._line(number))

    def _line(self, number: int) -> Content:
        reason = REASONS[number - 1]
        return checkbox(reason in self.chosen) + f" {number}  {_(reason)}"


class ReasonsScreen(ModalScreen[Reasons | None]):
    """Return the reasons, or None if the user left."""

    TITLE = "Why"
    HELP = """Reasons show what goes wrong. All of them are optional."""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "Skip", id="app.back"),
        Binding("f1", "app.help", "Help", show=False, id="app.help"),
    ]

    def __init__(self, reply: ReplyView) -> None:
        super().__init__()
        self._reply = reply

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(Content(_("👎 Why?")).stylize("bold"), classes="dialog-title")
            quoted = shortened(harmless(self._reply.text), _QUOTED)
            yield Static(quoted, classes="quoted", markup=False)
            yield _ReasonList(self._reply.reasons)
            hint = _("In your own words (optional)")
            yield Input(harmless(self._reply.comment), placeholder=hint, compact=True)
            keys = _("Enter saves · 1–6 toggle · Tab to the comment · Esc skips")
            yield Static(keys, classes="dialog-keys", markup=False)

    @on(Input.Submitted)
    def action_save(self) -> None:
        chosen = self.query_one(_ReasonList).chosen
        in_order = tuple(reason for reason in REASONS if reason in chosen)
        self.dismiss(Reasons(in_order, self.query_one(Input).value.strip()))
