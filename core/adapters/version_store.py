"""The version folders of one base model: list, read, create and delete them.

A new version is filled under a hidden name and renamed once it is whole, so a crash leaves a whole
version or none. A deleted version leaves its manifest in `deleted/`, because its descendants have
learned its records too; for the same reason no name is used twice.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from core.adapters.manifest import MANIFEST_FILE, Kind, Manifest, is_version_name, read_manifest
from core.adapters.new_folder import publish
from store.errors import TuteeError
from store.i18n import _
from store.storage import link_or_copy, private_folder, sync_folder

_PREFIX: dict[Kind, str] = {"adapter": "v", "reward": "r"}


class VersionStore:
    """The versions in the folder `directory`, which need not exist yet."""

    def __init__(self, directory: Path) -> None:
        self.dir = directory
        self._deleted = directory / "deleted"

    def exists(self, version: str) -> bool:
        return is_version_name(version) and (self.dir / version / MANIFEST_FILE).exists()

    def read(self, version: str) -> Manifest:
        """Return the manifest of an existing version, as `read_manifest` does."""
        return read_manifest(self.dir / version / MANIFEST_FILE)

    def manifests(self, *kinds: Kind) -> list[Manifest]:
        """Return the manifests of all versions of these kinds, each kind oldest first.

        Raises:
            TuteeError: a manifest cannot be read.
        """
        return [
            manifest
            for kind in kinds or _PREFIX
            for manifest in sorted(
                map(read_manifest, self.dir.glob(f"{_PREFIX[kind]}[0-9]*/{MANIFEST_FILE}")),
                key=lambda manifest: manifest.number,
            )
        ]

    def deleted(self) -> list[Manifest]:
        """Return the manifests that deleted versions left."""
        return [read_manifest(path) for path in self._deleted.glob("[vr][0-9]*.json")]

    @contextmanager
    def create(self, kind: Kind) -> Iterator[tuple[str, Path]]:
        """Yield a new version's name and an empty folder, kept only if the block succeeds.

        The block must call `write_manifest` last.

        Raises:
            TuteeError: the version cannot be saved.
        """
        self.dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        taken = [m.number for m in (*self.manifests(kind), *self.deleted()) if m.kind == kind]
        version = f"{_PREFIX[kind]}{max(taken, default=0) + 1}"
        partial = self.dir / f".{version}.partial"
        for leftover in self.dir.glob(".[vr]*.partial"):  # of a process that was killed
            shutil.rmtree(leftover, ignore_errors=True)
        try:
            partial.mkdir(mode=0o700)
            yield version, partial
            publish(partial, self.dir / version)
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

    def delete(self, version: str) -> None:
        """Remove an existing version from the disk, except for its manifest.

        Raises:
            TuteeError: the disk refuses; the version is still whole.
        """
        removed = self.dir / f".{version}.partial"
        try:
            private_folder(self._deleted)
            kept = self._deleted / f"{version}.json"
            kept.unlink(missing_ok=True)
            # A link takes no room, so that a full disk can be emptied from within.
            link_or_copy(self.dir / version / MANIFEST_FILE, kept)
            # Renamed first, so that a crash leaves the version whole or gone.
            (self.dir / version).rename(removed)
            sync_folder(self.dir)
        except OSError as error:
            raise TuteeError(
                _("Version {version} could not be deleted: {why}.").format(
                    version=version, why=error
                )
            ) from error
        shutil.rmtree(removed, ignore_errors=True)
