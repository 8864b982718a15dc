"""The list of versions; the keys of the screen act on the highlighted one."""

from collections.abc import Sequence

from rich.cells import cell_len
from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from store.i18n import N_, _
from tui.text_format import one_line
from tui.theme import MUTED
from tui.views.versions import VersionView

_KEYS = {
    "activate": N_("A activates"),
    "report": N_("R report"),
    "label": N_("L label"),
    "delete": N_("D deletes"),
}


class VersionList(OptionList):
    """Every version, the active one with a dot."""

    def __init__(self, *, id: str) -> None:  # noqa: A002
        super().__init__(id=id, compact=True)
        self._views: list[VersionView] = []

    @property
    def current(self) -> VersionView | None:
        index = self.highlighted
        return self._views[index] if index is not None and index < len(self._views) else None

    def show(self, views: Sequence[VersionView]) -> None:
        """List `views`; highlight a new version, else the same one as before."""
        before = {view.name for view in self._views}
        current = self.current.name if self.current else ""
        wanted = [view.name for view in views if before and view.name not in before]
        wanted += [current, *(view.name for view in views if view.active)]
        self._views = list(views)
        self.set_options(Option(_version_content(view)) for view in views)
        names = [view.name for view in views]
        self.highlighted = next((names.index(name) for name in wanted if name in names), 0)
        self._show_keys()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave Enter to the screen."""
        return action != "select"

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        event.stop()
        self._show_keys()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()

    def _show_keys(self) -> None:
        possible = self.current.possible if self.current else frozenset()
        self.border_subtitle = " · ".join(_(key) for act, key in _KEYS.items() if act in possible)


def _version_content(view: VersionView) -> Content:
    active = _("active")
    line = Content.assemble(
        ("● ", "$text-success") if view.active else "  ",
        (f"{view.name:<5}", "bold" if view.active else ""),
        " ",
        (active, "$text-success") if view.active else " " * cell_len(active),
        f"  {view.created:<11}  ",
        (f"{view.label}  ", "bold") if view.label else "",
        (view.detail, MUTED),
    )
    for index, reason in enumerate(view.held_back):
        label = _("  held back: ")
        label = label if index == 0 else " " * cell_len(label)
        line += Content(f"\n{label}{reason}").stylize("$text-warning")
    if view.note:
        line += Content(f"\n  {one_line(view.note)}").stylize(MUTED)
    return line
