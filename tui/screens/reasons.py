"""Ask why a reply was disliked. The 👎 is stored before this opens, so leaving it loses nothing."""

from collections.abc import Sequence
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
_KEYS = "1234567890"[: len(REASONS)]
"""One digit for each reason."""


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
            Binding(key, f"choose({index})", reason, show=False, id=f"reasons.{index + 1}")
            for index, (key, reason) in enumerate(zip(_KEYS, REASONS, strict=True))
        ),
    ]

    def __init__(self, chosen: Sequence[str]) -> None:
        self._chosen = set(chosen)
        # A record from elsewhere, or an old one, may have reasons that are not offered any more.
        self._reasons = (*REASONS, *(reason for reason in chosen if reason not in REASONS))
        super().__init__(*map(self._line, range(len(self._reasons))))

    @property
    def chosen(self) -> tuple[str, ...]:
        """The chosen reasons, in the order shown."""
        return tuple(reason for reason in self._reasons if reason in self._chosen)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.action_choose(event.option_index)

    def action_choose(self, index: int) -> None:
        self.highlighted = index
        self._chosen ^= {self._reasons[index]}
        self.replace_option_prompt_at_index(index, self._line(index))

    def _line(self, index: int) -> Content:
        reason = self._reasons[index]
        key = _KEYS[index : index + 1] or " "
        return checkbox(reason in self._chosen) + f" {key}  {_(reason)}"


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
            keys = _("Enter saves · digits toggle · Tab to the comment · Esc skips")
            yield Static(keys, classes="dialog-keys", markup=False)

    @on(Input.Submitted)
    def action_save(self) -> None:
        chosen = self.query_one(_ReasonList).chosen
        self.dismiss(Reasons(chosen, self.query_one(Input).value.strip()))
