"""The list of completions above the prompt; the prompt keeps the focus and controls it."""

from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from tui.commands.completion import Completion, Completions
from tui.text_format import harmless
from tui.theme import MUTED

_LABEL = 24
"""Cells of the first column."""


class CompletionList(OptionList, can_focus=False):
    """Visible while there are completions."""

    def __init__(self) -> None:
        super().__init__(id="completions", compact=True, markup=False)
        self.found = Completions()
        self.display = False

    @property
    def chosen(self) -> Completion | None:
        if not self.display or self.highlighted is None:
            return None
        return self.found.items[self.highlighted]

    def show(self, found: Completions) -> None:
        """Show `found`; no completions hide the list."""
        if found == self.found:
            return
        self.found = found
        self.clear_options()
        self.add_options(Option(_line(item)) for item in found.items)
        self.display = bool(found.items)
        self.highlighted = 0 if found.items else None

    def hide(self) -> None:
        """Hide the list until the completions change."""
        self.display = False

    def step(self, step: int) -> None:
        """Move the highlight by `step`, wrapping around."""
        self.highlighted = ((self.highlighted or 0) + step) % len(self.found.items)


def _line(item: Completion) -> Content:
    label = Content(harmless(item.label))
    gap = " " * max(_LABEL - label.cell_length, 2)
    return Content.assemble(label, (gap + item.help, MUTED) if item.help else "")
