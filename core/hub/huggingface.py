"""Download from the Hugging Face hub with its own client.

`snapshot_download` discards partial files: it writes to a new temporary name each time and deletes
it on failure. So files are downloaded one by one with its building block `http_get`, which can
resume. HF_ENDPOINT, HF_TOKEN and a stored login apply. Plain HTTP only: the Xet protocol keeps no
partial file to resume.
"""

from collections.abc import Iterable
from pathlib import Path

from core.hub.file_listing import Listing, RemoteFile
from core.hub.model_id import NOT_FOUND, TOKENS, HubModel
from store.errors import TuteeError
from store.i18n import _

_CHUNK = 32 * 1024


def listing(model: HubModel) -> Listing:
    """List the files of the repository.

    Raises:
        TuteeError: the repository does not exist or needs a login.
        OSError: the hub could not be reached.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import (
        GatedRepoError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    revision = model.revision or None
    try:
        info = HfApi().model_info(model.repository, revision=revision, files_metadata=True)
    except GatedRepoError as error:
        title = _("{model} requires you to request access first.").format(model=model.spec)
        hint = _("Accept the terms on its page, and set {variable} to your access token.")
        raise TuteeError(title, hint.format(variable=TOKENS[model.hub])) from error
    except RevisionNotFoundError as error:
        title = _("{model} on Hugging Face has no revision “{revision}”.")
        raise TuteeError(
            title.format(model=model.repository, revision=model.revision),
            _("Leave out the part after @ for the newest."),
        ) from error
    except RepositoryNotFoundError as error:
        title = _("There is no model {model} on Hugging Face, or it is private.")
        hint = _(NOT_FOUND).format(variable=TOKENS[model.hub])
        raise TuteeError(title.format(model=model.repository), hint) from error
    files = (
        RemoteFile(
            sibling.rfilename,
            sibling.size or 0,
            sha256=sibling.lfs.sha256 if sibling.lfs else "",
            git_sha1=(sibling.blob_id or "") if not sibling.lfs else "",
        )
        for sibling in info.siblings or ()
    )
    return Listing(info.sha or "", {file.path: file for file in files})


def fetch(model: HubModel, commit: str, files: Iterable[RemoteFile], directory: Path) -> None:
    """Download `files` into `directory`, resuming partial ones.

    Raises:
        OSError: the hub could not be reached, or the disk is full.
    """
    from huggingface_hub import constants, hf_hub_url
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers

    # The client's 10 MB would show no progress for minutes on a slow line, and be lost on a kill.
    constants.DOWNLOAD_CHUNK_SIZE = _CHUNK
    for file in files:
        target = directory / file.path
        if target.exists():
            continue
        part = directory / f"{file.path}.incomplete"
        with part.open("ab", buffering=0) as stream:
            if file.size and stream.tell() > file.size:
                stream.truncate(0)
            http_get(
                hf_hub_url(model.repository, file.path, revision=commit or model.revision or None),
                stream,
                resume_size=stream.tell(),
                headers=build_hf_headers(library_name="tutee"),
                expected_size=file.size or None,
            )
        part.rename(target)
