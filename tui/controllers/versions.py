"""Adapter versions: list, activate, roll back, label, delete, and read their reports.

The registry activates a version first; the chat then swaps to it between two replies. If the swap
fails, the registry goes back to the version the chat still uses, so the two never disagree.
"""

from typing import TYPE_CHECKING

from core.adapters.manifest import BASE
from core.events import AdapterSwapped, SwapFailed
from store.errors import TuteeError
from store.i18n import _
from tui.controllers.loaded_model import loaded_adapters
from tui.services import Services

if TYPE_CHECKING:
    from core.evaluation.report_card import ReportCard
    from tui.views.versions import VersionView


class VersionController:
    """The versions of the loaded model. Every method raises TuteeError while it is loading."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self.active = BASE
        """Version the chat generates with."""
        self.learned: frozenset[str] = frozenset()
        """Ids of the records that the active version has learned."""
        self.coming = ""
        """The version that the chat changes to; empty when it is not changing."""
        self._swap_detail = ""

    def views(self) -> list["VersionView"]:
        """List all versions, newest first, the base last."""
        # Imported late: the figures of the gate slow the first paint down.
        from tui.views.versions import version_views

        return version_views(loaded_adapters(self._services))

    def report_card(self, version: str) -> "ReportCard":
        """Load the report card of `version`.

        Raises:
            TuteeError: it is the base, or its report is damaged.
        """
        from core.evaluation.report_card import build_report_card

        return build_report_card(loaded_adapters(self._services), version)

    def activate(self, version: str) -> None:
        """Generate with `version` from the next reply on."""
        loaded_adapters(self._services).use(version)
        back = _("{{key:app.menu}}, “Roll back”, returns to {version}.")
        self._swap(version, back.format(version=self.active))

    def roll_back(self) -> str:
        """Activate the previously active version, and return it."""
        version = loaded_adapters(self._services).rollback()
        self._swap(version, _("Rolled back; {version} is kept.").format(version=self.active))
        return version

    def _swap(self, version: str, detail: str) -> None:
        self._swap_detail, self.coming = detail, version
        self._services.chat.swap(version)

    def on_swap(self, event: AdapterSwapped | SwapFailed) -> str:
        """Follow the outcome of a swap; return a sentence for the toast."""
        self.coming = ""
        if isinstance(event, SwapFailed):
            loaded_adapters(self._services).use(self.active)
            return ""
        self.on_active(event.version)
        return self._swap_detail

    def on_active(self, version: str) -> None:
        """The chat now generates with `version`."""
        self.active = version
        self.learned = loaded_adapters(self._services).learned(version)

    def label(self, version: str, name: str) -> None:
        """Label `version` with `name`; an empty name removes the label."""
        loaded_adapters(self._services).label(version, name)

    def delete(self, version: str) -> None:
        """Delete `version` for good; versions trained from it keep what they learned.

        Raises:
            TuteeError: it is active, or a run may need it.
        """
        if self._services.tuning.running:
            raise TuteeError(
                _("A version cannot be deleted during a training run, which may need it."),
                _("Wait for the run, or cancel it first."),
            )
        loaded_adapters(self._services).delete(version)
