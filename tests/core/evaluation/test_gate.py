"""The gate lets pass what did not get worse, and says why where something did."""

from typing import Any

import pytest

from core.evaluation.gate import DRIFT_LIMIT, DRIFT_RISE, reasons_to_hold_back
from core.evaluation.report import Report
from core.events import PassName
from core.training.exam import Answer, Figures, TextFigure

PROBES = 15
OTHER = tuple("a" * n for n in range(60, 60 + PROBES))
"""Replies of about 70 characters, all different."""


def examined(
    before: Figures,
    after: Figures,
    *,
    base: Figures | None = None,
    name: PassName = "sft",
    **metrics: Any,
) -> Report:
    return Report(
        version="v2",
        parent="v1",
        pass_name=name,
        before=before,
        after=after,
        base=base,
        languages=("en",),
        metrics=metrics,
    )


def figures(
    drift: float = 0.0,
    ended: int = PROBES,
    replies: tuple[str, ...] | None = None,
    losses: tuple[float, ...] = (),
    length: int = 50,
) -> Figures:
    """Figures of a version; each probe has another reply unless `replies` says otherwise."""
    said = replies or tuple(f"{n:0{length}}" for n in range(PROBES))
    return Figures(
        probes=tuple(
            Answer(prompt="?", reply=reply, ended=n < ended, language="en")
            for n, reply in enumerate(said)
        ),
        drifts=tuple(TextFigure(id=str(n), language="en", nats=drift) for n in range(4)),
        holdout_losses=losses,
    )


def test_endings_count_in_the_languages_that_are_taught() -> None:
    def in_language(language: str, ended: bool) -> tuple[Answer, ...]:
        return tuple(
            Answer(prompt="?", reply=f"{n}", ended=ended, language=language) for n in range(5)
        )

    report = examined(
        Figures(probes=in_language("en", True) + in_language("zh", True)),
        Figures(probes=in_language("en", True) + in_language("zh", False)),
    )
    assert reasons_to_hold_back(report) == ()
    taught = report.model_copy(update={"languages": ("zh",)})
    assert reasons_to_hold_back(taught) == (
        "only 0% of the probe replies end by themselves (100% before)",
    )


@pytest.mark.parametrize(
    ("losses", "held_back"),
    [
        ((0.1, 0.1, 2.1, 0.1), False),  # one of four was read the other way
        ((0.6, 0.7, 0.5, 0.6), True),  # all of them went the same way
        ((0.15, 0.6, 0.9), False),  # chance once in ten: the normal quantile would hold it back
        ((2.0,), False),  # one alone says nothing
        ((0.1005, 0.1004, 0.1006), False),  # rounding
    ],
)
def test_a_rise_of_few_held_out_replies_may_be_chance(
    losses: tuple[float, ...], held_back: bool
) -> None:
    before = figures(losses=(0.1,) * len(losses))
    assert bool(reasons_to_hold_back(examined(before, figures(losses=losses)))) == held_back


@pytest.mark.parametrize("name", ["dpo", "kto", "rl"])
def test_passes_that_trade_likelihood_are_not_judged_by_it(name: PassName) -> None:
    before, after = figures(losses=(0.1,) * 4), figures(losses=(0.6, 0.7, 0.5, 0.6))
    assert reasons_to_hold_back(examined(before, after, name=name)) == ()


@pytest.mark.parametrize(
    "report",
    [
        examined(figures(), figures()),
        examined(figures(), figures(DRIFT_RISE)),
        examined(figures(DRIFT_LIMIT - 0.01), figures(DRIFT_LIMIT)),
        examined(Figures(), figures(ended=0)),  # nothing to compare with
        examined(figures(ended=12), figures(ended=12)),  # the base did no better
        examined(figures(), figures(ended=14)),  # one alone may be chance
        examined(figures(length=50), figures(length=26)),
        examined(figures(), figures(replies=("yes",) * 4 + OTHER[4:])),
        examined(Figures(probe_loss=2.0), Figures(probe_loss=9.0)),  # texts by people: only shown
    ],
)
def test_what_did_not_get_worse_passes(report: Report) -> None:
    assert reasons_to_hold_back(report) == ()


