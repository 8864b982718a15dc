"""Versions of what was learned: immutable directories, valid only once their manifest is there.

Each base model has its own folder in the home, so adapters of different models never mix:

    models/<model id>/v1/       a LoRA adapter as PEFT reads it, and manifest.json
    models/<model id>/r1/       a reward model (LoRA and score head), and manifest.json
    models/<model id>/active.json   which adapter answers, and the ones before it

A version is written into a hidden folder beside and renamed when it is whole. The manifest names
the records the version was trained on and its parent, and that is the only place where this is
written: what the active adapter has learned is the union over its ancestors. So rolling back makes
the records of the abandoned version count as new again, and no crash can leave the two at odds.

Left out on purpose: anything that needs torch. This module is read before the first paint.
"""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError

from core.models import ModelFolder
from store.errors import TuteeError
from store.records import now
from store.storage import replace_file

BASE = "base"
"""The name of the model without any adapter."""

Kind = Literal["adapter", "reward"]
_LETTER: dict[Kind, str] = {"adapter": "v", "reward": "r"}
_MANIFEST = "manifest.json"


class Manifest(BaseModel):
    """What a version is, where it came from and how it was made."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    version: str
    kind: Kind
    model: str
    """Id of the base model."""
    revision: str
    """Revision of the base model; loading it on another one is refused."""
    template: str = ""
    """SHA-256 of the chat template it was trained with."""
    parent: str = BASE
    """The version training began from."""
    pass_name: str = "sft"
    """The pass that made it."""
    created: datetime = Field(default_factory=now)
    records: tuple[str, ...] = ()
    """Ids of the records first learned by this version."""
    replayed: tuple[str, ...] = ()
    """Ids of the earlier records repeated beside them."""
    data: str = ""
    """SHA-256 of what it was trained on."""
    held_back: tuple[str, ...] = ()
    """Why it was not adopted by itself; empty where it was."""
    settings: dict[str, Any] = Field(default_factory=dict)
    libraries: dict[str, str] = Field(default_factory=dict)
    metrics: dict[str, Any] = Field(default_factory=dict)


class Adapters:
    """The versions of one base model in one home."""

    def __init__(self, models_dir: Path, folder: ModelFolder) -> None:
        self.folder = folder
        self.dir = models_dir / folder.id
        self._pointer = self.dir / "active.json"

    def versions(self, kind: Kind = "adapter") -> list[Manifest]:
        """All whole versions, oldest first."""
        found = []
        for path in self.dir.glob(f"{_LETTER[kind]}[0-9]*/{_MANIFEST}"):
            try:
                found.append(Manifest.model_validate_json(path.read_bytes()))
            except (OSError, ValidationError) as error:
                raise TuteeError(
                    f"The manifest {path} cannot be read.",
                    f"Mend it, or move the folder {path.parent} away to go on without it.",
                ) from error
        return sorted(found, key=lambda manifest: int(manifest.version[1:]))

    def manifest(self, version: str) -> Manifest:
        """The manifest of one version.

        Raises:
            TuteeError: there is no such version.
        """
        kind: Kind = "reward" if version.startswith("r") else "adapter"
        for manifest in self.versions(kind):
            if manifest.version == version:
                return manifest
        names = ", ".join([BASE, *(m.version for m in self.versions())])
        raise TuteeError(f"There is no adapter “{version}”.", f"There are: {names}.")

    def path(self, version: str) -> Path | None:
        """Where `version` is, checked to fit this base; nothing for the base itself.

        Raises:
            TuteeError: there is no such version, or it was trained on another base.
        """
        if version == BASE:
            return None
        manifest = self.manifest(version)
        if manifest.revision != self.folder.revision:
            raise TuteeError(
                f"Adapter {version} was trained on another revision of {self.folder.label}.",
                "Train a new one, or go back to the model it was trained on.",
            )
        return self.dir / version

    def active(self) -> str:
        """The version that answers: `v3`, or `base`."""
        return self._history()[-1]

    def use(self, version: str) -> None:
        """Make `version` the active one; the one before stays a `rollback` away.

        Raises:
            TuteeError: there is no such version, or it does not fit this base.
        """
        self.path(version)
        history = self._history()
        if history[-1] != version:
            self._write_history([*history, version])

    def rollback(self) -> str:
        """Go back to the version that was active before, and name it.

        Raises:
            TuteeError: nothing was active before.
        """
        history = self._history()
        if len(history) == 1:
            raise TuteeError(f"There is nothing to roll back to: {history[0]} is the first.")
        self.path(history[-2])
        self._write_history(history[:-1])
        return history[-2]

    def lineage(self, version: str) -> list[Manifest]:
        """`version` and its ancestors, newest first; empty for the base."""
        by_name = {manifest.version: manifest for manifest in self.versions()}
        line: list[Manifest] = []
        while version in by_name and len(line) < len(by_name):
            line.append(by_name[version])
            version = by_name[version].parent
        return line

    def learned(self, version: str | None = None) -> frozenset[str]:
        """Ids of the records that `version` (the active one by default) was trained on."""
        line = self.lineage(self.active() if version is None else version)
        return frozenset(record for manifest in line for record in manifest.records)

    @contextmanager
    def new_version(self, kind: Kind) -> Iterator[tuple[str, Path]]:
        """A name and an empty folder to fill; it becomes a version when the block ends well.

        The block must call `write_manifest` last. When it raises, nothing stays behind.
        """
        self.dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        letter = _LETTER[kind]
        taken = [int(m.version[1:]) for m in self.versions(kind)]
        version = f"{letter}{max(taken, default=0) + 1}"
        partial = self.dir / f".{version}.partial"
        shutil.rmtree(partial, ignore_errors=True)  # left by a process that was killed
        try:
            partial.mkdir(mode=0o700)
            yield version, partial
            for path in partial.rglob("*"):
                path.chmod(0o700 if path.is_dir() else 0o600)
                _sync(path)
            partial.rename(self.dir / version)
            _sync(self.dir)
        except (OSError, SafetensorError) as error:
            raise TuteeError(
                f"Version {version} could not be saved: {error}.",
                f"Make room on the disk of {self.dir} and train again; no record is lost.",
            ) from error
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def _history(self) -> list[str]:
        try:
            history = json.loads(self._pointer.read_text(encoding="utf-8"))["history"]
        except FileNotFoundError:
            return [BASE]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise TuteeError(
                f"{self._pointer} cannot be read, so the active adapter is not known.",
                "Delete that file to start from the base; the versions themselves are kept.",
            ) from error
        # A version folder that a person removed by hand is passed over.
        return [v for v in history if v == BASE or (self.dir / v / _MANIFEST).exists()] or [BASE]

    def _write_history(self, history: list[str]) -> None:
        self.dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        replace_file(self._pointer, json.dumps({"history": history}).encode())


def template_hash(tokenizer: Any) -> str:
    """SHA-256 of the chat template, which a version is bound to."""
    return sha256((tokenizer.chat_template or "").encode("utf-8")).hexdigest()


def write_manifest(directory: Path, manifest: Manifest) -> None:
    """Write `manifest` into a new version's folder: the last thing to be written there."""
    text = manifest.model_dump_json(indent=2)
    (directory / _MANIFEST).write_text(text + "\n", encoding="utf-8")


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
