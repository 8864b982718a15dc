"""Choose the base model: a short list, every model on this machine, or any other by its id."""

from functools import partial
from typing import ClassVar

import psutil
from textual import events, on
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
from tui.controllers.models import ModelChooser
from tui.error_toasts import errors_shown, guarded
from tui.messages import FromCore
from tui.screens.confirm import confirm
from tui.text_format import harmless, shortened
from tui.theme import MUTED
from tui.views.transfer_rate import format_size
from tui.widgets.activity import loading_line
from tui.widgets.footer import Footer
from tui.widgets.form import Field, writes
from tui.widgets.title import title_line

_NAME_CELLS = 26


class _ModelList(OptionList):
    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave Enter to the screen, whose binding names it."""
        return action != "select"


class ModelsScreen(Screen[None]):
    """Closes once a model on this machine is chosen; a download continues in the background."""

    TITLE = "Models"
    HELP = """The base model that training builds on: models on this machine, and models to
        download. Each has its own versions; all of them learn from your records."""
    AUTO_FOCUS = "#models"
    FOLLOWS_MODEL = True
    """Gets the events of loading and fetching a model."""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "choose", "Use", key_display="Enter", id="models.choose"),
        # Typing goes to the field, so no letter is a command.
        Binding("ctrl+x", "stop", "Stop download", key_display="^x", id="models.stop"),
        Binding("delete", "remove", "Remove", key_display="Del", id="models.remove"),
        Binding("escape", "dismiss", "Back", key_display="Esc", id="app.back"),
        Binding("ctrl+o", "dismiss", "Back", show=False, id="app.models"),
    ]

    def __init__(self, chooser: ModelChooser) -> None:
        super().__init__()
        self._chooser = chooser
        self._known: list[Known] = []

    def compose(self) -> ComposeResult:
        yield Static(id="models-title")
        yield _ModelList(id="models", compact=True)
        yield Static(id="models-about")
        yield Static(id="models-loading")
        hint = _("type hf: or modelscope:owner/name, a folder, a GGUF file")
        yield Field(_("Other model"), placeholder=hint, id="other")
        yield Footer(compact=True, show_command_palette=True)

    def on_mount(self) -> None:
        with errors_shown(self.app):
            self._refresh()
        used = [known.spec == self._chooser.used for known in self._known]
        begun = [known.state == "partly" for known in self._known]
        start_at = begun if any(begun) and not self._chooser.ready else used
        options = self.query_one("#models", OptionList)
        options.highlighted = start_at.index(True) if any(start_at) else 0

    # -- drawing ---------------------------------------------------------------------------------

    def _refresh(self) -> None:
        """List the models on this machine again."""
        about = _("no model loaded yet")
        if self._chooser.ready:
            about = _("{model} is in use").format(model=harmless(self._chooser.used))
        self.query_one("#models-title", Static).update(title_line(_("Models"), about))
        options = self.query_one("#models", OptionList)
        highlighted = options.highlighted
        self._known = self._chooser.known()
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
                mark, " ", harmless(known.spec), (f"  {format_size(known.size)}", MUTED)
            )
        millions = offer.parameters / 1e6
        parameters = f"{millions / 1000:.1f}B" if millions >= 1000 else f"{millions:.0f}M"
        large = too_large(offer)
        note = _("too big here") if large and known.state != "here" else _(offer.languages)
        recommended = known.spec == self._chooser.recommended
        return Content.assemble(
            mark,
            (
                f" {shortened(offer.name, _NAME_CELLS):<{_NAME_CELLS}} {parameters:>5}",
                MUTED if large else "",
            ),
            (f"  {format_size(offer.download):>8}  {note}", MUTED),
            (_("  recommended") if recommended else "", "$text-success"),
        )

    def _mark(self, known: Known) -> Content:
        if known.spec == self._chooser.used and self._chooser.ready:
            return Content("●").stylize("$text-success")
        marks = {"here": "✓", "partly": "◐", "absent": " "}
        return Content(marks[known.state]).stylize(MUTED)

    @on(OptionList.OptionHighlighted)
    def _describe(self, event: OptionList.OptionHighlighted) -> None:
        self.query_one("#models-about", Static).update(_about(self._known[event.option_index]))

    def _show_loading(self) -> None:
        loading = self._chooser.loading
        shown = self.query_one("#models-loading", Static)
        shown.display = loading is not None
        if loading is not None:
            shown.update(loading_line(loading, self._chooser.note))
        self.refresh_bindings()

    @on(FromCore)
    @guarded
    def _from_core(self, message: FromCore) -> None:
        match message.event:
            case ModelLoading():
                self._show_loading()
            case ModelFetched() | FetchFailed() | ModelReady():
                self._refresh()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return bool(self._chooser.fetching) if action == "stop" else True

    # -- actions ---------------------------------------------------------------------------------

    def on_key(self, event: events.Key) -> None:
        """Type into the field, wherever the focus is."""
        field = self.query_one("#other Input", Input)
        if self.focused is not field and writes(event):
            field.focus()
            field.insert_text_at_cursor(event.character or "")
            event.stop()
            event.prevent_default()

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        """Use the highlighted model; one that has to be fetched first only after asking."""
        known = self._known[event.option_index]
        offer = known.offer
        if known.state != "absent" or offer is None or known.spec == catalog.BUILTIN:
            self._choose(known.spec)
            return
        size = format_size(offer.download)
        question = _("Fetch {model}, {size}?").format(model=offer.name, size=size)
        if too_large(offer):
            question = _("Fetch {model}, {size}? It is too big to train here.").format(
                model=offer.name, size=size
            )
        keys = _("Enter fetches it · Esc cancels")
        detail = f"{_needs(offer).plain}\n{_('You can chat on meanwhile.')}"
        confirm(self.app, question, detail, keys, partial(self._choose, known.spec))

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        if event.value.strip():
            self._choose(event.value)

    def _choose(self, spec: str) -> None:
        with errors_shown(self.app):
            if self._chooser.choose(spec):
                self.dismiss()
            else:
                self._show_loading()

    def action_choose(self) -> None:
        """Use the highlighted model, as Enter in the list does."""
        self.query_one("#models", OptionList).action_select()

    def action_stop(self) -> None:
        """Stop the download; it can be resumed later."""
        self._chooser.stop()

    def action_remove(self) -> None:
        """Remove the highlighted model from this machine, after asking.

        Raises:
            TuteeError: it cannot be removed.
        """
        index = self.query_one("#models", OptionList).highlighted
        if index is None:
            return
        known = self._known[index]
        self._chooser.require_removable(known)

        def remove() -> None:
            self.app.notify(self._chooser.remove(known), markup=False)
            self._refresh()

        question = _("Remove {model} from this machine?").format(model=harmless(known.spec))
        kept = _("Versions trained on it stay, but need the model to be used.")
        confirm(self.app, question, kept, _("Enter removes · Esc cancels"), remove)


def _about(known: Known) -> Content:
    """Two lines: source and size, then license and memory."""
    model = hub_model(known.spec)
    source = TITLES[model.hub] if model else _("this machine") if known.path else ""
    if known.spec == catalog.BUILTIN:
        source = _("the package index")
    first = [harmless(known.spec), _("from {source}").format(source=source)]
    if known.state != "absent":
        where = _("{size} downloaded so far") if known.state == "partly" else _("{size} on disk")
        if known.shared:
            where = _("{size} on disk, in a shared cache")
        first.append(where.format(size=format_size(known.size)))
    lines = [Content(" · ".join(first))]
    if known.offer is not None:
        lines.append(_needs(known.offer))
    return Content("\n").join(lines)


def too_large(offer: catalog.Offer) -> bool:
    """Whether chatting and training at once needs more memory than this machine has."""
    return catalog.memory(offer.parameters) > psutil.virtual_memory().total


def _needs(offer: catalog.Offer) -> Content:
    need, there = catalog.memory(offer.parameters), psutil.virtual_memory().total
    text = _("{license} · about {size} of memory to chat and train").format(
        license=offer.licence, size=format_size(need)
    )
    if too_large(offer):
        text = _("{text}; this machine has {size}").format(text=text, size=format_size(there))
    return Content(text).stylize("$text-warning" if too_large(offer) else MUTED)
