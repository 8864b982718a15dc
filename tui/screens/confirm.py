"""One question, answered with yes or no."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from store.i18n import _


class ConfirmScreen(ModalScreen[bool]):
    """Gives back whether the person agreed; leaving means no."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,y", "answer(True)", "Yes", id="confirm.yes"),
        Binding("escape,n", "answer(False)", "No", id="confirm.no"),
    ]

    def __init__(self, question: str, detail: str, keys: str) -> None:
        super().__init__()
        self._question = question
        self._detail = detail
        self._keys = keys

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(Content(self._question).stylize("bold"), classes="dialog-title")
            yield Static(self._detail, markup=False)
            yield Static(self._keys, classes="dialog-keys", markup=False)

    def action_answer(self, answer: bool) -> None:
        self.dismiss(answer)


def question_of_quitting() -> ConfirmScreen:
    """What is asked while a run is under way."""
    return ConfirmScreen(
        _("A training run is under way."),
        _("If you quit, it is interrupted; when you come back it can go on from there."),
        _("Enter quits · Esc stays"),
    )
