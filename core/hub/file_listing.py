"""What a hub says a repository holds, and which of it a chat model needs."""

import hashlib
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from core.hub.safety import refuse_files

INDEX = "model.safetensors.index.json"
_SMALL = (".json", ".jinja", ".model", ".txt", ".tiktoken", ".md")
_NAMED = ("LICENSE", "LICENCE", "NOTICE")
_BLOCK = 2**20


@dataclass(frozen=True)
class RemoteFile:
    """A file at the top of a repository."""

    path: str
    size: int
    """Bytes; 0 where the hub does not say it."""
    sha256: str = ""
    git_sha1: str = ""
    """Of the file as a git blob, where the hub gives no sha256."""

    def matches(self, path: Path, on_block: Callable[[int], None] = lambda size: None) -> bool:
        """Whether the file at `path` is this one, by the hash the hub gives (else by its size).

        Args:
            on_block: Told the size of each block that was read.
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
    """A repository at one moment."""

    commit: str
    """Empty where the hub does not say it."""
    files: Mapping[str, RemoteFile]


def small(where: str, listing: Listing) -> list[RemoteFile]:
    """Everything but the weights: settings, tokenizer, template, licence.

    Raises:
        TuteeError: the repository is not one of a model that Tutee can use.
    """
    top = {path: file for path, file in listing.files.items() if "/" not in path}
    refuse_files(where, top)
    return [
        file
        for path, file in sorted(top.items())
        if path.endswith(_SMALL) or path.startswith(_NAMED)
    ]


def weights(listing: Listing, directory: Path) -> list[RemoteFile]:
    """The files of weights, by the index in `directory` where there is one.

    Some repositories hold the weights twice, once as another library names them.
    """
    named = [path for path in listing.files if "/" not in path and path.endswith(".safetensors")]
    wanted: Collection[str] = named
    if (directory / INDEX).is_file():
        index = json.loads((directory / INDEX).read_text(encoding="utf-8"))
        wanted = set(index["weight_map"].values())
    elif "model.safetensors" in named:
        wanted = {"model.safetensors"}
    return [listing.files[path] for path in sorted(named) if path in wanted]
