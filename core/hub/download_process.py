"""Download one model, in the process that `core.hub.download` starts.

It is a separate process because the clients cannot be cancelled, write to the terminal, and need
environment variables that the rest of the program must not have. Killing it loses nothing: the next
download resumes.

Client output goes to standard error. Standard output carries one JSON object per line, every fifth
of a second and at the end. The process exits when its parent closes the pipe.
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
from core.hub.disk_usage import folder_size
from core.hub.file_listing import Listing, RemoteFile, small_files, weight_files
from core.hub.model_id import TITLES, TOKENS, HubModel, hub_model
from core.hub.safety import refuse_code, refuse_kind
from store.errors import TuteeError
from store.i18n import _, set_language

SOURCE_FILE = ".source.json"
"""Origin of a downloaded model; present only once the folder is complete."""
_BEAT = 0.2
_MESSAGE_LENGTH = 120
"""Characters of a client's error message that are shown."""
_WEEK = str(7 * 24 * 3600)
_MARGIN = 100_000_000
"""Bytes to leave free on the disk."""


class _Reporter(threading.Thread):
    """Reports how many bytes have been downloaded or verified, until `close`."""

    def __init__(self, out: TextIO, directory: Path) -> None:
        super().__init__(daemon=True)
        self.stage, self.total = "", 0
        self.checked: int | None = None
        """Bytes verified, or None before verification starts."""
        self._out, self._directory = out, directory
        self._closed = threading.Event()

    def run(self) -> None:
        while not self._closed.wait(_BEAT):
            self.report(stage=self.stage, done=self._done(), total=self.total)

    def report(self, **message: Any) -> None:
        try:
            print(json.dumps(message), file=self._out, flush=True)
        except OSError:
            os._exit(1)  # the parent is gone

    def count(self, size: int) -> None:
        """Count `size` more bytes as verified."""
        self.checked = (self.checked or 0) + size

    def close(self) -> None:
        self._closed.set()
        self.join()

    def _done(self) -> int:
        if self.checked is not None:
            return self.checked
        return min(folder_size(self._directory), self.total)


def main(arguments: Sequence[str]) -> None:
    """Download a model, given its id, the target folder, and the language of messages."""
    set_language(arguments[2])
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # client output
    os.environ["HF_HUB_OFFLINE"] = "0"
    os.environ["HF_HUB_DISABLE_XET"] = "1"
    # ModelScope's client limits a file to an hour, too short for large ones on a slow line.
    os.environ.setdefault("MODELSCOPE_DOWNLOAD_TOTAL_TIMEOUT", _WEEK)
    model, directory = hub_model(arguments[0]), Path(arguments[1])
    assert model is not None
    reporter = _Reporter(out, directory)
    reporter.start()
    try:
        _fetch(model, directory, reporter)
        message = {"finished": "yes"}
    except Exception as error:
        failed = error if isinstance(error, TuteeError) else _failure(model, error)
        message = {"error": failed.title, "hint": failed.hint}
    reporter.close()
    reporter.report(**message)


def _fetch(model: HubModel, directory: Path, reporter: _Reporter) -> None:
    source = huggingface if model.hub == "hf" else modelscope
    hub = TITLES[model.hub]
    where = _("The model {model} on {hub}").format(model=model.repository, hub=hub)
    reporter.stage = _("Asking {hub} for {model}").format(hub=hub, model=model.repository)
    listing = source.listing(model)
    few = small_files(where, listing)
    _drop_stale(few, directory)
    source.fetch(model, listing.commit, few, directory)
    _check(model, few, directory)  # before any of them is read
    config = json.loads((directory / "config.json").read_text(encoding="utf-8"))
    refuse_code(where, config)
    refuse_kind(where, config)
    wanted = [*few, *weight_files(listing, directory)]
    reporter.total = sum(file.size for file in wanted)
    _require_room(model, reporter.total - folder_size(directory), directory)
    reporter.stage = _("Fetching {model}").format(model=model.repository)
    source.fetch(model, listing.commit, wanted, directory)
    reporter.checked, reporter.stage = 0, _("Checking {model}").format(model=model.repository)
    _check(model, wanted, directory, reporter.count)
    _leave_only(wanted, directory)
    _write_source(model, listing, wanted, directory)


