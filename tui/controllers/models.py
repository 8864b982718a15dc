"""Which base model is used, without any widget: what there is, fetching it, changing to it.

Fetching goes on in the background whatever screen is open. The chat changes between two replies,
and only once the new model answers is it written into the settings; one that cannot be loaded
leaves everything as it was. Adapters, reward models and what was learned are kept by base, so
changing back finds them as they were.
"""

from pathlib import Path

from core import config_file
from core.config import BUILTIN
from core.events import FetchFailed, ModelFetched, ModelLoading
from core.hub import download
from core.hub.model_id import hub_model, is_gguf, no_such_folder
from core.models import builtin, catalog, gguf_import
from core.models.catalog import Known
from core.workers.fetch import Fetcher
from store.errors import TuteeError
from store.i18n import _
from tui.services import Services
from tui.views.transfer_rate import Pace, size


class Choosing:
    """One person choosing models."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._fetcher = Fetcher(services.bridge.emit)
        self._pace = Pace()
        self._wanted = ""
        """What the chat is changing to."""
        self.answers = False
        """A model can answer, whichever."""
        self.loading: ModelLoading | None = None
        """How far the fetch under way is."""
        self.note = ""
        """Its speed, and how long the rest will take."""

    @property
    def used(self) -> str:
        """The id of the model that is in use."""
        return self._services.config.chat.model

    @property
    def fetching(self) -> str:
        """The id of the model that is being fetched; empty where none is."""
        return self._fetcher.spec

    def known(self) -> list[Known]:
        """The short list, and all on this machine."""
        return catalog.known(self._services.paths.cache)

    def choose(self, typed: str) -> bool:
        """Use the model that was named: change to it, or begin to fetch it.

        Returns:
            Whether it is there already, so that the chat changes to it now.

        Raises:
            TuteeError: it names nothing, another one is being fetched, or a run is under way.
        """
        spec = self._absolute(typed.strip())
        if self._services.tuning.running:
            raise TuteeError(
                _("A training run is under way, and it needs the model it began with."),
                _("Wait for it or cancel it (F5, X), then change the model."),
            )
        if not self._there(spec):
            self._fetcher.start(spec, self._services.paths.cache)
            # Its process takes a second to begin; what was pressed is to be seen at once.
            self.on_loading(ModelLoading(_("Fetching {model}").format(model=spec)))
            return False
        self._change(spec)
        return True

    def stop(self) -> None:
        """End the fetch under way; what has arrived is kept."""
        self._fetcher.stop()

    def require_removable(self, known: Known) -> None:
        """Whether a model can be taken off this machine at all, before it is asked for.

        Raises:
            TuteeError: it is in use, or not there.
        """
        if known.spec in (self.used, self._wanted, self.fetching):
            raise TuteeError(
                _("{model} is in use.").format(model=known.spec),
                _("Change to another model first."),
            )
        if known.state == "absent":
            raise TuteeError(_("{model} is not on this machine.").format(model=known.spec))

    def remove(self, known: Known) -> str:
        """Take a model off this machine, and say so.

        Raises:
            TuteeError: as `require_removable`, or the disk refuses.
        """
        self.require_removable(known)
        freed = catalog.remove(known.spec, self._services.paths.cache)
        return _("{model} removed: {size} are free again.").format(
            model=known.spec, size=size(freed)
        )

    # -- what the threads tell -------------------------------------------------------------------

    def on_loading(self, event: ModelLoading) -> None:
        """Take up how far the fetch is; other models are loaded without one."""
        if self.fetching:
            self.loading, self.note = event, self._pace.note(event)

    def on_fetched(self, event: ModelFetched | FetchFailed) -> str:
        """The fetch has ended; change to the model if it came, and say what happened.

        Raises:
            TuteeError: it did not come.
        """
        self.loading, self.note = None, ""
        if isinstance(event, FetchFailed):
            raise event.error
        if self._services.tuning.running:
            return _("Choose it with Ctrl+O once the training run is done.")
        self._change(event.spec)
        return _("The chat changes to it.")

    def loaded(self) -> None:
        """The chat answers with the model that was wanted: keep that in the settings.

        Raises:
            TuteeError: the settings cannot be written.
        """
        self.answers = True
        wanted, self._wanted = self._wanted, ""
        # The first choice is kept whatever it is: it is not asked for again.
        first = not self._services.paths.config_file.exists()
        if wanted and (first or wanted != self.used):
            chat = self._services.config.chat.model_copy(update={"model": wanted})
            self._services.config = self._services.config.model_copy(update={"chat": chat})
            config_file.change(self._services.paths.config_file, "chat", "model", wanted)

    def failed(self) -> None:
        """The chat could not change, and goes on with what it had."""
        self._wanted = ""

    # -- what an id means ------------------------------------------------------------------------

    def _absolute(self, spec: str) -> str:
        if spec == BUILTIN or hub_model(spec):
            return spec
        path = Path(spec).expanduser().absolute()
        if not spec or not path.exists():
            raise no_such_folder(spec, path)
        return str(path)

    def _there(self, spec: str) -> bool:
        cache = self._services.paths.cache
        if model := hub_model(spec):
            return any(one.whole and one.model == model for one in download.fetched(cache))
        if is_gguf(spec):
            return gguf_import.target(Path(spec), cache).is_dir()
        return spec != BUILTIN or builtin.target(cache).is_dir()

    def _change(self, spec: str) -> None:
        self._wanted = spec
        paths = self._services.paths
        self._services.chat.start(spec, paths.cache, paths.models)
