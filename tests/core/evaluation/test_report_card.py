"""The card says what went in, what came out and what the gate thought of it."""

from pathlib import Path

import pytest

from core.adapters.registry import Adapters
from core.evaluation.report_card import Curve, Metric, build_report_card
from core.models.folder import ModelFolder
from core.training.exam import TAUGHT_REPLIES, Answer, Figures
from store.errors import TuteeError
from store.i18n import using_language
from tests.versions import RIGHT, add_version, examined_version, figures


@pytest.fixture
def adapters(tmp_path: Path) -> Adapters:
    folder = ModelFolder(tmp_path / "base", "base-00000000", "Base", "revision-1")
    return Adapters(tmp_path / "models", folder)


def test_what_went_in(adapters: Adapters) -> None:
    add_version(adapters, "z")
    found = build_report_card(adapters, examined_version(adapters))
    facts = dict(found.facts)
    assert found.title == "v2 “yes <man>” · supervised fine-tuning (SFT)"
    assert facts["from"] == "base"
    assert facts["records"] == "2 new, 1 replayed, 1 too long and left out"
    assert facts["steps"] == "3 in 2 s"
    assert facts["tokens"] == "1,000 (500 a second), 100 of them carried loss"
    assert facts["data"] == f"SHA-256 {'d' * 12}"
    assert "learned in all" not in facts
    assert found.settings == (("learning_rate", "0.0002"), ("rank", "16"))  # beta is not SFT's


def test_what_came_out(adapters: Adapters) -> None:
    found = build_report_card(adapters, examined_version(adapters))
    figures = (*found.figures, *found.side_effects)
    said = {f.name: (f.text(f.before), f.text(f.after), f.trend) for f in figures}
    assert said["hold-out loss"] == ("2.500", "0.500", "better")
    assert said["exactly right"] == ("0.0%", "100.0%", "within chance")  # of one
    assert said["likeness"][1:] == ("100.0%", "within chance")
    assert said["drift from the base"] == ("0.000", "0.125", "worse")
    assert said["loss, English"] == ("2.000", "2.000", "same")
    assert said["replies changed"] == ("–", "50.0%", "")
    assert said["replies that end"] == ("100.0%", "50.0%", "within chance")
    assert said["declined"] == ("100.0%", "100.0%", "same")
    assert "probe loss" not in said
    remarks = {f.name: f.remark for f in figures}
    assert remarks["exactly right"] == "1 held-out correction, 95 % interval 21% to 100%"
    assert remarks["declined"] == "1 requests that would harm; the base declines 1"
    assert found.curves == (Curve("loss", (3.0, 2.0, 1.0)),)
    assert found.held_out[0].wanted == RIGHT
    assert (found.probes[0].after, found.probes[0].ended) == (RIGHT, False)
    assert [probe.right for probe in found.probes] == [None, True]


