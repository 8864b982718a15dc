"""F5 before a run: what would be trained, why not, and what is chosen."""

from collections.abc import Iterator
from threading import Event
from typing import Any

import pytest
from textual.widgets._footer import FooterKey

from core.adapters.manifest import Manifest, write_manifest
from core.config import Tuning
from core.runs.plan import Plan, make_plan
from core.runs.record_selection import instructions_kept_out
from tests.fakes import FakeChat, Home
from tests.tui.conftest import opened, painted, toasts, until
from tests.tui.screens.test_tuning import ready, rows, teach
from tui.app.tutee_app import TuteeApp
from tui.messages import Taught
from tui.screens.chat import ChatScreen
from tui.screens.tuning import TuningScreen
from tui.views.training_progress import TrainingProgress
from tui.widgets.tuning import PlanRow


def started(app: TuteeApp) -> FooterKey:
    """The key of the footer that starts a run."""
    return next(key for key in app.screen.query(FooterKey) if key.action == "start")


def greyed(key: FooterKey) -> bool:
    return key.has_class("-disabled")


async def test_the_plan_says_what_is_ready_and_what_is_missing(home: Home) -> None:
    teach(home, 5, pairs=2)
    async with opened(home) as (app, pilot):
        await ready(app, pilot)
        await pilot.press("f5")
        await until(pilot, lambda: app.screen.query(PlanRow))
        sft, kto, dpo, reward, rl = rows(app)
        assert sft.startswith("[x] 1  Imitate (SFT)        ~")
        assert kto.startswith("[ ] 2  Avoid (KTO)")
        assert "1 more 👍, 4 more 👎" in kto
        assert "18 more corrections or picks" in dpo
        assert "18 more corrections or picks" in reward
        assert "15 more prompts" in rl
        assert "Tune Fake-1 from base" in painted(app)
        assert "● base  active" in painted(app)


async def test_the_plan_is_seen_whole_on_a_small_terminal(home: Home) -> None:
    teach(home, 1)
    async with opened(home, (60, 20)) as (app, pilot):
        await ready(app, pilot)
        await pilot.press("f5")
        await until(pilot, lambda: "Nothing is ready yet." in painted(app))
        for words in (
            "1  Imitate",
            "2  Avoid",
            "3  Prefer",
            "4  Judge",
            "5  Reinforce",
            "● base  active",
        ):
            assert words in painted(app), words


async def test_where_nothing_is_ready_it_says_what_to_do(home: Home) -> None:
    teach(home, 1)
    async with opened(home) as (app, pilot):
        await ready(app, pilot)
        await pilot.press("f5")
        await until(pilot, lambda: "Nothing is ready yet." in painted(app))
        assert greyed(started(app))
        await pilot.press("enter")
        await until(pilot, lambda: "No pass is selected" in toasts(app))
        assert home.tuning.plans == []
        await pilot.press("1")
        await until(pilot, lambda: "Enter starts." in painted(app))
        await until(pilot, lambda: not greyed(started(app)))
        await pilot.press("1")
        await until(pilot, lambda: greyed(started(app)))


@pytest.fixture
def held_back(monkeypatch: pytest.MonkeyPatch) -> Iterator[Event]:
    """No plan is made before it is set."""
    made, go = make_plan, Event()

    def slow(*given: Any, **named: Any) -> Plan:
        go.wait()
        return made(*given, **named)

    monkeypatch.setattr("core.runs.plan.make_plan", slow)
    yield go
    go.set()


async def test_the_screen_is_alive_while_the_plan_is_made(home: Home, held_back: Event) -> None:
    teach(home, 4)
    async with opened(home) as (app, pilot):
        await ready(app, pilot)
        await pilot.press("f5")
        await until(pilot, lambda: "Plan: counting records" in painted(app))
        assert "● base  active" in painted(app)
        assert "Enter starts." not in painted(app)
        assert greyed(started(app))
        await pilot.press("1", "b")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, ChatScreen))
        await pilot.press("f5")
        await until(pilot, lambda: "Plan: counting records" in painted(app))
        held_back.set()
        await until(pilot, lambda: rows(app) and not greyed(started(app)))
        assert rows(app)[0].startswith("[x] 1")
        assert "counting" not in painted(app)
        assert "Tune Fake-1 from base" in painted(app)
        assert "on every record" not in painted(app)


