"""Why a reply was refused: reasons to toggle and a comment, all of it optional.

The 👎 is stored before this opens, so leaving it costs nothing.
"""

from dataclasses import dataclass
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, SelectionList, Static
from textual.widgets.selection_list import Selection

from store.records import REASONS
from tui.text import shortened
from tui.views import ReplyView


@dataclass(frozen=True)
class Reasons:
    """What the person said about a 👎."""

    chosen: tuple[str, ...]
    comment: str


class _ReasonList(SelectionList[str]):
    """The reasons, each also a digit away."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(str(number), f"toggle_reason({number})", show=False)
        for number in range(1, len(REASONS) + 1)
    ]

    def action_toggle_reason(self, number: int) -> None:
        self.highlighted = number - 1
        self.toggle(REASONS[number - 1])


class ReasonsScreen(ModalScreen[Reasons | None]):
    """Asks why; gives nothing back where the person leaves."""

    BINDINGS: ClassVar[list[BindingType]] = [
        # Before the list, for which Enter means the same as Space.
        Binding("enter", "save", "Save", priority=True),
        Binding("escape", "dismiss", "Leave it at the thumb"),
    ]

    def __init__(self, reply: ReplyView) -> None:
        super().__init__()
        self._reply = reply

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(Content("👎 Why?").stylize("bold"), classes="dialog-title")
            yield Static(shortened(self._reply.text, 200), classes="quoted", markup=False)
            yield _ReasonList(
                *(
                    Selection(Content(f"{number}  {reason}"), reason, reason in self._reply.reasons)
                    for number, reason in enumerate(REASONS, 1)
                )
            )
            yield Input(self._reply.comment, placeholder="In your words (optional)", compact=True)
            yield Static(
                "Enter saves · 1–6 choose · Tab to the words · Esc leaves it so",
                classes="dialog-keys",
                markup=False,
            )

    def action_save(self) -> None:
        chosen = self.query_one(_ReasonList).selected
        in_order = tuple(reason for reason in REASONS if reason in chosen)
        self.dismiss(Reasons(in_order, self.query_one(Input).value.strip()))
