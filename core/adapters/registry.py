"""Versions of what was learned: immutable directories, valid only once their manifest is there.

Each base model has its own folder in the home, so adapters of different models never mix:

    models/<model id>/v1/       a LoRA adapter as PEFT reads it, and manifest.json
    models/<model id>/r1/       a reward model (LoRA and score head), and manifest.json
    models/<model id>/active.json   which adapter answers, and the ones before it
    models/<model id>/labels.json   what a person calls them and noted about them
    models/<model id>/deleted/      the manifests of deleted versions

A version is written into a hidden folder beside and renamed when it is whole. The manifest names
the records the version was trained on and its parent, and that is the only place where this is
written: what the active adapter has learned is the union over its ancestors. So rolling back makes
the records of the abandoned version count as new again, and no crash can leave the two at odds. An
adapter needs no other one to work, so any but the active one can be deleted; its manifest stays,
because what its descendants have learned is written there too, and no name is ever used twice.

Left out on purpose: anything that needs torch. This module is read before the first paint.
"""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from core.adapters import labels
from core.adapters import manifest as manifests
from core.adapters.diff import Difference, difference
from core.adapters.labels import Remark
from core.adapters.manifest import BASE, Kind, Manifest
from core.models.folder import ModelFolder, chat_template
from store.errors import TuteeError
from store.i18n import _
from store.storage import private_folder, replace_file, sync_folder

_LETTER: dict[Kind, str] = {"adapter": "v", "reward": "r"}


