"""Download from ModelScope with `snapshot_download` of its own client.

The client resumes files, downloads large ones in parts, and verifies the listed hashes.
MODELSCOPE_ENDPOINT and MODELSCOPE_API_TOKEN apply.
"""

from collections.abc import Iterable
from pathlib import Path

from core.hub.file_listing import Listing, RemoteFile
from core.hub.model_id import NOT_FOUND, TOKENS, HubModel
from store.errors import TuteeError
from store.i18n import _


def listing(model: HubModel) -> Listing:
    """List the files of the repository.

    Raises:
        TuteeError: the repository does not exist.
        OSError: the hub could not be reached.
    """
    from modelscope_hub import HubApi
    from modelscope_hub.errors import AuthenticationError, NotExistError, PermissionDeniedError

    try:
        found = HubApi().list_repo_files(model.repository, "model", revision=model.revision or None)
    except (NotExistError, AuthenticationError, PermissionDeniedError) as error:
        title = _("There is no model {model} on ModelScope, or it is private.")
        if model.revision:
            title = _(
                "There is no model {model} at the revision “{revision}” on ModelScope, or it is"
                " private."
            )
        raise TuteeError(
            title.format(model=model.repository, revision=model.revision),
            _(NOT_FOUND).format(variable=TOKENS[model.hub]),
        ) from error
    files = [RemoteFile(f.path, f.size, sha256=f.sha256 or "") for f in found if not f.is_dir]
    return Listing("", {file.path: file for file in files})


def fetch(model: HubModel, commit: str, files: Iterable[RemoteFile], directory: Path) -> None:
    """Download `files` into `directory`, resuming partial ones.

    Raises:
        OSError: the hub could not be reached, or the disk is full.
    """
    from modelscope.hub.snapshot_download import snapshot_download

    snapshot_download(
        model.repository,
        revision=model.revision or None,
        local_dir=str(directory),
        allow_patterns=[file.path for file in files],
    )
