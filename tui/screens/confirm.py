"""A question, answered with yes or no."""

from collections.abc import Callable
from typing import Any, ClassVar

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from store.i18n import _
from tui.error_toasts import errors_shown


class ConfirmScreen(ModalScreen[bool]):
    """Return whether the user agreed; leaving means no."""

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


def confirm(
    app: App[Any], question: str, detail: str, keys: str, action: Callable[[], None]
) -> None:
    """Ask `question`, and run `action` if the user agrees; its errors become toasts."""

    def answered(agreed: bool | None) -> None:
        if agreed:
            with errors_shown(app):
                action()

    app.push_screen(ConfirmScreen(question, detail, keys), answered)


def quit_dialog() -> ConfirmScreen:
    return ConfirmScreen(
        _("A training run is under way."),
        _("If you quit, it is interrupted. You can resume it next time."),
        _("Enter quits · Esc stays"),
    )
