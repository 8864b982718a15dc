"""The keys that work now, named in the person's language, as many as are seen whole.

Bindings keep their English descriptions, because they are made while modules are imported.
"""

from collections.abc import Iterable, Iterator

from rich.cells import cell_len
from textual import events, widgets
from textual.app import ComposeResult
from textual.widget import Widget
from textual.widgets._footer import FooterKey

from store.i18n import _
from tui.widgets.messages import ReplyMessage

_APART = (2, 1)
"""Cells between two keys, as many as there is room for."""


class Footer(widgets.Footer):
    """Textual's, translated; F1 says the keys that it has no room for."""

    def compose(self) -> ComposeResult:
        yield from self.fitting(super().compose())

    def fitting(self, keys: Iterable[Widget]) -> Iterator[Widget]:
        """Those that fit, and the menu's, which stands at the right."""
        room = self.content_size.width or self.app.size.width
        told = [*keys]
        for key in told:
            if isinstance(key, FooterKey):
                key.description = _(key.description)
        menu = [key for key in told if key.has_class("-command-palette")]
        keys = [key for key in told if key not in menu]
        room -= sum(_cells(key) + 2 for key in menu)
        taken = sum(map(_cells, keys))
        apart = next((n for n in _APART if taken + n * len(keys) <= room), _APART[-1])
        for key in keys:
            room -= _cells(key) + apart
            if room + apart < 0:
                break
            key.styles.margin = (0, apart, 0, 0)
            yield key
        yield from menu

    def on_resize(self, event: events.Resize) -> None:
        """Others may fit now."""
        self.refresh(recompose=True)

    async def recompose(self) -> None:
        """Stay as it is under a dialog, where Textual takes the keys to be those of the dialog."""
        if self.is_attached and self.screen is self.app.screen:
            await super().recompose()


class KeyBar(Footer):
    """A footer that has room for one set of keys only, and shows the nearer one."""

    def compose(self) -> ComposeResult:
        focused = self.screen.focused
        if self._bindings_ready and isinstance(focused, ReplyMessage) and focused.view:
            yield from self.fitting(self._keys_of(focused))
        else:
            yield from super().compose()

    def _keys_of(self, reply: ReplyMessage) -> Iterator[FooterKey]:
        for node, binding, enabled, _tooltip in self.screen.active_bindings.values():
            if node is reply and binding.show and enabled:
                yield FooterKey(
                    binding.key,
                    self.app.get_key_display(binding),
                    binding.description,
                    binding.action,
                    tooltip=_(binding.tooltip or binding.description),
                ).data_bind(compact=Footer.compact)


def _cells(key: Widget) -> int:
    if not isinstance(key, FooterKey):
        return 0
    return cell_len(f"{key.key_display} {key.description}")
