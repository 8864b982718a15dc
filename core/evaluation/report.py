"""What changed from the version before: the figures of both, kept beside the version.

Left out on purpose: any single number for "better". The person reads the replies side by side.
"""

from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.training.exam import Figures
from store.errors import TuteeError
from store.i18n import _
from store.storage import replace_file

FILE = "report.json"
_BASE_FILE = "base.json"
"""What the base itself answered, beside the versions."""


class Report(BaseModel):
    """What changed from the version before."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    version: str
    parent: str
    pass_name: str
    before: Figures
    after: Figures
    languages: tuple[str, ...] = ()
    """Those the person taught in, by which the endings of replies are judged."""
    held_back: tuple[str, ...] = ()
    """Why it is not adopted by itself; empty where it may be."""
    metrics: dict[str, Any] = Field(default_factory=dict)
    """Of the pass itself, such as the margin of held-out pairs."""


def write(directory: Path, report: Report) -> None:
    """Put `report` beside the version it is of."""
    replace_file(directory / FILE, report.model_dump_json(indent=2).encode("utf-8") + b"\n")


def read(directory: Path) -> Report:
    """The report of the version in `directory`.

    Raises:
        TuteeError: it has none, or it cannot be read.
    """
    path = directory / FILE
    try:
        return Report.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise TuteeError(
            _("Version {version} has no report.").format(version=directory.name),
            _("Adapters are examined when they are trained; this one was not."),
        ) from None
    except (OSError, ValidationError) as error:
        raise TuteeError(_("The report {path} cannot be read.").format(path=path)) from error


def known(directory: Path) -> Figures | None:
    """What the version in `directory` answered when it was made, or the base beside the versions.

    It only saves asking again, so what cannot be read is asked again.
    """
    with suppress(OSError, ValidationError):
        return Figures.model_validate_json((directory / _BASE_FILE).read_bytes())
    with suppress(TuteeError):
        return read(directory).after
    return None


def remember_base(directory: Path, figures: Figures) -> None:
    """Keep what the base answered in the folder of its versions."""
    replace_file(directory / _BASE_FILE, figures.model_dump_json().encode("utf-8"))
