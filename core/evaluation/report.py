"""The exam figures of a version and of its parent, in `report.json` beside the version.

Left out on purpose: any single number for "better". The user compares the replies side by side.
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
"""The figures of the base itself, beside the versions."""


class Report(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    version: str
    parent: str
    pass_name: str
    before: Figures
    after: Figures
    base: Figures | None = None
    """What the base answers to the probes; None in older reports."""
    languages: tuple[str, ...] = ()
    """The languages the user teaches in; only these are judged."""
    held_back: tuple[str, ...] = ()
    """Why it was not activated automatically; empty if it may be."""
    metrics: dict[str, Any] = Field(default_factory=dict)
    """Of the pass itself, such as the margin on held-out pairs."""


def write(directory: Path, report: Report) -> None:
    replace_file(directory / FILE, report.model_dump_json(indent=2).encode("utf-8") + b"\n")


def read(directory: Path) -> Report:
    """Return the report of the version in `directory`.

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


def figures_of(directory: Path) -> Figures | None:
    """Return the figures that the version in `directory` was found to have.

    They only save questions, so None is returned if they are missing or cannot be read.
    """
    with suppress(TuteeError):
        return read(directory).after
    return None


def base_figures(directory: Path) -> Figures | None:
    """Return the figures of the base that are kept in `directory`, the folder of all versions.

    They only save questions, so None is returned if they are missing or cannot be read.
    """
    with suppress(OSError, ValidationError):
        return Figures.model_validate_json((directory / _BASE_FILE).read_bytes())
    return None


def write_base_figures(directory: Path, figures: Figures) -> None:
    """Add figures of the base to those kept in `directory`, the folder of all versions."""
    whole = figures.with_items_of(base_figures(directory) or Figures())
    # The replies before a training may be the ones that the user corrected, not the base's own.
    kept = whole.model_copy(update={"taught": ()})
    replace_file(directory / _BASE_FILE, kept.model_dump_json().encode("utf-8"))
