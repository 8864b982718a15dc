"""The footer: the keys that work now, translated, as many as fit.

Bindings are created at import time, before the language is known, so they are translated here.
"""

from collections.abc import Iterable, Iterator

from rich.cells import cell_len
from textual import events, widgets
from textual.app import ComposeResult
from textual.widget import Widget
from textual.widgets._footer import FooterKey

from store.i18n import _

_GAPS = (2, 1)
"""Cells between two keys; the first that fits is used."""


class Footer(widgets.Footer):
    """Textual's footer, translated. The help screen lists keys that do not fit."""

    def compose(self) -> ComposeResult:
        yield from self.fitting(super().compose())

    def fitting(self, keys: Iterable[Widget]) -> Iterator[Widget]:
        """Yield the keys that fit, then the menu key, which is docked right."""
        room = self.content_size.width or self.app.size.width
        shown = [*keys]
        for key in shown:
            if isinstance(key, FooterKey):
                key.description = _(key.description)
        menu = [key for key in shown if key.has_class("-command-palette")]
        keys = [key for key in shown if key not in menu]
        room -= sum(_cells(key) + 2 for key in menu)
        taken = sum(map(_cells, keys))
        gap = next((n for n in _GAPS if taken + n * len(keys) <= room), _GAPS[-1])
        for key in keys:
            room -= _cells(key) + gap
            if room + gap < 0:
                break
            key.styles.margin = (0, gap, 0, 0)
            yield key
        yield from menu

    def on_resize(self, event: events.Resize) -> None:
        self.refresh(recompose=True)

    async def recompose(self) -> None:
        """Keep the keys below a dialog, where Textual would show those of the dialog."""
        if self.is_attached and self.screen is self.app.screen:
            await super().recompose()


def _cells(key: Widget) -> int:
    if not isinstance(key, FooterKey):
        return 0
    return cell_len(f"{key.key_display} {key.description}")
