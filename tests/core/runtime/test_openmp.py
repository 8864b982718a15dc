"""A thread that has nothing to compute keeps no helper threads, on the real library."""

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, Thread

import pytest
import torch

from core.runtime import openmp
from core.runtime.scheduler import Scheduler

PATIENCE = 10.0
TASKS = Path("/proc/self/task")

pytestmark = [
    pytest.mark.waits,
    pytest.mark.skipif(
        sys.platform != "linux" or "libgomp" not in Path("/proc/self/maps").read_text(),
        reason="torch computes with another OpenMP library here",
    ),
]


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def threads() -> set[str]:
    return {path.name for path in TASKS.iterdir()}


def compute() -> float:
    torch.set_num_threads(2)  # each thread has a number of its own
    return float((torch.ones(512, 512) @ torch.ones(512, 512)).sum())


def until(true: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE
    while not true() and time.monotonic() < deadline:
        time.sleep(0.001)
    return true()


def test_they_go_and_come_back() -> None:
    helpers: list[set[str]] = []
    sums: list[float] = []

    def work() -> None:
        for _ in range(2):
            alone = threads()
            sums.append(compute())
            helpers.append(threads() - alone)
            openmp.release_threads()
            helpers.append(threads() - alone)

    thread = Thread(target=work, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    assert [len(found) for found in helpers] == [1, 0, 1, 0]
    assert sums == [512.0**3] * 2


def test_a_waiting_pass_has_none() -> None:
    scheduler, computed, paused = Scheduler(), Event(), Event()
    helpers: set[str] = set()

    def train() -> None:
        with scheduler.micro_batch(Event()):
            alone = threads()
            compute()
            helpers.update(threads() - alone)
            computed.set()
            assert paused.wait(PATIENCE)
        with scheduler.micro_batch(Event()):
            pass

    thread = Thread(target=train, daemon=True)
    thread.start()
    assert computed.wait(PATIENCE)
    assert helpers <= threads()
    assert len(helpers) == 1
    scheduler.pause(True)
    paused.set()
    assert until(lambda: helpers.isdisjoint(threads()))
    scheduler.pause(False)
    thread.join(PATIENCE)
    assert not thread.is_alive()
