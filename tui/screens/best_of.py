"""Best of four: replies ranked by the reward model, from which the user picks."""

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
from tui.controllers.best_of import COUNT, BestOfController
from tui.error_toasts import guarded, show_error
from tui.messages import FromCore
from tui.text_format import harmless, shortened
from tui.theme import MUTED
from tui.widgets.footer import Footer
from tui.widgets.title import title_line


class BestOfScreen(Screen[int | None]):
    """Return the index of the picked reply, or None if the user left."""

    TITLE = "Best of four"
    HELP = """Several new replies to your last message, ranked by the reward model. The one you pick
        replaces the current reply and is kept as preferred over the others."""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "dismiss", "Back", key_display="Esc", id="app.back"),
    ]

    def __init__(self, best_of: BestOfController) -> None:
        super().__init__()
        self._best_of = best_of

    def compose(self) -> ComposeResult:
        question = shortened(harmless(self._best_of.exchange.text), 60)
        title = _("Best of {count}").format(count=COUNT)
        yield Static(title_line(title, question), id="candidates-title")
        yield OptionList(id="candidates", compact=True)
        yield Static(id="candidates-note", markup=False)
        yield Footer(compact=True, show_command_palette=True)

    def on_mount(self) -> None:
        self._show_note(_("Generating {count} replies and ranking them…").format(count=COUNT))
        self._best_of.generate()

    def on_unmount(self) -> None:
        self._best_of.stop()

    def asked(self, request_id: str) -> bool:
        return request_id == self._best_of.id

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
        self._best_of.ranked = ranked
        listed = self.query_one(OptionList)
        current = self._best_of.exchange.reply.content
        for candidate in ranked.candidates:
            heading = Content.assemble(
                (_("reward {reward:+.2f}").format(reward=candidate.reward), "bold $text-primary"),
                (_("  current reply") if candidate.text == current else "", MUTED),
            )
            listed.add_option(Option(heading + "\n" + Content(harmless(candidate.text)) + "\n"))
        listed.highlighted = 0
        listed.focus()
        note = _(
            "Ranked by {reward_model}. Enter uses the highlighted reply and keeps it as "
            "preferred over the others."
        )
        self._show_note(note.format(reward_model=self._best_of.reward_model))

    def _show_note(self, text: str) -> None:
        self.query_one("#candidates-note", Static).update(text)

    @on(OptionList.OptionSelected)
    def _picked(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(event.option_index)
