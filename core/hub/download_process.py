"""Fetch one model, in the process that `core.hub.download` starts.

A process of its own, because the hubs' clients cannot be stopped from outside, write to the
terminal, and want an environment that the rest of the program must not have. Killing it loses
nothing: what has arrived is gone on with the next time.

What the clients print goes to standard error. Standard output gets one JSON object a line, every
fifth of a second and at the end; the parent's end of the pipe going away ends it, too.
"""

import errno
import json
import os
import shutil
import sys
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from core.hub import huggingface, modelscope
from core.hub.disk_usage import arrived
from core.hub.file_listing import Listing, RemoteFile, small, weights
from core.hub.model_id import TITLES, TOKENS, HubModel, hub_model
from core.hub.safety import refuse_code, refuse_kind
from store.errors import TuteeError
from store.i18n import _, set_language

SOURCE_FILE = ".source.json"
"""In a fetched folder: where it came from. There only once it is whole."""
_BEAT = 0.2
_SAID = 120
"""Letters of what a client says that are passed on."""
_WEEK = str(7 * 24 * 3600)
_MARGIN = 100_000_000
"""Bytes that are to stay free on the disk."""


class _Reporter(threading.Thread):
    """Tells how many bytes have arrived, or been checked, until `close`."""

    def __init__(self, out: TextIO, directory: Path) -> None:
        super().__init__(daemon=True)
        self.stage, self.total = "", 0
        self.checked: int | None = None
        """Bytes that were checked, once that has begun."""
        self._out, self._directory = out, directory
        self._closed = threading.Event()

    def run(self) -> None:
        while not self._closed.wait(_BEAT):
            self.tell(stage=self.stage, done=self._done(), total=self.total)

    def tell(self, **said: Any) -> None:
        try:
            print(json.dumps(said), file=self._out, flush=True)
        except OSError:
            os._exit(1)  # nobody waits for it any more

    def count(self, size: int) -> None:
        """Take up that `size` bytes more were checked."""
        self.checked = (self.checked or 0) + size

    def close(self) -> None:
        self._closed.set()
        self.join()

    def _done(self) -> int:
        if self.checked is not None:
            return self.checked
        return min(arrived(self._directory), self.total)


def main(arguments: Sequence[str]) -> None:
    """Fetch the model named by the first argument into the folder that is the second.

    The third is the language to tell of it in.
    """
    set_language(arguments[2])
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever the clients print
    os.environ["HF_HUB_OFFLINE"] = "0"
    os.environ["HF_HUB_DISABLE_XET"] = "1"
    # ModelScope's client gives a file an hour, which on a slow line large ones take longer than.
    os.environ.setdefault("MODELSCOPE_DOWNLOAD_TOTAL_TIMEOUT", _WEEK)
    model, directory = hub_model(arguments[0]), Path(arguments[1])
    assert model is not None
    reporter = _Reporter(out, directory)
    reporter.start()
    try:
        _fetch(model, directory, reporter)
        said: dict[str, str] = {"finished": "yes"}
    except TuteeError as error:
        said = {"error": error.title, "hint": error.hint}
    except Exception as error:
        said = _failure(model, error)
    reporter.close()
    reporter.tell(**said)


def _fetch(model: HubModel, directory: Path, reporter: _Reporter) -> None:
    source = huggingface if model.hub == "hf" else modelscope
    where = _("The model {model} on {hub}").format(model=model.repository, hub=TITLES[model.hub])
    reporter.stage = _("Asking {hub} for {model}").format(
        hub=TITLES[model.hub], model=model.repository
    )
    listing = source.listing(model)
    few = small(where, listing)
    _drop_stale(few, directory)
    source.fetch(model, listing.commit, few, directory)
    _check(model, few, directory)  # before one of them is read
    config = json.loads((directory / "config.json").read_text(encoding="utf-8"))
    refuse_code(where, config)
    refuse_kind(where, config)
    wanted = [*few, *weights(listing, directory)]
    reporter.total = sum(file.size for file in wanted)
    _require_room(model, reporter.total - arrived(directory), directory)
    reporter.stage = _("Fetching {model}").format(model=model.repository)
    source.fetch(model, listing.commit, wanted, directory)
    reporter.checked, reporter.stage = 0, _("Checking {model}").format(model=model.repository)
    _check(model, wanted, directory, reporter.count)
    _leave_only(wanted, directory)
    _sign(model, listing, wanted, directory)


