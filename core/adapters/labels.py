"""What a person says about versions: a label to call one by, and a note.

They are kept in one file beside the versions, which never change themselves.
"""

import json
import re
from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from store.errors import TuteeError
from store.i18n import _
from store.storage import replace_file

LABEL_LENGTH = 40

_VERSION = re.compile(r"base|[vr]\d+")


class Remark(BaseModel):
    """What was said about one version."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    label: str = ""
    note: str = ""


_REMARKS = TypeAdapter(dict[str, Remark])


def is_version(name: str) -> bool:
    """Whether `name` has the form of a version's own name, so that it is no label."""
    return _VERSION.fullmatch(name) is not None


def checked_label(name: str) -> str:
    """`name` as a label: one short line that can be typed on a command line.

    Raises:
        TuteeError: it could be taken for a version or an option, or is too long.
    """
    label = " ".join(name.split())
    if is_version(label.lower()):
        raise TuteeError(
            _("“{label}” is how versions themselves are named.").format(label=label),
            _("Choose another word."),
        )
    if label.startswith("-") or not label.isprintable():
        raise TuteeError(
            _("A label cannot begin with a dash or hold control characters."),
            _("Choose another word."),
        )
    if len(label) > LABEL_LENGTH:
        raise TuteeError(
            _("A label has at most {most} characters, and this one {count}.").format(
                most=LABEL_LENGTH, count=len(label)
            ),
            _("What is longer can be a note."),
        )
    return label


def read(path: Path) -> dict[str, Remark]:
    """The remarks in `path`, by version.

    Raises:
        TuteeError: the file cannot be read.
    """
    try:
        return _REMARKS.validate_json(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValidationError) as error:
        raise TuteeError(
            _("The labels in {path} cannot be read.").format(path=path),
            _("Mend that file, or delete it: the versions themselves do not need it."),
        ) from error


def write(path: Path, remarks: dict[str, Remark]) -> None:
    """Keep `remarks`, without those that say nothing."""
    said = {
        version: remark.model_dump() for version, remark in remarks.items() if remark != Remark()
    }
    replace_file(path, json.dumps(said, ensure_ascii=False, indent=2).encode("utf-8") + b"\n")
