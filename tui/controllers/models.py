"""Choose the base model, without widgets: list, download, switch, remove.

A download continues in the background whatever screen is open. The chat switches between two
replies, and the settings change only once the new model has loaded; a model that fails to load
changes nothing. Adapters and reward models are stored per base model, so switching back finds them.
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
from store.i18n import _, current_language
from tui.services import Services
from tui.views.transfer_rate import TransferRate, format_size


class ModelChooser:
    def __init__(self, services: Services) -> None:
        self._services = services
        self._fetcher = Fetcher(services.bridge.emit)
        self._transfer_rate = TransferRate()
        self._pending = ""
        """The model the chat is switching to."""
        self.ready = False
        """A model has loaded."""
        self.loading: ModelLoading | None = None
        """Progress of the current download."""
        self.note = ""
        """Its speed and remaining time."""

    @property
    def used(self) -> str:
        """Id of the model in use."""
        return self._services.config.chat.model

    @property
    def fetching(self) -> str:
        """Id of the model being downloaded; empty if none is."""
        return self._fetcher.spec

    def known(self) -> list[Known]:
        """The model recommended for the user's language first, then the other offers, and every
        model on this machine."""
        known = catalog.known(self._services.paths.cache)
        return sorted(known, key=lambda one: one.spec != self.recommended)

    @property
    def recommended(self) -> str:
        """Id of the model to begin with, in the language that is spoken."""
        return catalog.recommended(current_language())

    def choose(self, typed: str) -> bool:
        """Switch to a model on this machine, or start to download it; return whether it switches.

        Raises:
            TuteeError: there is no such model, another download is under way, or a training run is.
        """
        spec = self._absolute(typed.strip())
        if self._services.tuning.running:
            raise TuteeError(
                _("The model cannot change during a training run."),
                _("Wait for the run or cancel it ({key:app.tune}, X), then change the model."),
            )
        if not self._on_disk(spec):
            self._fetcher.start(spec, self._services.paths.cache)
            # Its process takes a second to start; react to the key at once.
            self.on_loading(ModelLoading(_("Fetching {model}").format(model=spec)))
            return False
        self._change(spec)
        return True

    def stop(self) -> None:
        """Stop the download; what has arrived is kept."""
        self._fetcher.stop()

    def require_removable(self, known: Known) -> None:
        """Check that a model can be removed, before asking the user.

        Raises:
            TuteeError: it is in use, or not on this machine.
        """
        if known.spec in (self.used, self._pending, self.fetching):
            raise TuteeError(
                _("{model} is in use.").format(model=known.spec),
                _("Switch to another model first."),
            )
        if known.state == "absent":
            raise TuteeError(_("{model} is not on this machine.").format(model=known.spec))

    def remove(self, known: Known) -> str:
        """Remove a model from this machine; return the toast.

        Raises:
            TuteeError: as `require_removable`, or its files cannot be deleted.
        """
        self.require_removable(known)
        freed = catalog.remove(known.spec, self._services.paths.cache)
        return _("{model} removed; {size} freed.").format(model=known.spec, size=format_size(freed))

    # -- events ----------------------------------------------------------------------------------

    def on_loading(self, event: ModelLoading) -> None:
        """Follow the download; loading from disk sends the same event and is ignored."""
        if self.fetching:
            self.loading, self.note = event, self._transfer_rate.note(event)

    def on_fetched(self, event: ModelFetched | FetchFailed) -> str:
        """The download ended: switch to the model; return the toast.

        Raises:
            TuteeError: the download failed.
        """
        self.loading, self.note = None, ""
        if isinstance(event, FetchFailed):
            raise event.error
        if self._services.tuning.running:
            return _("Choose it with {key:app.models} once the training run is done.")
        self._change(event.spec)
        return _("The chat switches to it now.")

    def loaded(self) -> None:
        """The chat has loaded a model: store it in the settings if the user chose it.

        Raises:
            TuteeError: the settings cannot be written.
        """
        self.ready = True
        chosen, self._pending = self._pending, ""
        # The first choice is stored even if it is the default, so that it is not asked for again.
        first = not self._services.paths.config_file.exists()
        if chosen and (first or chosen != self.used):
            chat = self._services.config.chat.model_copy(update={"model": chosen})
            self._services.config = self._services.config.model_copy(update={"chat": chat})
            config_file.change(self._services.paths.config_file, "chat", "model", chosen)

    def failed(self) -> None:
        """The chat could not switch, and keeps its model."""
        self._pending = ""

    # -- ids -------------------------------------------------------------------------------------

    def _absolute(self, spec: str) -> str:
        if spec == BUILTIN or hub_model(spec):
            return spec
        path = Path(spec).expanduser().absolute()
        if not spec or not path.exists():
            raise no_such_folder(spec, path)
        return str(path)

    def _on_disk(self, spec: str) -> bool:
        cache = self._services.paths.cache
        if model := hub_model(spec):
            return any(one.whole and one.model == model for one in download.fetched(cache))
        if is_gguf(spec):
            return gguf_import.target(Path(spec), cache).is_dir()
        return spec != BUILTIN or builtin.target(cache).is_dir()

    def _change(self, spec: str) -> None:
        self._pending = spec
        paths = self._services.paths
        self._services.chat.start(spec, paths.cache, paths.models)
