"""What a version is: the manifest that lies in its folder, and makes the folder a version."""

from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from store.errors import TuteeError
from store.i18n import _
from store.records import now

BASE = "base"
"""The name of the model without any adapter."""

Kind = Literal["adapter", "reward"]
FILE = "manifest.json"
"""In the folder of its version; there only once the version is whole."""


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
    measured: tuple[str, ...] = ()
    """Ids of the pairs that a reward model was only measured with."""
    data: str = ""
    """SHA-256 of what it was trained on."""
    held_back: tuple[str, ...] = ()
    """Why it was not adopted by itself; empty where it was."""
    settings: dict[str, Any] = Field(default_factory=dict)
    libraries: dict[str, str] = Field(default_factory=dict)
    metrics: dict[str, Any] = Field(default_factory=dict)


def read(path: Path) -> Manifest:
    """The manifest in `path`.

    Raises:
        TuteeError: it cannot be read.
    """
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise TuteeError(
            _("The manifest {path} cannot be read.").format(path=path),
            _("Mend it, or move {folder} away to go on without it.").format(folder=path.parent),
        ) from error
