"""The gate lets pass what did not get worse, and says why where something did."""

import pytest

from core.evaluation.gate import reasons_to_hold_back
from core.training.exam import Answer, Figures


def figures_in(language: str, ended: bool) -> tuple[Answer, ...]:
    return tuple(Answer(prompt="?", reply="!", ended=ended, language=language) for _ in range(5))


def test_endings_count_in_the_languages_that_are_taught() -> None:
    before = Figures(probes=figures_in("en", True) + figures_in("zh", True))
    after = Figures(probes=figures_in("en", True) + figures_in("zh", False))
    assert reasons_to_hold_back(before, after, ["en"]) == ()
    assert reasons_to_hold_back(before, after, ["zh"]) == (
        "only 0% of the probe replies end by themselves (100% before)",
    )
    for every_language in (["en", "zh"], ["ko"]):
        assert "only 50%" in reasons_to_hold_back(before, after, every_language)[0]


@pytest.mark.parametrize(
    ("losses", "held_back"),
    [
        ((0.1, 0.1, 2.1, 0.1), False),  # one of four was read the other way
        ((0.6, 0.7, 0.5, 0.6), True),  # all of them went the same way
        ((2.0,), False),  # one alone says nothing
    ],
)
def test_a_rise_of_few_held_out_replies_may_be_chance(
    losses: tuple[float, ...], held_back: bool
) -> None:
    before = (0.1,) * len(losses)
    reasons = reasons_to_hold_back(
        Figures(holdout_loss=0.1, holdout_losses=before),
        Figures(holdout_loss=sum(losses) / len(losses), holdout_losses=losses),
    )
    assert bool(reasons) == held_back


def figures(probe: float = 2.0, holdout: float | None = None, ended: int = 15) -> Figures:
    probes = tuple(Answer(prompt="?", reply="!", ended=n < ended) for n in range(15))
    return Figures(probes=probes, probe_loss=probe, holdout_loss=holdout)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (figures(), figures()),
        (figures(2.0), figures(2.039)),
        (figures(2.0), figures(1.0)),
        (figures(holdout=1.0), figures(holdout=0.5)),
        (figures(holdout=1.0), figures(holdout=1.0005)),
        (figures(), figures(holdout=9.0)),  # nothing to compare with
        (figures(ended=12), figures(ended=12)),  # the base did no better
        (figures(), figures(ended=14)),  # one alone may be chance
    ],
)
def test_what_did_not_get_worse_passes(before: Figures, after: Figures) -> None:
    assert reasons_to_hold_back(before, after) == ()


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        (figures(2.0), figures(2.05), "probe loss rose by 2.5%"),
        (figures(holdout=1.0), figures(holdout=1.2), "hold-out loss rose from 1.00 to 1.20"),
        (figures(), figures(ended=13), "only 87% of the probe replies end by themselves"),
        (figures(ended=12), figures(ended=10), "(80% before)"),
    ],
)
def test_what_got_worse_is_held_back_with_the_reason(
    before: Figures, after: Figures, reason: str
) -> None:
    (said,) = reasons_to_hold_back(before, after)
    assert reason in said


def test_all_reasons_are_given() -> None:
    assert len(reasons_to_hold_back(figures(2.0, 1.0), figures(3.0, 2.0, ended=3))) == 3
