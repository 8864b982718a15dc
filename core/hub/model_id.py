"""Parse model ids: `builtin`, `hf:org/name`, `modelscope:org/name`, a folder or a file.

A hub id may end in a revision, as in `hf:org/name@v1.0`.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from core.config import BUILTIN
from store.errors import TuteeError
from store.i18n import N_, _

Hub = Literal["hf", "modelscope"]
HUBS: tuple[Hub, ...] = get_args(Hub)
TITLES: dict[Hub, str] = {"hf": "Hugging Face", "modelscope": "ModelScope"}
TOKENS: dict[Hub, str] = {"hf": "HF_TOKEN", "modelscope": "MODELSCOPE_API_TOKEN"}
"""Environment variables with the user's access tokens."""
NOT_FOUND = N_(
    "Check the spelling of its name. If it is private, set {variable} to your access token."
)
"""Hint for a model that the hub does not know."""

_PART = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_REPOSITORY = re.compile(rf"({_PART})/({_PART})(?:@({_PART}(?:/{_PART})*))?")


@dataclass(frozen=True)
class HubModel:
    hub: Hub
    owner: str
    name: str
    revision: str = ""
    """A branch, tag or commit; empty for the hub's default."""

    @property
    def repository(self) -> str:
        return f"{self.owner}/{self.name}"

    @property
    def spec(self) -> str:
        """The id as the user writes it."""
        return f"{self.hub}:{self.repository}" + (f"@{self.revision}" if self.revision else "")


def hub_model(spec: str) -> HubModel | None:
    """Parse `spec` as a hub id; return None if it does not name a hub.

    Raises:
        TuteeError: it names a hub but no valid repository.
    """
    prefix, colon, rest = spec.strip().partition(":")
    hub = next((hub for hub in HUBS if prefix.lower() == hub), None)
    if not colon or hub is None:
        return None
    match = _REPOSITORY.fullmatch(rest.strip().strip("/"))
    if match is None:
        title = _("“{spec}” names no model on {hub}.").format(spec=spec, hub=TITLES[hub])
        hint = _("Write it as `{hub}:owner/name`, as in the address of its page.").format(hub=hub)
        raise TuteeError(title, hint)
    owner, name, revision = match.groups()
    return HubModel(hub, owner, name, revision or "")


def is_gguf(spec: str) -> bool:
    """Return whether `spec` looks like the path of a GGUF file."""
    return spec.strip().lower().endswith(".gguf")


def no_such_folder(spec: str, path: Path) -> TuteeError:
    """Return the error for a missing folder, with the hubs as a hint for `owner/name`."""
    if _REPOSITORY.fullmatch(spec):
        hint = _("If it is a model on a hub, write `hf:{spec}` or `modelscope:{spec}`.").format(
            spec=spec
        )
    else:
        hint = _(
            "Give the path of a folder or a GGUF file, `hf:owner/name`, "
            "`modelscope:owner/name`, or `{builtin}`."
        ).format(builtin=BUILTIN)
    return TuteeError(_("There is no model folder at {path}.").format(path=path), hint)
