"""What a model's id means: `builtin`, `hf:org/name`, `modelscope:org/name`, a folder or a file.

A revision of the hub's repository may follow, as in `hf:org/name@v1.0`.
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
"""The variable that holds a person's access token."""
NOT_FOUND = N_(
    "Check its name for typing mistakes. If it is private, set {variable} to an access token of"
    " yours."
)
"""What to do where a hub says that it has no such model."""

_PART = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_REPOSITORY = re.compile(rf"({_PART})/({_PART})(?:@({_PART}(?:/{_PART})*))?")


@dataclass(frozen=True)
class HubModel:
    """A model's repository on a hub."""

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
        """The id a person would write."""
        return f"{self.hub}:{self.repository}" + (f"@{self.revision}" if self.revision else "")


def hub_model(spec: str) -> HubModel | None:
    """The repository that `spec` names; None where it names something on this machine.

    Raises:
        TuteeError: it names a hub, but no repository of it.
    """
    prefix, colon, rest = spec.strip().partition(":")
    hub = next((hub for hub in HUBS if prefix.lower() == hub), None)
    if not colon or hub is None:
        return None
    match = _REPOSITORY.fullmatch(rest.strip().strip("/"))
    if match is None:
        raise TuteeError(
            _("“{spec}” names no model on {hub}.").format(spec=spec, hub=TITLES[hub]),
            _("Write it as `{hub}:owner/name`, as in the address of its page.").format(hub=hub),
        )
    owner, name, revision = match.groups()
    return HubModel(hub, owner, name, revision or "")


def is_gguf(spec: str) -> bool:
    """Whether `spec` is the path of a GGUF file, by its name."""
    return spec.strip().lower().endswith(".gguf")


def no_such_folder(spec: str, path: Path) -> TuteeError:
    """What to tell where `spec` names nothing: with the hubs, if it looks like a name on one."""
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
