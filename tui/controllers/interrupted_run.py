"""A training run that was interrupted: find it, describe it, drop it."""

from typing import TYPE_CHECKING

from store.i18n import _
from store.local_time import local_minute
from tui.controllers.loaded_model import loaded_adapters
from tui.services import Services
from tui.views.training_progress import pass_label

if TYPE_CHECKING:
    from core.runs.saved_run import SavedRun


class InterruptedRun:
    """The saved state of a run that the last session left unfinished, if there is one."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self.saved: SavedRun | None = None

    def find(self) -> None:
        """Look for an interrupted run on disk.

        Raises:
            TuteeError: the model is still loading, or the run was unusable and had to be dropped.
        """
        # Imported late to keep the first paint fast.
        from core.runs import saved_run

        self.saved = None
        adapters = loaded_adapters(self._services)
        self.saved = saved_run.unfinished(adapters, self._services.repository.trainable())

    def describe(self) -> str:
        """Say when the run began and how far it got; empty if there is none."""
        if self.saved is None:
            return ""
        began = local_minute(self.saved.began)
        name, step, steps = self.saved.under_way() or ("", 0, 0)
        if not (name and step):
            return _("The run of {began} was interrupted.").format(began=began)
        return _(
            "The run of {began} was interrupted. {name} goes on from step {step} of {steps}."
        ).format(began=began, name=pass_label(name), step=step, steps=steps)

    def offer(self) -> str:
        """Say in a line of the chat that there is one, and which key resumes it."""
        _name, step, steps = (self.saved and self.saved.under_way()) or ("", 0, 0)
        if not step:
            return _("A training run was interrupted. {key:app.tune} resumes or drops it.")
        return _(
            "Training was interrupted. {{key:app.tune}} goes on from step {step} of {steps}, or"
            " drops it."
        ).format(step=step, steps=steps)

    def drop(self) -> None:
        """Delete the saved state; versions the run had finished stay."""
        if self.saved is not None:
            self.saved.drop()
            self.saved = None