@pytest.mark.parametrize(
    ("report", "reason"),
    [
        (examined(figures(), figures(0.3)), "replies drifted 0.30 nats a token from the base"),
        (examined(figures(), figures(0.1)), "drifted 0.10 nats a token further"),
        (
            examined(figures(losses=(1.0, 1.0, 1.0)), figures(losses=(1.2, 1.3, 1.1))),
            "hold-out loss rose from 1.00 to 1.20",
        ),
        (examined(figures(), figures(ended=13)), "only 87% of the probe replies end"),
        (examined(figures(ended=12), figures(ended=10)), "(80% before)"),
        (
            examined(figures(length=50), figures(length=9)),
            "probe replies went from 50 to 9 characters on average",
        ),
        (examined(figures(length=50), figures(length=151)), "from 50 to 151 characters"),
        (
            examined(figures(), figures(replies=("negative",) * 5 + OTHER[5:])),
            "33% of the probes got the same reply, “negative”",
        ),
    ],
)
def test_what_got_worse_is_held_back_with_the_reason(report: Report, reason: str) -> None:
    (said,) = reasons_to_hold_back(report)
    assert reason in said


def test_small_losses_do_not_add_up_over_many_versions() -> None:
    parent, after, base = figures(ended=13), figures(ended=12), figures()
    assert reasons_to_hold_back(examined(parent, after)) == ()
    assert "100% before" in reasons_to_hold_back(examined(parent, after, base=base))[0]
    long, short, shorter = figures(length=60), figures(length=30), figures(length=11)
    assert reasons_to_hold_back(examined(short, shorter)) == ()
    assert "from 60 to 11" in reasons_to_hold_back(examined(short, shorter, base=long))[0]


def test_a_reason_is_given_once() -> None:
    assert len(reasons_to_hold_back(examined(figures(), figures(ended=3), base=figures()))) == 1


@pytest.mark.parametrize(
    ("key", "before", "after", "reason"),
    [
        ("right", [True] * 9, [True] * 4 + [False] * 5, "ranked right fell from 100% to 44%"),
        ("right", [True] * 9, [True] * 5 + [False] * 4, ""),
        ("gains", [2.0, 1.0, 1.5], [1.0, 0.2, 0.4], "lost 0.97 nats against disliked ones"),
        ("gains", [2.0, 1.0, 1.5], [2.5, 0.2, 1.4], ""),
        ("rewards", [2.0, 1.0, 1.5], [1.0, 0.2, 0.4], "fell from 1.50 to 0.53"),
        ("rewards", [2.0, 1.0, None], [1.0, None, 0.4], ""),  # one pair is left
    ],
)
def test_the_aim_of_a_pass_may_not_fall(
    key: str, before: list[Any], after: list[Any], reason: str
) -> None:
    metrics: dict[str, Any] = {f"holdout_{key}_before": before, f"holdout_{key}": after}
    said = reasons_to_hold_back(examined(figures(), figures(), name="dpo", **metrics))
    assert [reason in one for one in said] == [True] * bool(reason)


def test_requests_to_decline_may_get_the_same_reply() -> None:
    def decline(found: Figures) -> Figures:
        refusal = Answer(prompt="?", reply="no", ended=True, language="en", declines=True)
        return found.model_copy(update={"probes": (*found.probes[:9], *(refusal,) * 6)})

    assert reasons_to_hold_back(examined(decline(figures()), decline(figures()))) == ()


def test_a_version_that_learned_nothing_is_not_held_back() -> None:
    taught = (Answer(prompt="?", reply="no", ended=True, wanted="yes"),) * 8
    after = figures().model_copy(update={"taught": taught})
    assert reasons_to_hold_back(examined(figures(), after)) == ()


def test_all_reasons_are_given() -> None:
    before, after = figures(losses=(1.0, 1.0)), figures(0.5, 3, losses=(2.0, 2.1))
    assert len(reasons_to_hold_back(examined(before, after))) == 3
