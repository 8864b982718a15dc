"""Whether a version fits the base model as it is now: same revision, same chat template."""

from hashlib import sha256
from pathlib import Path
from typing import Any

from core.adapters.manifest import Manifest
from core.models.folder import ModelFolder, chat_template
from store.errors import TuteeError
from store.i18n import _


def require_fit(manifest: Manifest, base: ModelFolder, directory: Path) -> None:
    """Refuse a version that was trained on another base.

    Args:
        directory: The version's folder, which holds the template it was trained with.

    Raises:
        TuteeError: it was trained on another revision, or with another chat template.
    """
    if manifest.revision != base.revision:
        raise TuteeError(
            _("Adapter {version} was trained on another revision of {model}.").format(
                version=manifest.version, model=base.label
            ),
            _("Train a new one, or go back to the model it was trained on."),
        )
    template = chat_template(base)
    # Old manifests name no template, and the base may not be on this machine.
    if template and manifest.template and manifest.template != hash_template(template):
        raise TuteeError(
            _(
                "Adapter {version} was trained with a different chat template than the one "
                "{model} has now, so it would misread every prompt."
            ).format(version=manifest.version, model=base.label),
            _(
                "Restore the old template (it is in {folder}), or switch to the base "
                "(`tutee adapters use base`) and train a new version."
            ).format(folder=directory),
        )


def hash_template(template: str) -> str:
    return sha256(template.encode("utf-8")).hexdigest()


def tokenizer_template_hash(tokenizer: Any) -> str:
    """Return the SHA-256 of a tokenizer's (default) chat template."""
    template = tokenizer.chat_template
    if isinstance(template, dict):
        template = template.get("default")
    return hash_template(template or "")
