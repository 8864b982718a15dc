"""Models from hubs: fetched once into the cache, whole or not at all, and used from there offline.

    models/modelscope/Qwen--Qwen1.5-0.5B-Chat/   with `.source.json`: where it came from
    models/hf/.org--name.partial/                not finished; fetching goes on with it

Only a model whose files all have the hashes the hub lists gets its final name. From then on the hub
is not asked again: what is there is used as it is, also without a network.

What other programs have brought into the hubs' own caches is used where it lies
(`core.hub.client_caches`).
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.events import ModelLoading
from core.hub import client_caches
from core.hub.disk_usage import arrived
from core.hub.disk_usage import remove as remove_folders
from core.hub.download_process import SOURCE_FILE
from core.hub.lock import alone
from core.hub.model_id import HUBS, TITLES, HubModel, hub_model
from core.json_file import read_or_empty
from store.errors import TuteeError
from store.i18n import _, current_language
from store.storage import sync_folder

_LOG = "fetch.log"
"""What the clients print, beside the files while they come."""

Progress = Callable[[ModelLoading], None]
ShouldStop = Callable[[], bool]


class NotFetched(TuteeError):
    """The model of a hub that is not on this machine yet."""


class FetchStopped(TuteeError):
    """The person stopped it; what has arrived is kept."""


@dataclass(frozen=True)
class Fetched:
    """A hub's model on this machine."""

    model: HubModel
    path: Path
    whole: bool
    """False for one that was not finished, in its hidden folder."""
    size: int
    """Bytes on disk."""
    shared: bool = False
    """It lies in the cache of the hub's own clients."""


def target(model: HubModel, cache: Path) -> Path:
    """Where `model` is, or will be."""
    at = "" if not model.revision else f"@{model.revision.replace('/', '--')}"
    return cache / "models" / model.hub / f"{model.owner}--{model.name}{at}"


def whole(model: HubModel, cache: Path) -> Path:
    """The folder of `model`.

    Raises:
        NotFetched: it is not on this machine, or not all of it.
    """
    place = target(model, cache)
    if (place / SOURCE_FILE).is_file():
        return place
    if there := client_caches.place(model):
        return there
    raise NotFetched(
        _("{model} is not on this machine yet.").format(model=model.spec),
        _("`tutee models fetch {model}` fetches it, or choose it in the app (Ctrl+O).").format(
            model=model.spec
        ),
    )


def fetch(model: HubModel, cache: Path, on_progress: Progress, should_stop: ShouldStop) -> Path:
    """The folder of `model`, fetched first where the cache lacks it.

    Raises:
        FetchStopped: `should_stop` said so.
        TuteeError: the hub cannot be reached, does not have it, it is none that Tutee can use, or
            there is no room for it. What has arrived is kept, and gone on with the next time.
    """
    place = target(model, cache)
    if (place / SOURCE_FILE).is_file():
        return place
    if there := client_caches.place(model):
        return there
    partial = _partial(place)
    try:
        with alone(place, model.repository, on_progress, should_stop):
            if not (place / SOURCE_FILE).is_file():
                partial.mkdir(mode=0o700, parents=True, exist_ok=True)
                try:
                    _run(model, partial, on_progress, should_stop)
                finally:
                    if {path.name for path in partial.iterdir()} <= {_LOG}:
                        shutil.rmtree(partial)  # there is nothing to go on with
                shutil.rmtree(place, ignore_errors=True)
                partial.rename(place)
                sync_folder(place.parent)
    except OSError as error:
        raise TuteeError(
            _("The model {model} cannot be kept in {folder}: {why}.").format(
                model=model.spec, folder=place.parent, why=error
            ),
            _("Make room or mend the folder; TUTEE_CACHE names another one."),
        ) from error
    return place


def fetched(cache: Path) -> list[Fetched]:
    """The hubs' models on this machine, unfinished ones too, by their ids.

    One that is whole in the hubs' own caches counts as there, whatever has been fetched of it.
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
                found.append(Fetched(model, path, done, arrived(path)))
    own = {one.model for one in found if one.whole}
    others = {model: path for model, path in client_caches.found() if model not in own}
    found = [one for one in found if one.model not in others]
    found += [Fetched(m, path, True, arrived(path), shared=True) for m, path in others.items()]
    return sorted(found, key=lambda one: one.model.spec.lower())


def remove(model: HubModel, cache: Path) -> int:
    """Take `model` off this machine, whole or not; the bytes that are free again.

    Raises:
        TuteeError: it is not there, it is not Tutee's to remove, or the disk refuses.
    """
    place = target(model, cache)
    there = [path for path in (place, _partial(place)) if path.is_dir()]
    if not there:
        path = client_caches.place(model)
        if path is None:
            raise TuteeError(
                _("{model} is not on this machine.").format(model=model.spec),
                _("`tutee models list` shows what is."),
            )
        raise TuteeError(
            _(
                "{model} lies in the cache of {hub}'s own programs, where Tutee changes nothing."
            ).format(model=model.spec, hub=TITLES[model.hub]),
            _("Remove it with those, or delete {path} yourself.").format(path=path),
        )
    return remove_folders(there, model.spec)


def origin(path: Path) -> dict[str, Any]:
    """What is known of where the model in `path` came from; empty where nothing is."""
    return read_or_empty(path / SOURCE_FILE)


def _partial(place: Path) -> Path:
    return place.with_name(f".{place.name}.partial")


# -- the process that fetches --------------------------------------------------------------------


def _run(model: HubModel, partial: Path, on_progress: Progress, should_stop: ShouldStop) -> None:
    """Have `core.hub.download_process` fill `partial`. The caller holds the lock."""
    root = str(Path(__file__).parents[2])
    path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    with (partial / _LOG).open("wb") as log:
        child = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "core.hub.download_process",
                model.spec,
                str(partial),
                current_language(),
            ],
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
    on_progress: Progress,
    should_stop: ShouldStop,
) -> None:
    """Pass on what the child says until it has finished."""
    for said in lines:
        if should_stop():
            raise _stopped(model)
        if "error" in said:
            raise TuteeError(said["error"], said["hint"])
        if "finished" in said:
            return
        on_progress(ModelLoading(said["stage"], said["done"], said["total"]))
    raise TuteeError(
        _("Fetching {model} ended before it was done.").format(model=model.repository),
        _("Fetch it again: it goes on where it was."),
    )


def _stopped(model: HubModel) -> FetchStopped:
    return FetchStopped(
        _("Fetching {model} was stopped.").format(model=model.repository),
        _("Fetch it again to go on where it was."),
    )
