"""The files a hub lists for a repository, and which of them a chat model needs."""

import hashlib
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from core.hub.safety import refuse_files

ADAPTER = "adapter_config.json"
"""Of an adapter beside whole weights, which transformers would put on top of them."""
INDEX = "model.safetensors.index.json"
_SMALL = (".json", ".jinja", ".model", ".txt", ".tiktoken", ".md")
_NAMED = ("LICENSE", "LICENCE", "NOTICE")
_BLOCK = 2**20


@dataclass(frozen=True)
class RemoteFile:
    """A file at the top of a repository."""

    path: str
    size: int
    """Bytes; 0 if unknown."""
    sha256: str = ""
    git_sha1: str = ""
    """Git blob hash, used if there is no sha256."""

    def matches(self, path: Path, on_block: Callable[[int], None] = lambda size: None) -> bool:
        """Return whether the file at `path` has the listed hash, or the listed size without a hash.

        Args:
            on_block: Called with the size of each block read.
        """
        if not path.is_file() or (self.size and path.stat().st_size != self.size):
            return False
        if not self.sha256 and not self.git_sha1:
            return True
        digest = hashlib.sha256() if self.sha256 else hashlib.sha1(usedforsecurity=False)
        if not self.sha256:
            digest.update(f"blob {path.stat().st_size}\0".encode())
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
                on_block(len(block))
        return digest.hexdigest() == (self.sha256 or self.git_sha1).lower()


@dataclass(frozen=True)
class Listing:
    """A repository at one commit."""

    commit: str
    """Empty if unknown."""
    files: Mapping[str, RemoteFile]


def small_files(where: str, listing: Listing) -> list[RemoteFile]:
    """Return everything but the weights: config, tokenizer, template and license; no adapter.

    Raises:
        TuteeError: the repository holds no model that Tutee can use.
    """
    top = {path: file for path, file in listing.files.items() if "/" not in path}
    refuse_files(where, top)
    return [
        top[path]
        for path in sorted(top)
        if path != ADAPTER and (path.endswith(_SMALL) or path.startswith(_NAMED))
    ]


def weight_files(listing: Listing, directory: Path) -> list[RemoteFile]:
    """Return the weight files, following the index in `directory` if there is one.

    Some repositories hold the weights twice, once under the names of another library.
    """
    named = [path for path in listing.files if "/" not in path and path.endswith(".safetensors")]
    named = [path for path in named if not path.startswith("adapter_")]
    wanted: Collection[str] = named
    if (directory / INDEX).is_file():
        index = json.loads((directory / INDEX).read_text(encoding="utf-8"))
        wanted = set(index["weight_map"].values())
    elif "model.safetensors" in named:
        wanted = {"model.safetensors"}
    return [listing.files[path] for path in sorted(named) if path in wanted]
