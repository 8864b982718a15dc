"""The manifest of an adapter version: what it is, where it came from and how it was made.

A manifest is written into its version's folder last; a folder without one is not a version.
"""

import re
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from store.errors import TuteeError
from store.i18n import _
from store.records import now

BASE = "base"
"""Name of the model without any adapter."""

Kind = Literal["adapter", "reward"]
MANIFEST_FILE = "manifest.json"
INTERNAL = {"run", "groups"}
"""Fields that tell a user nothing."""

_CURVES = {"holdout_gains", "holdout_interval", "holdout_right", "kl", "losses", "rewards"}
_NUMBERS = {
    "disliked",
    "folds",
    "harmful",
    "holdout_accuracy",
    "holdout_groups",
    "holdout_independent",
    "holdout_margin",
    "holdout_pairs",
    "holdout_prompts",
    "holdout_reward",
    "holdout_thumbs",
    "left_out_too_long",
    "liked",
    "longer_wins",
    "padding",
    "planned_steps",
    "seconds",
    "shorter_wins",
    "steps",
    "taught_asked",
    "taught_learned",
    "tokens",
    "trained_tokens",
    "wall_seconds",
}
_TABLES = {"stage_counts", "stage_seconds"}
"""Metrics that are lists of numbers, single numbers, and numbers by name."""
_VERSION_NAME = re.compile(rf"{BASE}|[vr]\d+")


class Manifest(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    version: str
    kind: Kind
    model: str
    """Id of the base model."""
    revision: str
    """Revision of the base model; the version is refused on any other."""
    template: str = ""
    """SHA-256 of the chat template it was trained with; empty in old manifests."""
    parent: str = BASE
    """The version that training started from."""
    run: str = ""
    """Id of the run that made it; empty in old manifests and where it was added from elsewhere."""
    pass_name: str = "sft"
    created: datetime = Field(default_factory=now)
    records: tuple[str, ...] = ()
    """Ids of the records first learned by this version."""
    replayed: tuple[str, ...] = ()
    """Ids of earlier records repeated with them."""
    measured: tuple[str, ...] = ()
    """Ids of the pairs that a reward model was only evaluated on."""
    groups: tuple[str, ...] = ()
    """Keys (`data.training_split.group_keys`) of the conversations and prompts it was trained on,
    which no later version measures with; they outlive deleted records. Empty in old manifests."""
    data: str = ""
    """SHA-256 of the training data."""
    held_back: tuple[str, ...] = ()
    """Why it was not activated automatically; empty where it was."""
    settings: dict[str, Any] = Field(default_factory=dict)
    libraries: dict[str, str] = Field(default_factory=dict)
    metrics: dict[str, Any] = Field(default_factory=dict)

    @property
    def number(self) -> int:
        """The 3 of `v3`."""
        return int(self.version[1:])

    @property
    def left_out(self) -> int:
        """Number of its pass's records that it could not be trained on."""
        metrics = self.metrics
        return metrics.get("left_out_too_long", 0) + metrics.get("left_out_refused", 0)


def read_manifest(path: Path) -> Manifest:
    """Read the manifest file `path`.

    Raises:
        TuteeError: it cannot be read, or is not one that Tutee wrote.
    """
    try:
        manifest = Manifest.model_validate_json(path.read_bytes())
        _require_sound(manifest)
        return manifest
    except (OSError, ValueError) as error:
        raise TuteeError(
            _("The manifest {path} cannot be read.").format(path=path),
            _("Repair it, or move {folder} away to continue without this version.").format(
                folder=path.parent
            ),
        ) from error


def _require_sound(manifest: Manifest) -> None:
    """Check what others rely on without looking: the form of the name and of the metrics."""
    if not is_version_name(manifest.version) or manifest.version == BASE:
        raise ValueError(manifest.version)
    for name, value in manifest.metrics.items():
        kind = name.removesuffix("_before")
        if kind in _CURVES:
            numbers = [] if value is None else value
            sound = isinstance(numbers, list)
        elif kind in _TABLES:
            sound = isinstance(value, dict)
            numbers = value.values() if sound else []
        else:
            sound, numbers = True, [value] if kind in _NUMBERS else []
        if not sound or not all(n is None or isinstance(n, int | float) for n in numbers):
            raise ValueError(name)


def write_manifest(directory: Path, manifest: Manifest) -> None:
    """Write `manifest` into a new version's folder, as the last file to be written there."""
    text = manifest.model_dump_json(indent=2)
    (directory / MANIFEST_FILE).write_text(text + "\n", encoding="utf-8")


def is_version_name(name: str) -> bool:
    """Whether `name` has the form of a version's own name, or is the base's."""
    return _VERSION_NAME.fullmatch(name) is not None
