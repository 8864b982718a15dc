"""What the pass under way, or the last one, is taught: a few of its samples, token by token."""

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
from tui.theme import MUTED
from tui.views.record_detail import MaskView
from tui.views.training_progress import label
from tui.widgets.footer import Footer
from tui.widgets.record import RecordTokens


class ProofScreen(Screen[None]):
    """All samples were checked before the first step; some are shown."""

    TITLE = "Trained tokens"
    HELP = """What a pass learns from, token by token, as it was checked before the first
        step."""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "dismiss", "Back", key_display="Esc", id="app.back"),
        Binding("m", "dismiss", "Back", show=False, id="tune.tokens"),
    ]

    def __init__(self, proof: MaskProof) -> None:
        super().__init__()
        self._proof = proof

    def compose(self) -> ComposeResult:
        proof = self._proof
        title = _("What {name} learns from").format(name=label(proof.name))
        rest = _("in bold: the tokens that carry loss")
        yield Static(Content.assemble((title, "bold"), "  ", (rest, MUTED)), id="proof-title")
        with VerticalScroll(id="proof"):
            yield Static(_figures(proof), classes="figures")
            for number, pieces in enumerate(proof.shown, 1):
                shown = tuple((piece.text, piece.trained) for piece in pieces)
                yield RecordTokens(MaskView(_("Sample {number}").format(number=number), shown))
        yield Footer(compact=True, show_command_palette=True)


def _figures(proof: MaskProof) -> Content:
    return Content(
        _(
            "{samples}, each of them checked: no token of a prompt carries loss, and "
            "every stop token does.\n{trained:,} of {tokens:,} tokens are learned; packed "
            "together they are {packed:,}, of which {padding:.0%} is padding."
        ).format(
            samples=counted(proof.samples, "sample"),
            trained=proof.trained,
            tokens=proof.tokens,
            packed=proof.packed_tokens,
            padding=proof.padding,
        )
    )