def _require_room(model: HubModel, missing: int, directory: Path) -> None:
    free = shutil.disk_usage(directory).free
    if missing + _MARGIN > free:
        raise TuteeError(
            _("{model} needs {missing:,} MB more in {folder}; {free:,} MB are free.").format(
                model=model.repository,
                missing=missing // 10**6,
                folder=directory.parent,
                free=free // 10**6,
            ),
            _("Make room, or name another folder with TUTEE_CACHE."),
        )


def _drop_stale(few: Sequence[RemoteFile], directory: Path) -> None:
    """Remove what an earlier fetch has brought of another state of the repository.

    Of the weights that only shows once they are checked: reading them twice would take minutes.
    """
    for file in few:
        if not file.matches(directory / file.path):
            (directory / file.path).unlink(missing_ok=True)


def _check(
    model: HubModel,
    wanted: Sequence[RemoteFile],
    directory: Path,
    on_block: Callable[[int], None] = lambda size: None,
) -> None:
    wrong = [file.path for file in wanted if not file.matches(directory / file.path, on_block)]
    for path in wrong:
        (directory / path).unlink(missing_ok=True)  # so that the next fetch brings it anew
    if wrong:
        raise _damaged(model, wrong[0])


def _damaged(model: HubModel, path: str) -> TuteeError:
    return TuteeError(
        _(
            "{path} of {model} is not the file that {hub} lists: its checksum "
            "differs, so it was not used."
        ).format(path=path, model=model.repository, hub=TITLES[model.hub]),
        _("Fetch it again; if that stays so, a proxy on the way may be changing files."),
    )


def _leave_only(wanted: Sequence[RemoteFile], directory: Path) -> None:
    """Remove what the clients keep for themselves, and make the rest private."""
    names = {file.path for file in wanted}
    for path in directory.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name not in names:
            path.unlink()
        else:
            path.chmod(0o600)


def _sign(model: HubModel, listing: Listing, wanted: Sequence[RemoteFile], directory: Path) -> None:
    told = {
        "spec": model.spec,
        "commit": listing.commit,
        "fetched": datetime.now(UTC).isoformat(timespec="seconds"),
        "files": {file.path: file.sha256 or file.git_sha1 for file in wanted},
    }
    path = directory / SOURCE_FILE
    path.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    path.chmod(0o600)


def _failure(model: HubModel, error: Exception) -> dict[str, str]:
    """What a client raised, as something a person can act on."""
    failed = getattr(error, "failed_files", {})  # of ModelScope's client
    causes = [error, *failed.values()]
    hub = TITLES[model.hub]
    if any(isinstance(cause, OSError) and cause.errno == errno.ENOSPC for cause in causes):
        return {
            "error": _("There is no room left on the disk for {model}.").format(
                model=model.repository
            ),
            "hint": _("Make room and fetch it again: it goes on where it was."),
        }
    for path, cause in failed.items():
        if type(cause).__name__ in ("FileIntegrityError", "FileSizeMismatchError"):
            damaged = _damaged(model, path)
            return {"error": damaged.title, "hint": damaged.hint}
    title = _("{model} could not be fetched from {hub}.").format(model=model.repository, hub=hub)
    return {"error": title, "hint": _advice(model, causes[-1])}


def _advice(model: HubModel, error: BaseException) -> str:
    """What to do where a client could not fetch, by what the hub answered it, if it did."""
    answer = getattr(error, "response", None)
    status = getattr(error, "status_code", None) or getattr(answer, "status_code", None) or 0
    if status in (401, 403):
        return _("The hub refuses it ({status}): check the access token in {variable}.").format(
            status=status, variable=TOKENS[model.hub]
        )
    if status == 404:
        return _("The hub lists a file that it does not have. Try again later.")
    if status == 429:
        return _(
            "The hub asks for a pause after too many requests. Fetch it again in some "
            "minutes: it goes on where it was."
        )
    if status >= 500:
        return _(
            "The hub has trouble of its own ({status}). Fetch it again later: it goes on "
            "where it was."
        ).format(status=status)
    while cause := error.__cause__ or error.__context__:
        error = cause  # what the clients make of it says less
    said = (str(error).strip() or type(error).__name__).splitlines()[0]
    return _(
        "Check the network and fetch it again: it goes on where it was. The hub's client said: "
        "{said}"
    ).format(said=said[:_SAID])


if __name__ == "__main__":
    main(sys.argv[1:])
