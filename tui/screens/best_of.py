"""The best of several replies: ranked by the reward model, picked by the person."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import Screen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from core.events import CandidatesRanked, ReplyFailed
from store.i18n import _
from tui.controllers.best_of import COUNT, Candidates
from tui.error_toasts import guarded, show_error
from tui.messages import FromCore
from tui.text_format import harmless, shortened
from tui.theme import MUTED
from tui.widgets.footer import Footer


class CandidatesScreen(Screen[int | None]):
    """Gives back the place of the reply that was picked; nothing where the person left."""

    TITLE = "Best of four"
    HELP = """The last reply drawn again several times, ranked by the reward model.
        The one you pick stands, and is preferred over the others."""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "dismiss", "Back", key_display="Esc", id="app.back"),
    ]

    def __init__(self, candidates: Candidates) -> None:
        super().__init__()
        self._candidates = candidates

    def compose(self) -> ComposeResult:
        question = shortened(harmless(self._candidates.exchange.text), 60)
        title = Content.assemble(
            (_("Best of {count}").format(count=COUNT), "bold"), (f"  {question}", MUTED)
        )
        yield Static(title, id="candidates-title")
        yield OptionList(id="candidates", compact=True)
        yield Static(id="candidates-said", markup=False)
        yield Footer(compact=True, show_command_palette=True)

    def on_mount(self) -> None:
        self._say(_("Drawing {count} replies, and ranking them…").format(count=COUNT))
        self._candidates.draw()

    def on_unmount(self) -> None:
        self._candidates.stop()

    def asked(self, request_id: str) -> bool:
        """Whether this screen waits for those replies."""
        return request_id == self._candidates.id

    @on(FromCore)
    @guarded
    def _from_core(self, message: FromCore) -> None:
        match message.event:
            case CandidatesRanked() as ranked:
                self._show(ranked)
            case ReplyFailed(_, error):
                show_error(self.app, error)
                self.dismiss(None)

    def _show(self, ranked: CandidatesRanked) -> None:
        self._candidates.ranked = ranked
        listed = self.query_one(OptionList)
        standing = self._candidates.exchange.reply.content
        for candidate in ranked.candidates:
            here = _("  as it stands") if candidate.text == standing else ""
            heading = Content.assemble(
                (_("reward {reward:+.2f}").format(reward=candidate.reward), "bold $text-primary"),
                (here, MUTED),
            )
            listed.add_option(Option(heading + "\n" + Content(harmless(candidate.text)) + "\n"))
        listed.highlighted = 0
        listed.focus()
        self._say(
            _(
                "Enter lets it stand, preferred over the others. The order is that of "
                "{judge}; the choice is yours."
            ).format(judge=self._candidates.reward_model)
        )

    def _say(self, text: str) -> None:
        self.query_one("#candidates-said", Static).update(text)

    @on(OptionList.OptionSelected)
    def _picked(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(event.option_index)
