"""Download models from hubs into the cache, completely or not at all, for offline use.

    models/modelscope/Qwen--Qwen1.5-0.5B-Chat/   with `.source.json`, its origin
    models/hf/.org--name.partial/                unfinished; the next download resumes it

A model gets its final name once all files match the hashes the hub lists. From then on it is used
without asking the hub again. Complete models in the hubs' own caches are used in place.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.events import ModelLoading
from core.hub import client_caches
from core.hub.disk_usage import folder_size
from core.hub.disk_usage import remove as remove_folders
from core.hub.download_process import SOURCE_FILE
from core.hub.lock import ProgressCallback, ShouldStop, exclusive
from core.hub.model_id import HUBS, TITLES, HubModel, hub_model
from core.json_file import read_or_empty
from store.errors import TuteeError
from store.i18n import _, current_language
from store.storage import sync_folder

_LOG = "fetch.log"
"""Output of the client, next to the files while they are downloaded."""


class NotFetched(TuteeError):
    """A hub model is not on this machine yet."""


class FetchStopped(TuteeError):
    """The user stopped the download; partial files are kept."""


@dataclass(frozen=True)
class Fetched:
    """A hub's model on this machine."""

    model: HubModel
    path: Path
    whole: bool
    """False for an unfinished download in its hidden folder."""
    size: int
    """Bytes on disk."""
    shared: bool = False
    """It is in the cache of the hub's own client."""


def target(model: HubModel, cache: Path) -> Path:
    """Return the folder of `model` in the cache, whether or not it exists."""
    at = "" if not model.revision else f"@{model.revision.replace('/', '--')}"
    return cache / "models" / model.hub / f"{model.owner}--{model.name}{at}"


def downloaded_folder(model: HubModel, cache: Path) -> Path:
    """Return the folder of `model`.

    Raises:
        NotFetched: it is missing or incomplete.
    """
    place = target(model, cache)
    if (place / SOURCE_FILE).is_file():
        return place
    if there := client_caches.find(model):
        return there
    title = _("{model} is not on this machine yet.").format(model=model.spec)
    hint = _("Run `tutee models fetch {model}`, or choose it in the app (Ctrl+O).")
    raise NotFetched(title, hint.format(model=model.spec))


def fetch(
    model: HubModel, cache: Path, on_progress: ProgressCallback, should_stop: ShouldStop
) -> Path:
    """Return the folder of `model`, downloading it first if needed.

    Raises:
        FetchStopped: `should_stop` returned true.
        TuteeError: the hub cannot be reached or does not have it, Tutee cannot use it, or the disk
            is full. Partial files are kept and resumed by the next download.
    """
    with suppress(NotFetched):
        return downloaded_folder(model, cache)
    place = target(model, cache)
    partial = _partial(place)
    try:
        with exclusive(place, model.repository, on_progress, should_stop):
            if not (place / SOURCE_FILE).is_file():
                partial.mkdir(mode=0o700, parents=True, exist_ok=True)
                try:
                    _run(model, partial, on_progress, should_stop)
                finally:
                    if {path.name for path in partial.iterdir()} <= {_LOG}:
                        shutil.rmtree(partial)  # nothing to resume
                shutil.rmtree(place, ignore_errors=True)
                partial.rename(place)
                sync_folder(place.parent)
    except OSError as error:
        title = _("Could not save {model} in {folder}: {why}.")
        raise TuteeError(
            title.format(model=model.spec, folder=place.parent, why=error),
            _("Free up space or repair the folder, or set TUTEE_CACHE to another one."),
        ) from error
    return place


def fetched(cache: Path) -> list[Fetched]:
    """Return the hub models on this machine, including unfinished ones, sorted by id.

    A model that is complete in a client cache hides an unfinished download of it.
    """
    found = []
    for hub in HUBS:
        for path in (cache / "models" / hub).glob("*--*"):
            hidden = path.name.startswith(".")
            if not path.is_dir() or (hidden and not path.name.endswith(".partial")):
                continue
            name = path.name.removeprefix(".").removesuffix(".partial") if hidden else path.name
            model = hub_model(f"{hub}:{name.replace('--', '/')}")
            if model is not None:
                done = not hidden and (path / SOURCE_FILE).is_file()
                found.append(Fetched(model, path, done, folder_size(path)))
    own = {one.model for one in found if one.whole}
    others = {model: path for model, path in client_caches.list_models() if model not in own}
    found = [one for one in found if one.model not in others]
    found += [Fetched(m, path, True, folder_size(path), shared=True) for m, path in others.items()]
    return sorted(found, key=lambda one: one.model.spec.lower())


def remove(model: HubModel, cache: Path) -> int:
    """Delete `model`, complete or not, and return the bytes freed.

    Raises:
        TuteeError: it is not there, belongs to a client cache, or cannot be deleted.
    """
    place = target(model, cache)
    there = [path for path in (place, _partial(place)) if path.is_dir()]
    if not there:
        path = client_caches.find(model)
        if path is None:
            title = _("{model} is not on this machine.").format(model=model.spec)
            raise TuteeError(title, _("`tutee models list` shows what is."))
        title = _("{model} is in the cache of {hub}'s own client, which Tutee does not change.")
        hint = _("Remove it with that client, or delete {path} yourself.").format(path=path)
        raise TuteeError(title.format(model=model.spec, hub=TITLES[model.hub]), hint)
    return remove_folders(there, model.spec)


def origin(path: Path) -> dict[str, Any]:
    """Return what is known about the origin of the model in `path`, or an empty dict."""
    return read_or_empty(path / SOURCE_FILE)


def _partial(place: Path) -> Path:
    return place.with_name(f".{place.name}.partial")


# -- the download process -------------------------------------------------------------------------


def _run(
    model: HubModel, partial: Path, on_progress: ProgressCallback, should_stop: ShouldStop
) -> None:
    """Fill `partial` by running `core.hub.download_process`. The caller holds the lock."""
    root = str(Path(__file__).parents[2])
    path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    command = [sys.executable, "-m", "core.hub.download_process"]
    command += [model.spec, str(partial), current_language()]
    with (partial / _LOG).open("wb") as log:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            encoding="utf-8",
            env={**os.environ, "PYTHONPATH": path},
        )
        try:
            _follow(model, _lines(child), on_progress, should_stop)
        except KeyboardInterrupt:
            raise _stopped(model) from None
        finally:
            child.kill()
            child.wait()


def _lines(child: "subprocess.Popen[str]") -> Iterator[dict[str, Any]]:
    assert child.stdout is not None
    with child.stdout:
        for line in child.stdout:
            yield json.loads(line)


def _follow(
    model: HubModel,
    lines: Iterator[dict[str, Any]],
    on_progress: ProgressCallback,
    should_stop: ShouldStop,
) -> None:
    """Pass on the messages of the child until it has finished."""
    for message in lines:
        if should_stop():
            raise _stopped(model)
        if "error" in message:
            raise TuteeError(message["error"], message["hint"])
        if "finished" in message:
            return
        on_progress(ModelLoading(message["stage"], message["done"], message["total"]))
    title = _("The download of {model} ended early.").format(model=model.repository)
    raise TuteeError(title, _("Download it again to resume."))


def _stopped(model: HubModel) -> FetchStopped:
    title = _("Download of {what} was stopped.").format(what=model.repository)
    return FetchStopped(title, _("Download it again to resume."))
