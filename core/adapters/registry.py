"""The adapter versions of one base model, and which of them is active.

Each base model has its own folder in the home, so adapters of different models never mix:

    models/<model id>/v1/          a LoRA adapter as PEFT reads it, and manifest.json
    models/<model id>/r1/          a reward model (LoRA and score head), and manifest.json
    models/<model id>/active.json  the active adapter, and the ones before it
    models/<model id>/labels.json  the user's labels and notes
    models/<model id>/deleted/     the manifests of deleted versions

A version never changes. Its manifest names its parent and the records it was trained on, and
nothing else stores these: what the active adapter has learned is the union over its ancestors. So
rolling back makes the records of the abandoned version new again, and no crash can make the two
disagree. An adapter works without its parent, so any version but the active one can be deleted.

Left out on purpose: anything that needs torch. This module is imported before the first paint.
"""

from contextlib import AbstractContextManager
from pathlib import Path

from core.adapters.active_history import ActiveHistory
from core.adapters.compatibility import require_fit
from core.adapters.diff import Difference, difference
from core.adapters.labels import Labels, Remark
from core.adapters.manifest import BASE, Kind, Manifest
from core.adapters.version_store import VersionStore
from core.models.folder import ModelFolder
from store.errors import TuteeError
from store.i18n import _


