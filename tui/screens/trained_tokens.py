"""Samples of the current or last pass, token by token, as the mask check saw them."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from core.events import MaskProof
from store.i18n import _
from tui.text_format import counted
from tui.views.record_detail import MaskView
from tui.views.training_progress import pass_label
from tui.widgets.footer import Footer
from tui.widgets.record import RecordTokens
from tui.widgets.title import title_line


class TrainedTokensScreen(Screen[None]):
    """All samples were checked before the first step; a few are shown."""

    TITLE = "Trained tokens"
    HELP = """The tokens a pass learns from, as checked before the first step."""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "dismiss", "Back", key_display="Esc", id="app.back"),
        Binding("m", "dismiss", "Back", show=False, id="tune.tokens"),
    ]

    def __init__(self, proof: MaskProof) -> None:
        super().__init__()
        self._proof = proof

    def compose(self) -> ComposeResult:
        proof = self._proof
        title = _("What {name} learns from").format(name=pass_label(proof.name))
        yield Static(title_line(title, _("in bold: learned tokens")), id="proof-title")
        with VerticalScroll(id="proof"):
            yield Static(_figures(proof), classes="figures")
            for number, pieces in enumerate(proof.shown, 1):
                shown = tuple((piece.text, piece.trained) for piece in pieces)
                yield RecordTokens(MaskView(_("Sample {number}").format(number=number), shown))
        yield Footer(compact=True, show_command_palette=True)


def _figures(proof: MaskProof) -> Content:
    return Content(
        _(
            "{samples}, all checked: no prompt token is learned, and every stop token is.\n"
            "{trained:,} of {tokens:,} tokens are learned; packed, they take {packed:,} with "
            "{padding:.0%} padding."
        ).format(
            samples=counted(proof.samples, "sample"),
            trained=proof.trained,
            tokens=proof.tokens,
            packed=proof.packed_tokens,
            padding=proof.padding,
        )
    )