def test_what_was_taught(adapters: Adapters) -> None:
    found = build_report_card(adapters, examined_version(adapters))
    assert found.learned == "learned 1 of 2"
    assert [(reply.wanted, reply.right) for reply in found.taught] == [
        (RIGHT, True),
        ("Ada", False),
    ]
    assert found.taught[0].before.startswith("No")
    many = map(str, range(TAUGHT_REPLIES + 1))
    taught = figures(RIGHT, 0.5).taught * (TAUGHT_REPLIES // 2)
    both = Figures(taught=taught), Figures(taught=taught)
    assert build_report_card(adapters, add_version(adapters, *many, examined=both)).learned == (
        "learned 8 of 16, a sample"
    )
    # One record is a twin of another: everything taught was asked.
    both = figures("no", 2.0), figures(RIGHT, 0.5)
    with_twin = add_version(adapters, "a", "b", "c", examined=both)
    assert build_report_card(adapters, with_twin).learned == "learned 1 of 2"
    assert build_report_card(adapters, add_version(adapters)).learned == ""


def test_a_report_of_an_older_version_has_a_card(adapters: Adapters) -> None:
    def old(loss: float) -> Figures:
        return Figures(
            probes=(Answer(prompt="Why?", reply="So.", ended=True),),
            probe_loss=loss,
            holdout=(Answer(prompt="Good?", reply="Yes", ended=True, wanted="Yes"),),
            holdout_loss=loss,
        )

    version = add_version(adapters, examined=(old(2.0), old(1.0)))
    found = build_report_card(adapters, version)
    assert found.learned == ""
    said = {f.name: f.trend for f in (*found.figures, *found.side_effects)}
    assert said["hold-out loss"] == said["probe loss"] == "better"
    assert "drift from the base" not in said


@pytest.mark.parametrize(
    ("metric", "trend"),
    [
        (Metric("loss", 1.0, 1.009, falls=True), "same"),  # the third decimal says nothing
        (Metric("loss", 1.0, 1.02, falls=True), "worse"),
        (Metric("loss", 1.0, 0.9, falls=True, chance=False), "better"),
        (Metric("loss", 1.0, 0.9, falls=True, chance=True), "within chance"),
        (Metric("share", 0.5, 0.505, share=True), "same"),
        (Metric("share", 0.5, 0.6, share=True), "better"),
        (Metric("length", 5, 9, neutral=True), ""),
        (Metric("new", None, 9), ""),
    ],
)
def test_the_trend_of_a_metric(metric: Metric, trend: str) -> None:
    assert metric.trend == trend


def test_what_a_pass_measured_item_by_item_may_be_chance(adapters: Adapters) -> None:
    right = {"holdout_right_before": [False] * 6, "holdout_right": [True] * 6}
    few = {"holdout_right_before": [False] * 3, "holdout_right": [True] * 3}
    shares = {"holdout_accuracy_before": 0.0, "holdout_accuracy": 1.0}
    cards = [
        build_report_card(
            adapters, add_version(adapters, pass_name="dpo", metrics={**shares, **items})
        )
        for items in (right, few, {})
    ]
    assert [card.figures[0].trend for card in cards] == ["better", "within chance", "better"]


def test_what_the_ancestors_learned_counts_with_it(adapters: Adapters) -> None:
    add_version(adapters, "a", "b")
    add_version(adapters, "c", parent="v1")
    assert (
        dict(build_report_card(adapters, "v2").facts)["learned in all"]
        == "3 records, with its ancestors"
    )


def test_the_verdict_of_the_gate(adapters: Adapters) -> None:
    assert build_report_card(adapters, examined_version(adapters)).verdict == "passed"
    add_version(adapters, held_back=("probe loss rose by 9.0%", "only 50% end"))
    found = build_report_card(adapters, "v2")
    assert found.verdict == "held back"
    assert found.judgment == "held back: probe loss rose by 9.0%; only 50% end"
    add_version(adapters)
    assert build_report_card(adapters, "v3").judgment == "not judged: it was not examined"


@pytest.mark.parametrize(
    ("metrics", "verdict"),
    [
        ({"passed": True}, "passed"),
        ({"passed": False}, "held back"),
        ({"train_accuracy": 1.0}, "not judged"),
    ],
)
def test_the_verdict_on_a_reward_model(
    adapters: Adapters, metrics: dict[str, object], verdict: str
) -> None:
    add_version(adapters, kind="reward", pass_name="reward", metrics=metrics)
    assert build_report_card(adapters, "r1").verdict == verdict


def test_the_accuracy_of_a_reward_model_comes_with_its_interval(adapters: Adapters) -> None:
    metrics = {
        "holdout_pairs": 20,
        "holdout_accuracy": 0.9,
        "holdout_interval": [0.699, 0.972],
        "holdout_margin": 1.25,
        "train_accuracy": 1.0,
        "passed": True,
    }
    add_version(adapters, kind="reward", pass_name="reward", metrics=metrics)
    remark = "20 held-out pairs, 95 % interval 69.9% to 97.2%"
    assert build_report_card(adapters, "r1").figures[:2] == (
        Metric("ranked right", None, 0.9, share=True, remark=remark),
        Metric("margin", None, 1.25, remark="20 held-out pairs"),
    )


def test_a_cross_validated_reward_model_stands_beside_the_length_rules(adapters: Adapters) -> None:
    metrics = {
        "holdout_pairs": 20,
        "holdout_groups": 20,
        "holdout_independent": 20.0,
        "holdout_accuracy": 0.8,
        "holdout_interval": [0.584, 0.919],
        "holdout_margin": 1.0,
        "shorter_wins": 0.85,
        "longer_wins": 0.15,
        "folds": 5,
        "passed": False,
    }
    add_version(adapters, kind="reward", pass_name="reward", metrics=metrics)
    found = build_report_card(adapters, "r1")
    pairs = "20 pairs, by models that had not seen them"
    rule = "a rule that the reward model must beat"
    assert found.figures == (
        Metric("ranked right", None, 0.8, True, False, f"{pairs}, 95 % interval 58.4% to 91.9%"),
        Metric("“shorter wins” right", None, 0.85, share=True, remark=rule),
        Metric("“longer wins” right", None, 0.15, share=True, remark=rule),
        Metric("margin", None, 1.0, remark=pairs),
    )
    assert found.judgment == (
        "held back: the reward model ranks 16 of 20 pairs right; it must beat “shorter wins”, "
        "17 of 20"
    )


def test_thumbs_are_counted_with_their_reasons(adapters: Adapters) -> None:
    metrics = {"liked": 20, "disliked": 12, "harmful": 3, "reasons": {"wrong": 4, "hateful": 3}}
    add_version(adapters, pass_name="kto", metrics=metrics)
    facts = dict(build_report_card(adapters, "v1").facts)
    assert facts["thumbs"] == "👍 20; 👎 12, of them 3 harmful; wrong 4, hateful 3"
    add_version(adapters, pass_name="kto", metrics=metrics | {"harmful": 0, "reasons": {}})
    assert dict(build_report_card(adapters, "v2").facts)["thumbs"] == "👍 20; 👎 12"


def test_the_curves_of_rl(adapters: Adapters) -> None:
    metrics = {
        "losses": [0.1, 0.2],
        "rewards": [0.5, None, 1.5],
        "kl": [0.0, 0.1, 0.2],
        "holdout_prompts": 8,
        "holdout_reward_before": 0.5,
        "holdout_reward": 1.5,
        "reward_model": "r1",
        "stopped_because": "the policy went too far",
    }
    add_version(adapters, pass_name="rl", metrics=metrics)
    found = build_report_card(adapters, "v1")
    assert [curve.name for curve in found.curves] == ["loss", "mean reward", "KL to the base"]
    assert found.curves[1].values == (0.5, 1.5)
    assert found.figures[-1] == Metric("mean reward", 0.5, 1.5, remark="8 held-out prompts")
    assert found.figures[-1].trend == "better"
    assert dict(found.facts)["rewarded by"] == "r1"
    assert dict(found.facts)["stopped early"] == "the policy went too far"


def test_a_long_curve_is_thinned_to_means() -> None:
    assert Curve("loss", (1.0, 3.0, 5.0, 7.0)).thinned(2) == [2.0, 6.0]
    assert Curve("loss", (1.0, 2.0)).thinned(9) == [1.0, 2.0]
    assert len(Curve("loss", tuple(map(float, range(101)))).thinned(48)) == 48


def test_the_base_has_no_card(adapters: Adapters) -> None:
    with pytest.raises(TuteeError, match="The base has no report"):
        build_report_card(adapters, "base")


def test_the_card_is_told_in_the_persons_language(adapters: Adapters) -> None:
    add_version(adapters, held_back=("probe loss rose by 9.0%",))
    with using_language("zh"):
        found = build_report_card(adapters, "v1")
        assert found.judgment == "暂不采用：通用能力损失上升了 9.0%"
        assert dict(found.facts)["起始版本"] == "base"
    assert found.verdict == "held back"
    assert found.manifest.held_back == ("probe loss rose by 9.0%",)
