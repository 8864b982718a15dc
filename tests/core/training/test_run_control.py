"""A run knows which stage it is in, and how long each one took."""

import time

from core.events import Event, StageReport
from core.training.run_control import RunControl


def test_each_stage_is_reported_and_timed() -> None:
    events: list[Event] = []
    control = RunControl(events.append)
    control.begin_pass()
    with control.inserted("base", 3):
        time.sleep(0.01)
    control.enter("before", 15)
    control.enter("learn")
    assert events == [
        StageReport("prepare"),
        StageReport("base", 0, 3),
        StageReport("prepare"),
        StageReport("before", 0, 15),
        StageReport("learn"),
    ]
    assert list(control.stages) == ["prepare", "base", "before"]
    assert control.stages["base"] >= 0.01
    assert control.counts == {"base": 3, "prepare": 0, "before": 15, "learn": 0}
    assert control.pass_seconds >= sum(control.stages.values())


def test_what_training_waits_for_counts_for_no_stage() -> None:
    control = RunControl()
    control.begin_pass()
    control.scheduler.waited += 100.0
    control.enter("learn")
    assert control.stages["prepare"] < 0
    control.begin_pass()
    assert control.stages == {}
