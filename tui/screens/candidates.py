"""The best of several replies: ranked by the reward model, picked by the person."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Footer, OptionList, Static
from textual.widgets.option_list import Option

from core.events import CandidatesRanked, ReplyFailed
from tui.candidates import COUNT, Candidates
from tui.guard import guarded, show_error
from tui.messages import FromCore
from tui.text import harmless, shortened
from tui.theme import MUTED


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
        title = Content.assemble((f"Best of {COUNT}", "bold"), (f"  {question}", MUTED))
        yield Static(title, id="candidates-title")
        yield OptionList(id="candidates", compact=True)
        yield Static(id="candidates-said", markup=False)
        yield Footer(compact=True, show_command_palette=True)

    def on_mount(self) -> None:
        self._say(f"Drawing {COUNT} replies, and ranking them…")
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
            here = "  as it stands" if candidate.text == standing else ""
            heading = Content.assemble(
                (f"reward {candidate.reward:+.2f}", "bold $text-primary"), (here, MUTED)
            )
            listed.add_option(Option(heading + "\n" + Content(harmless(candidate.text)) + "\n"))
        listed.highlighted = 0
        listed.focus()
        self._say(
            "Enter lets it stand, preferred over the others. "
            f"The order is that of {self._candidates.reward_model}; the choice is yours."
        )

    def _say(self, text: str) -> None:
        self.query_one("#candidates-said", Static).update(text)

    @on(OptionList.OptionSelected)
    def _picked(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(event.option_index)