def _require_room(model: HubModel, missing: int, directory: Path) -> None:
    free = shutil.disk_usage(directory).free
    if missing + _MARGIN > free:
        title = _("{model} needs {missing:,} MB more in {folder}; {free:,} MB are free.")
        megabytes = {"missing": missing // 10**6, "free": free // 10**6}
        raise TuteeError(
            title.format(model=model.repository, folder=directory.parent, **megabytes),
            _("Free up space, or set TUTEE_CACHE to another folder."),
        )


def _drop_stale(few: Sequence[RemoteFile], directory: Path) -> None:
    """Delete small files that belong to another commit of the repository.

    Stale weights show only in the final check: reading them twice would take minutes.
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
        (directory / path).unlink(missing_ok=True)  # so that the next attempt downloads it again
    if wrong:
        raise _damaged(model, wrong[0])


def _damaged(model: HubModel, path: str) -> TuteeError:
    return TuteeError(
        _(
            "{path} of {model} does not match the checksum that {hub} lists, so it was not used."
        ).format(path=path, model=model.repository, hub=TITLES[model.hub]),
        _("Download it again. If this keeps happening, a proxy may be altering files."),
    )


def _leave_only(wanted: Sequence[RemoteFile], directory: Path) -> None:
    """Delete files the clients left behind, and make the rest private."""
    names = {file.path for file in wanted}
    for path in directory.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name not in names:
            path.unlink()
        else:
            path.chmod(0o600)


def _write_source(
    model: HubModel, listing: Listing, wanted: Sequence[RemoteFile], directory: Path
) -> None:
    source = {
        "spec": model.spec,
        "commit": listing.commit,
        "fetched": datetime.now(UTC).isoformat(timespec="seconds"),
        "files": {file.path: file.sha256 or file.git_sha1 for file in wanted},
    }
    path = directory / SOURCE_FILE
    path.write_text(json.dumps(source, indent=2) + "\n", encoding="utf-8")
    path.chmod(0o600)


def _failure(model: HubModel, error: Exception) -> TuteeError:
    """Describe a client's exception so that the user can act on it."""
    failed = getattr(error, "failed_files", {})  # of ModelScope's client
    causes = [error, *failed.values()]
    hub = TITLES[model.hub]
    if any(isinstance(cause, OSError) and cause.errno == errno.ENOSPC for cause in causes):
        title = _("The disk is too full for {model}.").format(model=model.repository)
        return TuteeError(title, _("Free up space and download it again to resume."))
    for path, cause in failed.items():
        if type(cause).__name__ in ("FileIntegrityError", "FileSizeMismatchError"):
            return _damaged(model, path)
    title = _("Could not download {model} from {hub}.").format(model=model.repository, hub=hub)
    return TuteeError(title, _advice(model, causes[-1]))


def _advice(model: HubModel, error: BaseException) -> str:
    """Return what to do about a failed download, by the hub's status code if there is one."""
    answer = getattr(error, "response", None)
    status = getattr(error, "status_code", None) or getattr(answer, "status_code", None) or 0
    if status in (401, 403):
        denied = _("The hub denied access ({status}): check the access token in {variable}.")
        return denied.format(status=status, variable=TOKENS[model.hub])
    if status == 404:
        return _("The hub lists a file that it does not have. Try again later.")
    if status == 429:
        return _(
            "The hub received too many requests. Download it again in a few minutes to resume."
        )
    if status >= 500:
        broken = _("The hub has a server error ({status}). Download it again later to resume.")
        return broken.format(status=status)
    while cause := error.__cause__ or error.__context__:
        error = cause  # the root cause says more than the client's own exception
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    return _(
        "Check the network and download it again to resume. The hub's client reported: {reason}"
    ).format(reason=reason[:_MESSAGE_LENGTH])


if __name__ == "__main__":
    main(sys.argv[1:])
