"""The footer of the chat. A module of its own, because the first frame needs no transcript."""

from collections.abc import Iterator

from textual.app import ComposeResult
from textual.widgets._footer import FooterKey

from store.i18n import _
from tui.widgets.footer import Footer
from tui.widgets.messages import ReplyMessage


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
