"""A report comes back as it was written; a missing or broken one is an error."""

from pathlib import Path

import pytest

from core.evaluation import report
from core.evaluation.report import Report
from core.training.exam import Answer, Figures
from store.errors import TuteeError

FIGURES = Figures(probes=(Answer(prompt="?", reply="!", ended=True),), probe_loss=2.0)


def test_a_report_comes_back_as_it_was_written(tmp_path: Path) -> None:
    kept = Report(
        version="v2",
        parent="v1",
        pass_name="sft",
        before=FIGURES,
        after=FIGURES.model_copy(update={"probe_loss": 2.5}),
        held_back=("probe loss rose by 25.0%",),
        metrics={"steps": 3},
    )
    report.write(tmp_path, kept)
    assert report.read(tmp_path) == kept
    assert report.earlier_figures(tmp_path) == kept.after
    assert (tmp_path / report.FILE).stat().st_mode & 0o777 == 0o600


def test_no_report_is_an_error_that_names_the_version(tmp_path: Path) -> None:
    (tmp_path / "v7").mkdir()
    with pytest.raises(TuteeError, match="v7 has no report"):
        report.read(tmp_path / "v7")
    assert report.earlier_figures(tmp_path / "v7") is None


def test_a_broken_report_is_an_error_and_is_not_known(tmp_path: Path) -> None:
    (tmp_path / report.FILE).write_text("{", encoding="utf-8")
    with pytest.raises(TuteeError, match="cannot be read"):
        report.read(tmp_path)
    assert report.earlier_figures(tmp_path) is None


def test_what_the_base_answered_is_kept_beside_the_versions(tmp_path: Path) -> None:
    report.write_base_figures(tmp_path, FIGURES)
    assert report.earlier_figures(tmp_path) == FIGURES
