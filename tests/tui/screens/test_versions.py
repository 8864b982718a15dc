"""F5's list of versions: what each one is, and what can be done with it."""

import re
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Static

from core.adapters.manifest import Manifest, write_manifest
from tests.fakes import FOLDER, Home
from tests.tui.conftest import opened, painted, toasts, until
from tests.tui.screens.test_tuning import ready, rows, teach
from tui.app.tutee_app import TuteeApp
from tui.screens.report_card import ReportCardScreen
from tui.screens.trained_tokens import TrainedTokensScreen
from tui.screens.tuning import TuningScreen
from tui.widgets.versions import VersionList

WHY = ("probe loss rose by 7.0%", "only 80% of the probe replies end by themselves")


def made(home: Home, *, kind: str = "adapter", **fields: Any) -> str:
    """Another version on the disk."""
    with home.adapters.new_version(kind) as (version, directory):  # type: ignore[arg-type]
        common = {"version": version, "kind": kind, "model": FOLDER.id, "revision": "r0"}
        write_manifest(directory, Manifest(**{**common, **fields}))
    return version


def listed(app: TuteeApp) -> list[str]:
    versions = app.screen.query_one(VersionList)
    return [str(option.prompt) for option in versions.options]


def marked(app: TuteeApp) -> str:
    view = app.screen.query_one(VersionList).current
    return view.name if view else ""


def keys(app: TuteeApp) -> str:
    """What the list says about its keys."""
    return str(app.screen.query_one(VersionList).border_subtitle)


async def tuning(app: TuteeApp, pilot: Pilot[Any]) -> None:
    await ready(app, pilot)
    await pilot.press("f5")
    await until(pilot, lambda: isinstance(app.screen, TuningScreen) and listed(app))


async def run(home: Home, app: TuteeApp, pilot: Pilot[Any]) -> None:
    """Train whatever is ready, to the end."""
    await until(pilot, lambda: rows(app))
    await pilot.press("enter")
    home.tuning.step(40)
    await until(pilot, lambda: not home.tuning.running and "made v" in painted(app))


async def test_a_version_that_got_worse_says_why_and_can_be_used_all_the_same(home: Home) -> None:
    teach(home, 4)
    home.tuning.held_back = WHY
    async with opened(home, (100, 30)) as (app, pilot):
        await tuning(app, pilot)
        await run(home, app, pilot)
        figures = str(app.screen.query_one("#figures", Static).content)
        learned, made_v1, _ = figures.split("\n")
        assert learned == "1 of 2 now as you taught, not yet “Who [b]is[/b] it?”."
        assert made_v1 == "! Imitate (SFT) made v1, held back"
        assert "v1 got worse and is held back; its report says why." in toasts(app)
        assert "1 of 2 now as you taught, not yet" in toasts(app)
        assert home.adapters.active() == "base"
        assert marked(app) == "v1"
        assert f"held back: {WHY[0]}" in painted(app)
        assert WHY[1] in painted(app)
        assert keys(app) == "A activates · R report · L label · D deletes"
        await pilot.press("a")
        await until(pilot, lambda: "Now using v1." in toasts(app))
        assert home.adapters.active() == "v1"
        await until(pilot, lambda: "A activates" not in keys(app))


async def test_any_version_can_be_made_to_answer(home: Home) -> None:
    first, _ = made(home), made(home)
    home.adapters.use("v2")
    async with opened(home) as (app, pilot):
        await tuning(app, pilot)
        assert marked(app) == "v2"
        await pilot.press("down")
        assert marked(app) == first
        await pilot.press("a")
        await until(pilot, lambda: "Now using v1." in toasts(app))
        assert "● v1    active" in painted(app)
        await pilot.press("a")
        await until(pilot, lambda: "v1 cannot be activated" in toasts(app))


async def test_a_label_is_kept_and_can_be_taken_away(home: Home) -> None:
    made(home)
    async with opened(home) as (app, pilot):
        await tuning(app, pilot)
        await pilot.press("up", "l")
        assert "Label v1" in painted(app)
        app.screen.query_one(Input).value = "polite"
        await pilot.press("enter")
        await until(pilot, lambda: "polite" in listed(app)[0])
        assert home.adapters.resolve("polite") == "v1"
        assert marked(app) == "v1"
        await pilot.press("l", "escape")
        assert home.adapters.remark("v1").label == "polite"
        await pilot.press("l")
        app.screen.query_one(Input).value = "v7"
        await pilot.press("enter")
        await until(pilot, lambda: "is reserved for version names" in toasts(app))
        await pilot.press("l")
        app.screen.query_one(Input).value = ""
        await pilot.press("enter")
        await until(pilot, lambda: "polite" not in listed(app)[0])


async def test_deleting_asks_first(home: Home) -> None:
    made(home), made(home)
    async with opened(home) as (app, pilot):
        await tuning(app, pilot)
        await pilot.press("up", "d", "escape")
        assert len(home.adapters.versions()) == 2
        await pilot.press("d")
        assert "Delete v1?" in painted(app)
        await pilot.press("enter")
        await until(pilot, lambda: len(listed(app)) == 2)
        assert [manifest.version for manifest in home.adapters.versions()] == ["v2"]
        await pilot.press("end", "d")
        await until(pilot, lambda: "base cannot be deleted" in toasts(app))


async def test_nothing_is_deleted_while_a_run_may_need_it(home: Home) -> None:
    made(home)
    teach(home, 4)
    async with opened(home) as (app, pilot):
        await tuning(app, pilot)
        await until(pilot, lambda: rows(app))
        await pilot.press("enter", "up", "d", "enter")
        await until(pilot, lambda: "cannot be deleted during a training run" in toasts(app))
        assert len(home.adapters.versions()) == 1
        await pilot.press("x")
        await until(pilot, lambda: not home.tuning.running)


