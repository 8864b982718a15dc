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
_EXAM_FILE = "exam.json"
"""What a version answered beyond its report: to questions that came later."""


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
    later, after = _figures(directory / _EXAM_FILE), None
    with suppress(TuteeError):
        after = read(directory).after
    if later is None or after is None:
        return later or after
    return after.with_items_of(later) if later.key == after.key else later


def write_figures(directory: Path, figures: Figures) -> None:
    """Add to what the version in `directory` was found to answer."""
    known = figures_of(directory)
    if known is not None and known.key == figures.key:
        figures = figures.with_items_of(known)
    with suppress(OSError, TuteeError):  # then it is asked again next time
        replace_file(directory / _EXAM_FILE, figures.model_dump_json().encode("utf-8"))


def base_figures(directory: Path) -> Figures | None:
    """Return the figures of the base that are kept in `directory`, the folder of all versions.

    They only save questions, so None is returned if they are missing or cannot be read.
    """
    return _figures(directory / _BASE_FILE)


def write_base_figures(directory: Path, figures: Figures) -> None:
    """Add figures of the base to those kept in `directory`, the folder of all versions."""
    known = base_figures(directory)
    if known is not None and known.key == figures.key:
        figures = figures.with_items_of(known)
    with suppress(OSError, TuteeError):  # then it is asked again next time
        directory.mkdir(parents=True, exist_ok=True)
        replace_file(directory / _BASE_FILE, figures.model_dump_json().encode("utf-8"))


def _figures(path: Path) -> Figures | None:
    with suppress(OSError, ValidationError):
        return Figures.model_validate_json(path.read_bytes())
    return None
