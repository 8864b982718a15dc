"""Download or convert a model in the background, while the chat goes on."""

from collections.abc import Callable
from pathlib import Path
from threading import Event as Flag
from threading import Thread

from core.events import Event, FetchFailed, ModelFetched
from core.models.folder import find
from core.runtime.failures import as_tutee_error
from store.errors import TuteeError
from store.i18n import _


class Fetcher:
    """Downloads or converts one model at a time, and reports progress through events."""

    def __init__(self, emit: Callable[[Event], None]) -> None:
        self._emit = emit
        self._stop = Flag()
        self.spec = ""
        """The current model; empty again before its last event is emitted."""

    def start(self, spec: str, cache: Path) -> None:
        """Start to download (or convert) `spec`.

        Raises:
            TuteeError: another model is under way.
        """
        if self.spec:
            raise TuteeError(
                _("{model} is still being fetched.").format(model=self.spec),
                _("Wait for it, or stop it first ({key:app.models}, {key:models.stop})."),
            )
        self.spec, self._stop = spec, Flag()
        args = (spec, cache, self._stop)
        Thread(target=self._run, args=args, name="tutee-fetch", daemon=True).start()

    def stop(self) -> None:
        """Stop soon; what has arrived is kept."""
        self._stop.set()

    def _run(self, spec: str, cache: Path, stop: Flag) -> None:
        outcome: Event = ModelFetched(spec)
        try:
            find(spec, cache, self._emit, stop.is_set)
        except BaseException as error:
            what = _("Fetching {model}").format(model=spec)
            outcome = FetchFailed(spec, as_tutee_error(error, what))
        self.spec = ""
        self._emit(outcome)