@pytest.mark.parametrize(
    ("metrics", "said"),
    [
        ({}, "too few pairs to evaluate"),
        (
            {"holdout_accuracy": 0.86, "holdout_interval": (0.79, 0.91), "passed": True},
            "86% correct (79% to 91%) · 3 records",
        ),
        (
            {"holdout_accuracy": 0.55, "holdout_interval": (0.4, 0.7), "passed": False},
            "55% correct (40% to 70%) · not used",
        ),
    ],
)
async def test_a_reward_model_says_how_far_to_trust_it(
    home: Home, metrics: dict[str, Any], said: str
) -> None:
    made(home, kind="reward", pass_name="reward", records=("a", "b", "c"), metrics=metrics)
    async with opened(home) as (app, pilot):
        await tuning(app, pilot)
        assert f"Judge (reward model) · {said}" in listed(app)[0]
        await pilot.press("up", "a")
        await until(pilot, lambda: "r1 cannot be activated" in toasts(app))


async def test_rl_shows_rewards_distance_and_a_reply_that_was_drawn(home: Home) -> None:
    made(home, kind="reward", pass_name="reward", metrics={"passed": True})
    teach(home, 20)
    async with opened(home, (120, 40)) as (app, pilot):
        await tuning(app, pilot)
        await until(pilot, lambda: rows(app))
        await pilot.press("5", "1", "enter")
        home.tuning.step(2)
        await until(pilot, lambda: "reward +0.20 • KL 0.004 · 25% cut off" in painted(app))
        assert "Reinforce (RL) 2/3" in painted(app)
        assert "› Say [b]hi[/b]" in painted(app)
        assert "Hi there!" in painted(app)
        assert app.screen.query_one("#plot").display
        home.tuning.step()
        await until(pilot, lambda: "✓ Reinforce (RL) made v1" in painted(app))
        assert "Hi there!" not in painted(app)


async def test_the_report_shows_figures_and_replies_before_and_after(home: Home) -> None:
    teach(home, 4)
    home.tuning.held_back = WHY
    async with opened(home, (100, 60)) as (app, pilot):
        await tuning(app, pilot)
        await run(home, app, pilot)
        await pilot.press("r")
        assert isinstance(app.screen, ReportCardScreen)
        await until(pilot, lambda: "What went in" in painted(app))
        shown = painted(app)
        assert f"held back: {WHY[0]}" in shown
        assert "What was taught  asked in the same words: learned 1 of 2" in shown
        assert "✓ A gem?" in shown
        assert "✗ Who [b]is[/b] it?" in shown
        assert shown.index("What was taught") < shown.index("Held out") < shown.index("What else")
        assert re.search(r"hold-out loss +1.910 → +0.620 ▲ better", shown)
        assert re.search(r"exactly right +0.0% → +100.0% ~ chance", shown)
        assert re.search(r"drift from the base +0.000 → +0.070 ▼ worse", shown)
        assert "Probes  1 of 2 replies changed" in shown
        assert "The capital of France" not in shown
        await pilot.press("tab", "enter")  # unfolds the probes
        await until(pilot, lambda: "The capital of France is Lyon." in painted(app))
        shown = painted(app)
        assert re.search("The capital of France is Lyon. +The capital of France is Paris.", shown)
        assert "› Say [b]hi[/b]" in shown
        assert "both  Hi there!" in shown
        marked_words = [
            str(span.style)
            for static in app.screen.query(".after")
            for span in static.visual.spans  # type: ignore[attr-defined]
            if str(static.visual)[span.start : span.end].strip() == "Paris"  # type: ignore[attr-defined]
        ]
        assert any("underline" in style for style in marked_words)


async def test_a_version_is_activated_kept_or_rolled_back_from_its_report(home: Home) -> None:
    made(home)
    async with opened(home) as (app, pilot):
        await tuning(app, pilot)
        await pilot.press("up", "r")
        assert isinstance(app.screen, ReportCardScreen)
        assert "not judged: it was not examined" in painted(app)
        await pilot.press("b")  # it does not answer, so there is nothing to take back
        assert isinstance(app.screen, ReportCardScreen)
        await pilot.press("a")
        await until(pilot, lambda: home.chat.answering == "v1" and listed(app))
        await pilot.press("r", "enter")
        await until(pilot, lambda: isinstance(app.screen, TuningScreen))
        assert home.adapters.active() == "v1"
        await pilot.press("r", "b")
        await until(pilot, lambda: home.chat.answering == "base")
        assert home.adapters.active() == "base"


async def test_the_base_has_no_report(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await tuning(app, pilot)
        await pilot.press("r")
        await until(pilot, lambda: "base is the original model" in toasts(app))


async def test_the_trained_tokens_of_the_run_can_be_seen(home: Home) -> None:
    teach(home, 4)
    async with opened(home) as (app, pilot):
        await tuning(app, pilot)
        await until(pilot, lambda: rows(app))
        await pilot.press("m")
        assert isinstance(app.screen, TuningScreen)
        await run(home, app, pilot)
        await pilot.press("m")
        assert isinstance(app.screen, TrainedTokensScreen)
        assert "What Imitate (SFT) learns from" in painted(app)
        assert "1 of 3 tokens are learned" in painted(app)
        assert "Capital?Paris" in painted(app)
        await pilot.press("escape")
        assert isinstance(app.screen, TuningScreen)