class Adapters:
    """The versions of one base model in one home; each can be given by its name or its label."""

    def __init__(self, models_dir: Path, folder: ModelFolder) -> None:
        self.folder = folder
        self.dir = models_dir / folder.id
        self._store = VersionStore(self.dir)
        self._history = ActiveHistory(self.dir / "active.json", self._store.exists)
        self._labels = Labels(self.dir / "labels.json", self._store.exists)

    # -- finding versions ------------------------------------------------------------------------

    def versions(self, kind: Kind = "adapter") -> list[Manifest]:
        """Return the manifests of all versions of one kind, oldest first."""
        return self._store.manifests(kind)

    def resolve(self, name: str) -> str:
        """Return the version whose name or label is `name`.

        Raises:
            TuteeError: there is none.
        """
        if name == BASE or self._store.exists(name):
            return name
        for version, remark in self.remarks().items():
            if remark.label == name:
                return version
        names = _(", ").join([BASE, *(manifest.version for manifest in self._store.manifests())])
        raise TuteeError(
            _("There is no adapter “{name}”.").format(name=name),
            _("Available: {names}.").format(names=names),
        )

    def damaged(self) -> list[TuteeError]:
        """Return an error for each version whose manifest cannot be read; no list has these."""
        return self._store.damaged()

    def manifest(self, version: str) -> Manifest:
        """Return the manifest of a version; the base has one without records.

        Raises:
            TuteeError: there is no such version.
        """
        version = self.resolve(version)
        if version == BASE:
            folder = self.folder
            return Manifest(
                version=BASE, kind="adapter", model=folder.id, revision=folder.revision, parent=""
            )
        return self._store.read(version)

    def path(self, version: str) -> Path | None:
        """Return the folder of a version that fits this base; None for the base itself.

        Raises:
            TuteeError: there is no such version, or it was trained on another base or with another
                chat template.
        """
        manifest = self.manifest(version)
        if manifest.version == BASE:
            return None
        directory = self.dir / manifest.version
        require_fit(manifest, self.folder, directory)
        return directory

    def trusted_reward_model(self) -> str | None:
        """Return the latest reward model if it passed its gate."""
        latest = self.versions("reward")[-1:]
        return next((one.version for one in latest if one.metrics.get("passed")), None)

    # -- the active version ----------------------------------------------------------------------

    def active(self) -> str:
        """Return the active version: `v3`, or `base`."""
        return self._history.read()[-1]

    def use(self, version: str) -> str:
        """Activate `version`, and return its name; `rollback` returns to the one before.

        Raises:
            TuteeError: there is no such version, it does not fit this base, or it is a reward
                model.
        """
        manifest = self.manifest(version)
        if manifest.kind == "reward":
            raise TuteeError(
                _("{version} is a reward model: it scores replies but cannot write any.").format(
                    version=manifest.version
                ),
                _("`tutee adapters` lists the versions that can answer."),
            )
        self.path(manifest.version)
        history = self._history.read()
        if history[-1] != manifest.version:
            self._history.write([*history, manifest.version])
        return manifest.version

    def rollback(self) -> str:
        """Activate the version that was active before, and return its name.

        Raises:
            TuteeError: there is none, or it does not fit this base any more.
        """
        history = self._history.read()
        if len(history) == 1:
            raise TuteeError(
                _("There is nothing to roll back to: {version} is the first.").format(
                    version=history[0]
                )
            )
        self.path(history[-2])
        self._history.write(history[:-1])
        return history[-2]

    # -- what versions have learned --------------------------------------------------------------

    def lineage(self, version: str) -> list[Manifest]:
        """Return `version` and its ancestors, deleted ones too, newest first; none for the base."""
        known = {m.version: m for m in (*self._store.deleted(), *self._store.manifests())}
        line: list[Manifest] = []
        while version in known and len(line) < len(known):
            line.append(known[version])
            version = known[version].parent
        return line

    def learned(self, version: str | None = None) -> frozenset[str]:
        """Return the ids of all records that `version` (by default the active one) has learned."""
        line = self.lineage(self.active() if version is None else version)
        return frozenset(record for manifest in line for record in manifest.records)

    def trained_groups(self, version: str) -> frozenset[str]:
        """Return the keys of the conversations and prompts that `version` and its ancestors were
        trained on, as their manifests give them."""
        return frozenset(key for manifest in self.lineage(version) for key in manifest.groups)

    def diff(self, a: str, b: str) -> Difference:
        """Compare two versions; either may be the base.

        Raises:
            TuteeError: there is no such version.
        """
        first, second = self.manifest(a), self.manifest(b)
        return difference(first, second, self.learned(first.version), self.learned(second.version))

    # -- labels and notes ------------------------------------------------------------------------

    def remarks(self) -> dict[str, Remark]:
        """Return the labels and notes by version, as `Labels.read` does."""
        return self._labels.read()

    def remark(self, version: str) -> Remark:
        """Return the label and the note of `version`; both may be empty."""
        return self._labels.of(version)

    def label(self, version: str, name: str) -> str:
        """Label `version`, and return its own name; an empty `name` removes the label.

        Raises:
            TuteeError: there is no such version, or the label is taken or invalid.
        """
        version = self._trained(version)
        self._labels.set_label(version, name)
        return version

    def note(self, version: str, text: str) -> str:
        """Keep `text` as the note on `version`, and return its name; an empty text removes it.

        Raises:
            TuteeError: there is no such version.
        """
        version = self._trained(version)
        self._labels.set_note(version, text)
        return version

    # -- creating and deleting -------------------------------------------------------------------

    def new_version(self, kind: Kind) -> AbstractContextManager[tuple[str, Path]]:
        """Yield a new version's name and folder, as `VersionStore.create` does."""
        return self._store.create(kind)

    def delete(self, version: str) -> str:
        """Remove `version` from the disk, except for its manifest, and return its name.

        Raises:
            TuteeError: there is no such version, it is the active one or the base, or the disk
                refuses.
        """
        version = self._trained(version)
        if version == self.active():
            raise TuteeError(
                _("{version} is active, so it cannot be deleted.").format(version=version),
                _("Activate another version first, or roll back."),
            )
        # Read first: labels that cannot be read must stop the deletion before it begins.
        has_remark = version in self.remarks()
        self._store.delete(version)
        if has_remark:
            self._labels.remove(version)
        return version

    def _trained(self, name: str) -> str:
        """Resolve `name` to a version that is not the base."""
        version = self.resolve(name)
        if version == BASE:
            raise TuteeError(_("The base is the original model, not a trained version."))
        return version