class Adapters:
    """The versions of one base model in one home."""

    def __init__(self, models_dir: Path, folder: ModelFolder) -> None:
        self.folder = folder
        self.dir = models_dir / folder.id
        self._pointer = self.dir / "active.json"
        self._labels = self.dir / "labels.json"
        self._deleted = self.dir / "deleted"

    def versions(self, kind: Kind = "adapter") -> list[Manifest]:
        """All whole versions, oldest first."""
        found = [
            manifests.read(path)
            for path in self.dir.glob(f"{_LETTER[kind]}[0-9]*/{manifests.FILE}")
        ]
        return sorted(found, key=_number)

    def resolve(self, name: str) -> str:
        """The version that `name` names by its own name or by its label.

        Raises:
            TuteeError: there is none.
        """
        if name == BASE or self._whole(name):
            return name
        for version, remark in self.remarks().items():
            if remark.label == name:
                return version
        there = [m for kind in _LETTER for m in self.versions(kind)]
        names = _(", ").join([BASE, *(m.version for m in there)])
        raise TuteeError(
            _("There is no adapter “{name}”.").format(name=name),
            _("There are: {names}.").format(names=names),
        )

    def manifest(self, version: str) -> Manifest:
        """The manifest of one version; that of the base is empty.

        Raises:
            TuteeError: there is no such version.
        """
        version = self.resolve(version)
        if version == BASE:
            folder = self.folder
            return Manifest(
                version=BASE, kind="adapter", model=folder.id, revision=folder.revision, parent=""
            )
        return manifests.read(self.dir / version / manifests.FILE)

    def path(self, version: str) -> Path | None:
        """Where `version` is, checked to fit this base; nothing for the base itself.

        Raises:
            TuteeError: there is no such version, or it was trained on another base or with another
                chat template.
        """
        manifest = self.manifest(version)
        if manifest.version == BASE:
            return None
        self._check_fits(manifest)
        return self.dir / manifest.version

    def trusted_reward_model(self) -> str | None:
        """The latest reward model, where it passed its gate."""
        latest = self.versions("reward")[-1:]
        return next((one.version for one in latest if one.metrics.get("passed")), None)

    def active(self) -> str:
        """The version that answers: `v3`, or `base`."""
        return self._history()[-1]

    def use(self, version: str) -> str:
        """Make `version` the active one, and name it; the one before stays a `rollback` away.

        Raises:
            TuteeError: there is no such version, it does not fit this base, or it cannot answer.
        """
        manifest = self.manifest(version)
        if manifest.kind == "reward":
            raise TuteeError(
                _("{version} is a reward model: it scores replies and writes none.").format(
                    version=manifest.version
                ),
                _("`tutee adapters` lists the versions that can answer."),
            )
        self.path(manifest.version)
        history = self._history()
        if history[-1] != manifest.version:
            self._write_history([*history, manifest.version])
        return manifest.version

    def rollback(self) -> str:
        """Go back to the version that was active before, and name it.

        Raises:
            TuteeError: nothing was active before.
        """
        history = self._history()
        if len(history) == 1:
            raise TuteeError(
                _("There is nothing to roll back to: {version} is the first.").format(
                    version=history[0]
                )
            )
        self.path(history[-2])
        self._write_history(history[:-1])
        return history[-2]

    def lineage(self, version: str) -> list[Manifest]:
        """`version` and its ancestors, deleted ones too, newest first; empty for the base."""
        known = (*self._tombstones(), *(m for kind in _LETTER for m in self.versions(kind)))
        by_name = {manifest.version: manifest for manifest in known}
        line: list[Manifest] = []
        while version in by_name and len(line) < len(by_name):
            line.append(by_name[version])
            version = by_name[version].parent
        return line

    def learned(self, version: str | None = None) -> frozenset[str]:
        """Ids of the records that `version` (the active one by default) was trained on."""
        line = self.lineage(self.active() if version is None else version)
        return frozenset(record for manifest in line for record in manifest.records)

    def diff(self, a: str, b: str) -> Difference:
        """What differs between two versions; either may be the base.

        Raises:
            TuteeError: there is no such version.
        """
        first, second = self.manifest(a), self.manifest(b)
        return difference(first, second, self.learned(first.version), self.learned(second.version))

    def delete(self, version: str) -> str:
        """Remove `version` from the disk, and name it; its manifest alone is kept.

        Raises:
            TuteeError: there is no such version, it is the active one or the base, or the disk
                refuses.
        """
        version = self._of_training(version)
        if version == self.active():
            raise TuteeError(
                _("{version} is the one that answers, so it cannot be deleted.").format(
                    version=version
                ),
                _("Choose another version first, or roll back."),
            )
        said = self.remark(version) != Remark()
        removed = self.dir / f".{version}.partial"
        try:
            manifest = (self.dir / version / manifests.FILE).read_bytes()
            private_folder(self._deleted)
            replace_file(self._deleted / f"{version}.json", manifest)
            # Renamed first, so that a crash leaves the version whole or gone.
            (self.dir / version).rename(removed)
            sync_folder(self.dir)
            if said:
                self._say(version, Remark())
        except OSError as error:
            raise TuteeError(
                _("Version {version} could not be deleted: {why}.").format(
                    version=version, why=error
                )
            ) from error
        shutil.rmtree(removed, ignore_errors=True)
        return version

    # -- what a person calls them ----------------------------------------------------------------

    def remarks(self) -> dict[str, Remark]:
        """The labels and notes, by version; only of those that have any.

        Raises:
            TuteeError: they cannot be read.
        """
        said = labels.read(self._labels)
        return {version: remark for version, remark in said.items() if self._whole(version)}

    def remark(self, version: str) -> Remark:
        """The label and the note of `version`; both may be empty."""
        return self.remarks().get(version, Remark())

    def label(self, version: str, name: str) -> str:
        """Call `version` `name` from now on, and name it; an empty name takes its label away.

        Raises:
            TuteeError: there is no such version, or the label is taken or none that can be used.
        """
        version, label = self._of_training(version), labels.checked_label(name)
        for other, remark in self.remarks().items():
            if label and remark.label == label and other != version:
                raise TuteeError(
                    _("{version} is called “{label}” already.").format(version=other, label=label),
                    _("Choose another word, or relabel it."),
                )
        self._say(version, self.remark(version).model_copy(update={"label": label}))
        return version

    def note(self, version: str, text: str) -> str:
        """Keep `text` as the note on `version`, and name it; an empty text takes it away.

        Raises:
            TuteeError: there is no such version.
        """
        version = self._of_training(version)
        self._say(version, self.remark(version).model_copy(update={"note": text.strip()}))
        return version

    def _say(self, version: str, remark: Remark) -> None:
        labels.write(self._labels, {**self.remarks(), version: remark})

    # -- making them -----------------------------------------------------------------------------

    @contextmanager
    def new_version(self, kind: Kind) -> Iterator[tuple[str, Path]]:
        """A name and an empty folder to fill; it becomes a version when the block ends well.

        The block must call `write_manifest` last. When it raises, nothing stays behind.
        """
        self.dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        letter = _LETTER[kind]
        taken = [*self.versions(kind), *(m for m in self._tombstones() if m.kind == kind)]
        version = f"{letter}{max(map(_number, taken), default=0) + 1}"
        partial = self.dir / f".{version}.partial"
        for left in self.dir.glob(".[vr]*.partial"):  # by a process that was killed
            shutil.rmtree(left, ignore_errors=True)
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
                _("Version {version} could not be saved: {why}.").format(
                    version=version, why=error
                ),
                _("Make room on the disk of {folder} and train again; no record is lost.").format(
                    folder=self.dir
                ),
            ) from error
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    # -- what is on disk -------------------------------------------------------------------------

    def _whole(self, version: str) -> bool:
        return labels.is_version(version) and (self.dir / version / manifests.FILE).exists()

    def _of_training(self, name: str) -> str:
        """The version that `name` names, which is not the base."""
        version = self.resolve(name)
        if version == BASE:
            raise TuteeError(_("The base is the model as it came, not a version of it."))
        return version

    def _tombstones(self) -> list[Manifest]:
        """The manifests of deleted versions."""
        return [manifests.read(path) for path in self._deleted.glob("[vr][0-9]*.json")]

    def _check_fits(self, manifest: Manifest) -> None:
        if manifest.revision != self.folder.revision:
            raise TuteeError(
                _("Adapter {version} was trained on another revision of {model}.").format(
                    version=manifest.version, model=self.folder.label
                ),
                _("Train a new one, or go back to the model it was trained on."),
            )
        template = chat_template(self.folder)
        if template and manifest.template and manifest.template != hashed(template):
            raise TuteeError(
                _(
                    "Adapter {version} was trained with another chat template than the one "
                    "{model} has now, so it would read every prompt wrongly."
                ).format(version=manifest.version, model=self.folder.label),
                _(
                    "Put the old template back (it is in {folder}), or answer with the base "
                    "(`tutee adapters use base`) and train a new version."
                ).format(folder=self.dir / manifest.version),
            )

    def _history(self) -> list[str]:
        try:
            history = json.loads(self._pointer.read_text(encoding="utf-8"))["history"]
        except FileNotFoundError:
            return [BASE]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise TuteeError(
                _("{path} cannot be read, so the active adapter is not known.").format(
                    path=self._pointer
                ),
                _("Delete that file to start from the base; the versions themselves are kept."),
            ) from error
        # What was deleted is passed over, and what was before and after it is then one.
        there = [v for v in history if v == BASE or self._whole(v)]
        return [version for version, _ in groupby(there)] or [BASE]

    def _write_history(self, history: list[str]) -> None:
        self.dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        replace_file(self._pointer, json.dumps({"history": history}).encode())


def template_hash(tokenizer: Any) -> str:
    """SHA-256 of the chat template, which a version is bound to."""
    template = tokenizer.chat_template
    return hashed((template.get("default") if isinstance(template, dict) else template) or "")


def write_manifest(directory: Path, manifest: Manifest) -> None:
    """Write `manifest` into a new version's folder: the last thing to be written there."""
    text = manifest.model_dump_json(indent=2)
    (directory / manifests.FILE).write_text(text + "\n", encoding="utf-8")


def hashed(template: str) -> str:
    """SHA-256 of a chat template."""
    return sha256(template.encode("utf-8")).hexdigest()


def _number(manifest: Manifest) -> int:
    return int(manifest.version[1:])


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
