"""`tutee serve`: the model as an endpoint for other programs, with OpenAI's API."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from threading import Lock
from time import strftime
from typing import TYPE_CHECKING

import click

from core.events import Event, ModelFailed, ModelReady
from store.errors import TuteeError
from store.feedback import Feedback
from store.i18n import _
from store.paths import Paths
from store.records import Record
from store.repository import Repository
from tui.cli.i18n import LocalizedCommand
from tui.cli.invocation import Invocation
from tui.endpoint import packages
from tui.text_format import harmless

if TYPE_CHECKING:
    from tui.endpoint.application import Served
    from tui.endpoint.completions import Completion
    from tui.endpoint.requests import FeedbackRequest

_CLOSE_SECONDS = 5.0


@click.command(cls=LocalizedCommand)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8765, show_default=True)
@click.option(
    "--api-key",
    envvar="TUTEE_API_KEY",
    metavar="KEY",
    help="Key that programs must send; needed to listen on more than this machine.",
)
@click.pass_obj
def serve(invocation: Invocation, host: str, port: int, api_key: str | None) -> None:
    """Serve the model to other programs, with OpenAI's API.

    Models are named by version: `active`, `base`, `v1` and so on. Feedback on a reply, sent to
    /v1/feedback, becomes records. The app may be open meanwhile; then it alone takes feedback.
    """
    if api_key is not None and not api_key.strip():
        raise click.UsageError(_("The API key is empty."))
    packages.require()
    from core.workers.chat import ChatWorker
    from tui.endpoint.application import Deps
    from tui.endpoint.server import Server

    events: SimpleQueue[Event] = SimpleQueue()
    worker = ChatWorker(events.put, serving=invocation.config.serving)
    deps = Deps(
        worker=worker,
        config=lambda: invocation.config,
        write_feedback=home_writer(invocation.paths),
        on_served=_show,
        records=HomeRecords(invocation.paths).trainable,
    )
    server = Server(deps, host, port, api_key.strip() if api_key else None)
    folder = invocation.found_model()
    worker.start(invocation.config.chat.model, invocation.paths.cache, invocation.paths.models)
    try:
        ready = _loaded(events)
        click.echo(
            _("Serving {model} ({version}) at {url}; Ctrl+C stops it.").format(
                model=folder.label, version=ready.adapter, url=server.url
            ),
            err=True,
        )
        server.run()
    except KeyboardInterrupt:
        pass  # uvicorn passes on the signal that ended it
    finally:
        worker.close(_CLOSE_SECONDS)


class HomeRecords:
    """The records of a home that another process may change; read again once they have."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._lock = Lock()
        self._state: list[tuple[Path, int]] | None = None
        self._records: list[Record] = []

    def trainable(self) -> list[Record]:
        """Return the records to train on, or those of before where the home cannot be read."""
        with self._lock, suppress(TuteeError, OSError):
            files = sorted(self._paths.records.rglob("*.json"))
            state = [(path, path.stat().st_mtime_ns) for path in files]
            if state != self._state:
                with Repository.open(self._paths, write=False) as repository:
                    self._records = repository.trainable()
                self._state = state
        return self._records


def _loaded(events: "SimpleQueue[Event]") -> ModelReady:
    while True:
        event = events.get()
        if isinstance(event, ModelFailed):
            raise event.error
        if isinstance(event, ModelReady):
            return event


def home_writer(paths: Paths) -> "Callable[[Completion, FeedbackRequest], Feedback]":
    """Return a function that writes feedback, and holds the home only for that moment."""
    from tui.endpoint import completions
    from tui.endpoint.api_error import ApiError

    def write(completion: "Completion", body: "FeedbackRequest") -> Feedback:
        try:
            repository = Repository.open(paths)
        except TuteeError as error:
            raise ApiError(503, str(error), "home_in_use") from error
        with repository:
            return completions.write(repository, completion, body)

    return write


def _show(served: "Served") -> None:
    with suppress(OSError):  # nobody reads it any more; serving goes on
        click.echo(_line(served), err=True)


def _line(served: "Served") -> str:
    return _(
        "{time}  {version}  {prompt:,} → {tokens:,} tokens in {seconds:.1f} s  {client}"
    ).format(
        time=strftime("%H:%M:%S"),
        version=served.version,
        prompt=served.prompt_tokens,
        tokens=served.tokens,
        seconds=served.seconds,
        client=harmless(served.client),
    )
