"""Labels and notes that the user gave to versions, in one file beside the immutable versions."""

import json
from collections.abc import Callable
from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from core.adapters.manifest import is_version_name
from store.errors import TuteeError
from store.i18n import _
from store.storage import replace_file

LABEL_LENGTH = 40


class Remark(BaseModel):
    """The label and the note of one version; both may be empty."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    label: str = ""
    note: str = ""


_REMARKS = TypeAdapter(dict[str, Remark])


class Labels:
    """The labels and notes of one base model's versions.

    Args:
        file: Need not exist yet.
        exists: Whether a version is still on the disk; remarks on others are ignored.
    """

    def __init__(self, file: Path, exists: Callable[[str], bool]) -> None:
        self._file = file
        self._exists = exists

    def read(self) -> dict[str, Remark]:
        """Return the remarks by version, without versions that have none.

        Raises:
            TuteeError: the file cannot be read.
        """
        try:
            remarks = _REMARKS.validate_json(self._file.read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, ValidationError) as error:
            raise TuteeError(
                _("The labels in {path} cannot be read.").format(path=self._file),
                _("Repair or delete that file; the versions do not depend on it."),
            ) from error
        return {version: remark for version, remark in remarks.items() if self._exists(version)}

    def of(self, version: str) -> Remark:
        return self.read().get(version, Remark())

    def set_label(self, version: str, name: str) -> None:
        """Label `version`; an empty `name` removes its label.

        Raises:
            TuteeError: another version has this label, or it is not a valid one.
        """
        label = _checked(name)
        for other, remark in self.read().items():
            if label and remark.label == label and other != version:
                raise TuteeError(
                    _("{version} already has the label “{label}”.").format(
                        version=other, label=label
                    ),
                    _("Choose another label, or relabel that version."),
                )
        self._write(version, self.of(version).model_copy(update={"label": label}))

    def set_note(self, version: str, text: str) -> None:
        """Keep `text` as the note on `version`; an empty text removes it."""
        self._write(version, self.of(version).model_copy(update={"note": text.strip()}))

    def remove(self, version: str) -> None:
        self._write(version, Remark())

    def _write(self, version: str, remark: Remark) -> None:
        remarks = {**self.read(), version: remark}
        kept = {name: found.model_dump() for name, found in remarks.items() if found != Remark()}
        text = json.dumps(kept, ensure_ascii=False, indent=2) + "\n"
        replace_file(self._file, text.encode("utf-8"))


def _checked(name: str) -> str:
    """Return `name` as a label: one short line that can be typed on a command line."""
    label = " ".join(name.split())
    if is_version_name(label.lower()):
        raise TuteeError(
            _("“{label}” is reserved for version names.").format(label=label),
            _("Choose another label."),
        )
    if label.startswith("-") or not label.isprintable():
        raise TuteeError(
            _("A label cannot begin with a dash or contain control characters."),
            _("Choose another label."),
        )
    if len(label) > LABEL_LENGTH:
        raise TuteeError(
            _("A label can have at most {most} characters; this one has {count}.").format(
                most=LABEL_LENGTH, count=len(label)
            ),
            _("Use a note for longer text."),
        )
    return label
