"""The keys that work now: those of the reply that has the focus, or else those of the screen."""

from collections.abc import Iterable, Iterator

from rich.cells import cell_len
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.widgets._footer import FooterKey

from store.language import _
from tui.widgets.footer import Footer
from tui.widgets.turns import ReplyTurn

_BETWEEN, _BETWEEN_WIDE = 1, 3
"""Cells between two keys."""


class KeyBar(Footer):
    """A footer that has room for one set of keys only, and shows the nearer one."""

    def compose(self) -> ComposeResult:
        focused = self.screen.focused
        if not self._bindings_ready or not isinstance(focused, ReplyTurn) or not focused.view:
            yield from super().compose()
            return
        works = (
            binding
            for node, binding, enabled, _tooltip in self.screen.active_bindings.values()
            if node is focused and binding.show and enabled
        )
        for binding, description in self._fitting(works):
            yield FooterKey(
                binding.key,
                self.app.get_key_display(binding),
                description,
                binding.action,
                tooltip=_(binding.tooltip or binding.description),
            ).data_bind(compact=Footer.compact)

    def _fitting(self, bindings: Iterable[Binding]) -> Iterator[tuple[Binding, str]]:
        """As many as are seen whole, with what they do; F1 says the rest."""
        wide = self.screen.has_class("-wide")
        room, between = self.app.size.width, _BETWEEN
        if wide:
            room, between = room - 2 * _BETWEEN, _BETWEEN_WIDE
        for binding in bindings:
            description = _(binding.description)
            room -= cell_len(f"{self.app.get_key_display(binding)} {description}") + between
            if room + between < 0:
                return
            yield binding, description

    def on_resize(self, event: events.Resize) -> None:
        """Others may fit now."""
        self.refresh(recompose=True)
