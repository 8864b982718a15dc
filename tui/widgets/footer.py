"""The keys that work now, named in the person's language.

Bindings keep their English descriptions, because they are made while modules are imported.
"""

from textual import widgets
from textual.app import ComposeResult
from textual.widgets._footer import FooterKey

from store.language import _


class Footer(widgets.Footer):
    """Textual's, translated."""

    def compose(self) -> ComposeResult:
        for widget in super().compose():
            if isinstance(widget, FooterKey):
                widget.description = _(widget.description)
            yield widget

    async def recompose(self) -> None:
        """Stay as it is under a dialog, where Textual takes the keys to be those of the dialog."""
        if self.is_attached and self.screen is self.app.screen:
            await super().recompose()
