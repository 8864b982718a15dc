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
        return is_version_name(version) and (self.dir / version / MANIFEST_FILE).is_file()

    def read(self, version: str) -> Manifest:
        """Return the manifest of an existing version, as `read_manifest` does.

        Raises:
            TuteeError: it cannot be read, or is that of another version.
        """
        found = _attempt(self.dir / version / MANIFEST_FILE, version)
        if isinstance(found, TuteeError):
            raise found
        return found

    def manifests(self, *kinds: Kind) -> list[Manifest]:
        """Return the manifests of all versions of these kinds, each kind oldest first.

        Those that cannot be read are left out, so that one damaged file does not hide the others;
        `damaged` returns their errors.
        """
        return [
            manifest
            for kind in kinds or _PREFIX
            for manifest in sorted(
                (one for one in self._found() if isinstance(one, Manifest) and one.kind == kind),
                key=lambda manifest: manifest.number,
            )
        ]

    def damaged(self) -> list[TuteeError]:
        """Return an error for each version whose manifest cannot be read."""
        return [error for error in self._found() if isinstance(error, TuteeError)]

    def deleted(self) -> list[Manifest]:
        """Return the manifests that deleted versions left, without those that cannot be read."""
        paths = self._deleted.glob("[vr][0-9]*.json")
        found = (_attempt(path, path.stem) for path in paths)
        return [manifest for manifest in found if isinstance(manifest, Manifest)]

    def _found(self) -> list[Manifest | TuteeError]:
        paths = sorted(self.dir.glob(f"[vr][0-9]*/{MANIFEST_FILE}"))
        return [_attempt(path, path.parent.name) for path in paths]

    @contextmanager
    def create(self, kind: Kind) -> Iterator[tuple[str, Path]]:
        """Yield a new version's name and an empty folder, kept only if the block succeeds.

        The block must call `write_manifest` last.

        Raises:
            TuteeError: the version cannot be saved.
        """
        self.dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        # By the names of the files, because a manifest that cannot be read takes its number, too.
        used = (*self.dir.glob("[vr][0-9]*"), *self._deleted.glob("[vr][0-9]*.json"))
        names = [path.name.removesuffix(".json") for path in used]
        taken = [int(n[1:]) for n in names if is_version_name(n) and n[0] == _PREFIX[kind]]
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


def _attempt(path: Path, version: str) -> Manifest | TuteeError:
    """Return the manifest of `version` in the file `path`, or why it cannot be read."""
    try:
        manifest = read_manifest(path)
    except TuteeError as error:
        return error
    if manifest.version == version and manifest.version[0] == _PREFIX[manifest.kind]:
        return manifest
    return TuteeError(
        _("The manifest {path} is that of another version, {version}.").format(
            path=path, version=manifest.version
        ),
        _("Move {folder} away, or give it its own manifest back.").format(folder=path.parent),
    )
