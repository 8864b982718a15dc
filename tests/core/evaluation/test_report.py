"""A report comes back as it was written; a missing or broken one is an error."""

import json
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
    assert report.figures_of(tmp_path) == kept.after
    assert (tmp_path / report.FILE).stat().st_mode & 0o777 == 0o600


def test_no_report_is_an_error_that_names_the_version(tmp_path: Path) -> None:
    (tmp_path / "v7").mkdir()
    with pytest.raises(TuteeError, match="v7 has no report"):
        report.read(tmp_path / "v7")
    assert report.figures_of(tmp_path / "v7") is None


def test_a_broken_report_is_an_error_and_is_not_known(tmp_path: Path) -> None:
    (tmp_path / report.FILE).write_text("{", encoding="utf-8")
    with pytest.raises(TuteeError, match="cannot be read"):
        report.read(tmp_path)
    assert report.figures_of(tmp_path) is None


def test_what_the_base_answered_is_kept_beside_the_versions(tmp_path: Path) -> None:
    assert report.base_figures(tmp_path) is None

    def probes(*prompts: str) -> Figures:
        return Figures(
            probes=tuple(Answer(id=p, prompt=p, reply="!", ended=True) for p in prompts),
        )

    report.write_base_figures(tmp_path, probes("english"))
    report.write_base_figures(tmp_path, probes("chinese"))
    kept = report.base_figures(tmp_path)
    assert kept is not None
    assert {answer.prompt for answer in kept.probes} == {"english", "chinese"}


def test_a_report_of_an_older_version_is_read(tmp_path: Path) -> None:
    figures = {"exam": "f" * 64, "probes": [{"prompt": "?", "reply": "!", "ended": True}]}
    old = {"version": "v1", "parent": "base", "pass_name": "sft"}
    text = json.dumps({**old, "before": figures, "after": {**figures, "probe_loss": 2.0}})
    (tmp_path / report.FILE).write_text(text, encoding="utf-8")
    found = report.read(tmp_path)
    assert found.after.probe_loss == 2.0
    assert (found.base, found.after.taught, found.after.drift) == (None, (), None)


@pytest.mark.parametrize("of_base", [True, False])
def test_answers_are_added_to_those_that_are_known(tmp_path: Path, of_base: bool) -> None:
    write = report.write_base_figures if of_base else report.write_figures
    read = report.base_figures if of_base else report.figures_of
    assert read(tmp_path) is None

    def figures(key: str, **replies: str) -> Figures:
        answers = (Answer(id=i, prompt=i, reply=r, ended=True) for i, r in replies.items())
        return Figures(probes=tuple(answers), key=key)

    write(tmp_path, figures("k", a="1"))
    write(tmp_path, figures("k", b="2"))
    known = read(tmp_path)
    assert known is not None
    assert {answer.id: answer.reply for answer in known.probes} == {"a": "1", "b": "2"}
    write(tmp_path, figures("other", a="3"))
    assert read(tmp_path) == figures("other", a="3"), "another base answers otherwise"
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in tmp_path.iterdir())


def test_what_a_version_answered_later_stands_beside_its_report(tmp_path: Path) -> None:
    after = FIGURES.model_copy(update={"key": "k"})
    report.write(
        tmp_path, Report(version="v2", parent="v1", pass_name="sft", before=after, after=after)
    )
    later = Figures(holdout=(Answer(id="h", prompt="?", reply="!", ended=True),), key="k")
    report.write_figures(tmp_path, later)
    found = report.figures_of(tmp_path)
    assert found is not None
    assert (len(found.probes), len(found.holdout)) == (1, 1)
    assert report.read(tmp_path).after == after, "a version never changes"
