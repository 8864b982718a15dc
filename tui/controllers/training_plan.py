"""Plan the next training run, and count the records that the active version has not learned."""

from typing import TYPE_CHECKING

from core.events import PassName
from store.errors import TuteeError
from store.i18n import _
from tui.background import in_thread
from tui.controllers.loaded_model import loaded_adapters
from tui.services import Services
from tui.views.training_progress import pass_label

if TYPE_CHECKING:
    from core.runs.plan import Plan


class TrainingPlanner:
    """Plans over the records as they are now."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._kept_out: frozenset[str] = frozenset()

    @property
    def model(self) -> str:
        """Label of the base model."""
        return loaded_adapters(self._services).folder.label

    async def plan(self, *, rebuild: bool = False) -> "Plan":
        """Plan the next run in a thread; `rebuild` starts from the base and learns every record.

        Raises:
            TuteeError: the model is still loading.
        """
        # Imported late to keep the first paint fast.
        from core.runs.plan import make_plan

        adapters, config = loaded_adapters(self._services), self._services.config
        records = self._services.repository.trainable()
        return await in_thread(lambda _: make_plan(records, adapters, config, rebuild=rebuild))

    def notes(self, plan: "Plan") -> list[str]:
        """Return what `plan` will do that the user may not expect, in sentences."""
        # Imported late to keep the first paint fast.
        from core.runs.plan_notes import plan_notes

        return plan_notes(plan)

    async def refresh_kept_out(self) -> None:
        """Find the records that are reserved for evaluation, in a thread."""
        adapters = self._services.chat.adapters
        if adapters is None:
            return
        # Imported late to keep the first paint fast.
        from core.runs.record_selection import instructions_kept_out

        records = self._services.repository.trainable()
        self._kept_out = await in_thread(lambda _: instructions_kept_out(records, adapters))

    def new_records(self, learned: frozenset[str]) -> int | None:
        """Count the instructions to learn beyond `learned`; None while the model loads."""
        if self._services.chat.adapters is None:
            return None
        done = learned | self._kept_out
        records = self._services.repository.trainable()
        return sum(r.kind == "instruction" and r.id not in done for r in records)


def toggle_pass(plan: "Plan", name: PassName) -> "Plan":
    """Return `plan` with the pass `name` switched on or off.

    Raises:
        TuteeError: the pass has nothing to learn from.
    """
    changed = plan.toggled(name)
    if changed == plan:
        raise TuteeError(
            _("{name} has nothing to learn from yet.").format(name=pass_label(name)),
            _(
                "Correct ({key:chat.correct}) or rate ({key:chat.like}, {key:chat.dislike}) a reply"
                " first."
            ),
        )
    return changed
