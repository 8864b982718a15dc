"""Ctrl+O: which base model is used; a short list, all on this machine, and any other by its id."""

from typing import ClassVar

import psutil
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from core.events import FetchFailed, ModelFetched, ModelLoading, ModelReady
from core.hub.model_id import TITLES, hub_model
from core.models import catalog
from core.models.catalog import Known
from store.i18n import _
from tui.controllers.models import Choosing
from tui.error_toasts import errors_shown, guarded
from tui.messages import FromCore
from tui.screens.confirm import ConfirmScreen
from tui.text_format import harmless, shortened
from tui.theme import MUTED
from tui.views.transfer_rate import size
from tui.widgets.activity import loading_line
from tui.widgets.footer import Footer
from tui.widgets.form import Field

_NAME_CELLS = 26


class ModelsScreen(Screen[None]):
    """Leaves once a model that is on this machine was chosen; a fetch goes on when it is left.

    Args:
        choosing: What there is, and what is done with it.
    """

    TITLE = "Models"
    HELP = """The model that everything is learned on top of: what is on this machine, and what can
        be fetched. Each has versions of its own; your records serve them all."""
    AUTO_FOCUS = "#models"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "Back", key_display="Esc", id="app.back"),
        Binding("ctrl+o", "dismiss", "Back", show=False, id="app.models"),
        Binding("x", "stop", "Stop fetching", key_display="X", id="models.stop"),
        Binding("d,delete", "remove", "Remove", key_display="D", id="models.remove"),
    ]

    def __init__(self, choosing: Choosing) -> None:
        super().__init__()
        self._choosing = choosing
        self._known: list[Known] = []

    def compose(self) -> ComposeResult:
        yield Static(id="models-title")
        yield OptionList(id="models", compact=True)
        yield Static(id="models-about")
        yield Static(id="models-loading")
        yield Field(
            _("Any other"),
            placeholder=_("hf: or modelscope:owner/name, a folder, a GGUF file"),
            id="other",
        )
        yield Footer(compact=True, show_command_palette=True)

    def on_mount(self) -> None:
        self._renew()
        used = [known.spec == self._choosing.used for known in self._known]
        begun = [known.state == "partly" for known in self._known]
        marked = begun if any(begun) and not self._choosing.answers else used
        self.query_one("#models", OptionList).highlighted = marked.index(True) if any(marked) else 0

    # -- what is shown -----------------------------------------------------------------------------

    def _renew(self) -> None:
        """Look again at what is on this machine."""
        about = _("none answers yet")
        if self._choosing.answers:
            about = _("{model} is in use").format(model=harmless(self._choosing.used))
        used = Content.assemble((_("Models"), "bold"), "  ", (about, MUTED))
        self.query_one("#models-title", Static).update(used)
        options = self.query_one("#models", OptionList)
        highlighted = options.highlighted
        self._known = self._choosing.known()
        options.clear_options()
        options.add_options(Option(self._line(known)) for known in self._known)
        if highlighted is not None:
            options.highlighted = min(highlighted, len(self._known) - 1)
        self._show_loading()

    def _line(self, known: Known) -> Content:
        offer = known.offer
        mark = self._mark(known)
        if offer is None:
            return Content.assemble(
                mark, " ", harmless(known.spec), (f"  {size(known.size)}", MUTED)
            )
        millions = offer.parameters / 1e6
        parameters = f"{millions / 1000:.1f}B" if millions >= 1000 else f"{millions:.0f}M"
        return Content.assemble(
            mark,
            f" {shortened(offer.name, _NAME_CELLS):<{_NAME_CELLS}} {parameters:>5}",
            (f"  {size(offer.download):>7}  {_(offer.languages)}", MUTED),
        )

    def _mark(self, known: Known) -> Content:
        if known.spec == self._choosing.used and self._choosing.answers:
            return Content("●").stylize("$text-success")
        marks = {"here": "✓", "partly": "◐", "absent": " "}
        return Content(marks[known.state]).stylize(MUTED)

    @on(OptionList.OptionHighlighted)
    def _describe(self, event: OptionList.OptionHighlighted) -> None:
        self.query_one("#models-about", Static).update(_about(self._known[event.option_index]))

    def _show_loading(self) -> None:
        loading = self._choosing.loading
        shown = self.query_one("#models-loading", Static)
        shown.display = loading is not None
        if loading is not None:
            shown.update(loading_line(loading, self._choosing.note))
        self.refresh_bindings()

    @on(FromCore)
    @guarded
    def _from_core(self, message: FromCore) -> None:
        match message.event:
            case ModelLoading():
                self._show_loading()
            case ModelFetched() | FetchFailed() | ModelReady():
                self._renew()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave out what cannot be done now."""
        return bool(self._choosing.fetching) if action == "stop" else True

    # -- what is done ------------------------------------------------------------------------------

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        self._choose(self._known[event.option_index].spec)

    @on(Input.Submitted)
    def _written(self, event: Input.Submitted) -> None:
        if event.value.strip():
            self._choose(event.value)

    def _choose(self, spec: str) -> None:
        with errors_shown(self.app):
            if self._choosing.choose(spec):
                self.dismiss()
            else:
                self._show_loading()

    def action_stop(self) -> None:
        """End the fetch; what has arrived is kept."""
        self._choosing.stop()

    def action_remove(self) -> None:
        """Take the highlighted model off this machine, after asking.

        Raises:
            TuteeError: it cannot be taken off.
        """
        index = self.query_one("#models", OptionList).highlighted
        if index is None:
            return
        known = self._known[index]
        self._choosing.require_removable(known)

        def remove(agreed: bool | None) -> None:
            if agreed:
                with errors_shown(self.app):
                    self.app.notify(self._choosing.remove(known), markup=False)
                    self._renew()

        question = _("Remove {model} from this machine?").format(model=harmless(known.spec))
        kept = _("What was trained on it stays, and needs it to be used.")
        self.app.push_screen(ConfirmScreen(question, kept, _("Enter removes · Esc keeps")), remove)


def _about(known: Known) -> Content:
    """Where it comes from and what it takes, in two lines."""
    model = hub_model(known.spec)
    source = TITLES[model.hub] if model else _("this machine") if known.path else ""
    if known.spec == catalog.BUILTIN:
        source = _("the package index")
    first = [harmless(known.spec), _("from {source}").format(source=source)]
    if known.state != "absent":
        where = _("{size} fetched so far") if known.state == "partly" else _("{size} on disk")
        if known.shared:
            where = _("{size} on disk, in its own cache")
        first.append(where.format(size=size(known.size)))
    lines = [Content(" · ".join(first))]
    if known.offer is not None:
        lines.append(_needs(known.offer))
    return Content("\n").join(lines)


def _needs(offer: catalog.Offer) -> Content:
    need, there = catalog.memory(offer.parameters), psutil.virtual_memory().total
    text = _("{licence} · about {size} of memory to chat and train").format(
        licence=offer.licence, size=size(need)
    )
    if need > there:
        return Content(
            _("{text}; this machine has {size}").format(text=text, size=size(there))
        ).stylize("$text-warning")
    return Content(text).stylize(MUTED)
