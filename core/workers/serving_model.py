"""The model that answers: loaded, replaced by another, and switched between adapter versions.

Not thread-safe: all methods run in the thread of `core.workers.chat`. Events tell the outcome.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from core.adapters.registry import Adapters
from core.config import Serving
from core.events import AdapterSwapped, Event, ModelFailed, ModelLoading, ModelReady, SwapFailed
from core.models.folder import find
from core.models.loading import notice
from core.runtime.failures import as_tutee_error
from core.runtime.scheduler import Scheduler
from core.workers.reward_scorer import RewardScorer
from store.errors import TuteeError
from store.i18n import _

if TYPE_CHECKING:
    from core.serving.engine import Engine


class ServingModel:
    """An engine for the version in use, at most one beside it, and a reward model.

    Args:
        settings: How to keep the weights.
        should_stop: Ends a download or conversion.
    """

    def __init__(
        self,
        emit: Callable[[Event], None],
        scheduler: Scheduler,
        settings: Serving,
        should_stop: Callable[[], bool],
    ) -> None:
        self.adapters: Adapters | None = None
        """The versions of the model in use; None until one is loaded."""
        self.version = ""
        self.engine: Engine | None = None
        self.reward_scorer = RewardScorer()
        self._emit = emit
        self._scheduler = scheduler
        self._settings = settings
        self._should_stop = should_stop
        self._beside: tuple[str, Engine] | None = None
        """Another version, to compare with."""

    def load(self, spec: str, cache: Path, models_dir: Path, version: str | None) -> None:
        """Find and load the model `spec`, with `version` or else its active one.

        If that fails, the model in use before is loaded again.
        """

        def found() -> Adapters:
            folder = find(spec, cache, self._emit, self._should_stop)
            return Adapters(models_dir, replace(folder, four_bit=self._settings.four_bit))

        self._replace(found, version, self._settings)

    def reload(self, settings: Serving) -> None:
        """Keep the weights as in `settings` from now on; on failure they stay as they are."""
        known = self.adapters
        if known is None:
            self._settings = settings
        elif settings != self._settings:
            folder = replace(known.folder, four_bit=settings.four_bit)
            models_dir = known.dir.parent
            self._replace(lambda: Adapters(models_dir, folder), self.version, settings)

    def swap(self, version: str) -> None:
        """Switch to adapter `version`; on failure the one in use stays."""
        started = perf_counter()
        try:
            if self.engine is None or self.adapters is None:
                raise TuteeError(_("The model is not loaded, so its adapter cannot be changed."))
            engine = self._with_version(self.engine, self.adapters, version)
        except BaseException as error:
            self._emit(SwapFailed(version, as_tutee_error(error, _("Changing the adapter"))))
            return
        self.engine, self.version = engine, version
        self._emit(AdapterSwapped(version, perf_counter() - started))

    def engine_for(self, version: str) -> "Engine":
        """Return the engine in use if it has that version, or else one beside it.

        Raises:
            TuteeError: no model is loaded, or it has no such version.
        """
        engine = self.loaded_engine()
        if version == self.version:
            return engine
        assert self.adapters is not None  # set with the engine
        if self._beside is None or self._beside[0] != version:
            self._beside = None  # free its memory before loading the next
            self._beside = version, self._with_version(engine, self.adapters, version)
        return self._beside[1]

    def loaded_engine(self) -> "Engine":
        """Return the engine in use.

        Raises:
            TuteeError: no model is loaded.
        """
        if self.engine is None:
            raise TuteeError(_("The model is not loaded, so it cannot answer."))
        return self.engine

    def free_beside(self) -> None:
        """Free the memory of the version beside the one in use."""
        self._beside = None

    def _with_version(self, engine: "Engine", adapters: Adapters, version: str) -> "Engine":
        with self._scheduler.reply():
            return engine.with_adapter(adapters.path(version))

    def _replace(
        self, adapters: Callable[[], Adapters], version: str | None, settings: Serving
    ) -> None:
        before = self.adapters
        try:
            found = adapters()
            self._emit(ModelLoading(_("Loading {model}").format(model=found.folder.label)))
            self._serve(found, version or found.active(), settings)
        except BaseException as error:
            self._failed(error)
            if before is None:
                return
            try:
                self._serve(before, self.version, self._settings)
            except BaseException as again:
                self._failed(again)

    def _serve(self, adapters: Adapters, version: str, settings: Serving) -> None:
        from core.serving.engine import Engine

        started = perf_counter()
        directory = adapters.path(version)
        self.reward_scorer.unload()
        self.engine = self._beside = None  # free their memory before loading another model
        self.engine = Engine(adapters.folder, directory, settings)
        self.adapters, self.version, self._settings = adapters, version, settings
        folder, seconds = adapters.folder, perf_counter() - started
        self._emit(
            ModelReady(
                model_id=folder.id,
                revision=folder.revision,
                label=folder.label,
                adapter=version,
                seconds=seconds,
                notice=notice(folder),
                context=self.engine.context,
                can_think=self.engine.can_think,
            )
        )

    def _failed(self, error: BaseException) -> None:
        self._emit(ModelFailed(as_tutee_error(error, _("Loading the model"))))