@pytest.mark.parametrize(("records", "runs"), [(4, 1), (1, 0)])
async def test_enter_waits_for_the_plan(
    home: Home, held_back: Event, records: int, runs: int
) -> None:
    teach(home, records)
    async with opened(home) as (app, pilot):
        await ready(app, pilot)
        await pilot.press("f5", "enter", "enter")
        await until(pilot, lambda: "The run starts as soon as the plan is ready." in toasts(app))
        assert home.tuning.plans == []
        held_back.set()
        if not runs:
            await until(pilot, lambda: "No pass is selected" in toasts(app))
        await until(pilot, lambda: len(home.tuning.plans) == runs)


async def test_an_old_plan_is_not_started_while_another_is_made(
    home: Home, held_back: Event
) -> None:
    teach(home, 4)
    held_back.set()
    async with opened(home) as (app, pilot):
        await ready(app, pilot)
        await pilot.press("f5")
        await until(pilot, lambda: rows(app))
        held_back.clear()
        await pilot.press("b")
        await until(pilot, lambda: "counting" in painted(app) and greyed(started(app)))
        assert rows(app)[0].startswith("[x] 1")
        await pilot.press("1", "enter")
        assert home.tuning.plans == []
        held_back.set()
        await until(pilot, lambda: home.tuning.plans)
        (plan,) = home.tuning.plans
        assert plan.rebuild
        assert [planned.name for planned in plan.wanted] == ["sft"]


async def test_what_only_measures_is_not_new(home: Home) -> None:
    teach(home, 40)
    measures = len(instructions_kept_out(home.repository.trainable(), home.adapters))
    assert 0 < measures < 20
    async with opened(home) as (app, pilot):
        await until(pilot, lambda: f" {40 - measures} to learn" in painted(app))
        teach(home, 40)
        measures = len(instructions_kept_out(home.repository.trainable(), home.adapters))
        app.post_message(Taught())
        await until(pilot, lambda: f" {80 - measures} to learn" in painted(app))


async def test_before_the_model_is_ready_the_screen_says_so_and_then_plans(home: Home) -> None:
    teach(home, 4)
    home.chat = FakeChat(home.bridge.emit, adapters=home.adapters, loads_by_itself=False)
    async with opened(home) as (app, pilot):
        await pilot.press("f5")
        await until(pilot, lambda: "The model is still loading." in painted(app))
        assert greyed(started(app))
        await pilot.press("enter")
        await until(pilot, lambda: "The model is still loading." in toasts(app))
        assert home.tuning.plans == []
        home.chat.finish_loading()
        await until(pilot, lambda: rows(app))
        assert "4 to learn" in rows(app)[0]


async def test_a_pass_that_is_not_ready_can_be_forced_if_it_has_a_record(home: Home) -> None:
    teach(home, 1)
    async with opened(home) as (app, pilot):
        await ready(app, pilot)
        await pilot.press("f5")
        await until(pilot, lambda: rows(app))
        assert rows(app)[0].startswith("[ ] 1")
        await pilot.press("enter")
        await until(pilot, lambda: "No pass is selected" in toasts(app))
        await pilot.press("4")
        await until(
            pilot, lambda: "Judge (reward model) has nothing to learn from yet." in toasts(app)
        )
        await pilot.press("1")
        await until(pilot, lambda: rows(app)[0].startswith("[x] 1"))
        assert "forced" in rows(app)[0]
        await pilot.click(PlanRow)
        await until(pilot, lambda: rows(app)[0].startswith("[ ] 1"))


async def test_a_plan_that_would_repeat_a_held_back_version_says_so(home: Home) -> None:
    teach(home, 4)
    records = tuple(r.id for r in home.repository.trainable() if r.kind == "instruction")
    with home.adapters.new_version("adapter") as (version, directory):
        folder = home.adapters.folder
        manifest = Manifest(
            version=version,
            kind="adapter",
            model=folder.id,
            revision=folder.revision,
            records=records,
            settings=Tuning().model_dump(),
            held_back=("it got worse",),
        )
        write_manifest(directory, manifest)
    async with opened(home) as (app, pilot):
        await ready(app, pilot)
        await pilot.press("f5")
        await until(pilot, lambda: "SFT would only make v1 again" in painted(app))
        await pilot.press("1")
        await until(pilot, lambda: "would only make" not in painted(app))


async def test_a_run_may_go_on_before_the_screen_is_mounted(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await ready(app, pilot)
        screen = TuningScreen(app.workspace.tuner)
        screen.watch_progress(TrainingProgress())
        screen.renew()
        await app.push_screen(screen)
        await until(pilot, lambda: screen.query(PlanRow))
