"""Chat goes first; a cancelled pass never stays waiting."""

from threading import Event, Thread

import pytest

from core.runtime.scheduler import Cancelled, Scheduler

pytestmark = pytest.mark.waits

PATIENCE = 10.0


def test_a_reply_waits_for_the_micro_batch_and_the_next_micro_batch_for_the_reply() -> None:
    scheduler, order = Scheduler(), []
    training, go_on, replying, done = Event(), Event(), Event(), Event()

    def train() -> None:
        with scheduler.micro_batch(Event()):
            training.set()
            assert go_on.wait(PATIENCE)
            order.append("micro-batch 1")
        assert replying.wait(PATIENCE)
        with scheduler.micro_batch(Event()):
            order.append("micro-batch 2")

    def chat() -> None:
        assert training.wait(PATIENCE)
        go_on.set()
        with scheduler.reply():
            replying.set()
            order.append("reply starts")
            done.wait(0.2)  # room for the second micro-batch to push in, were it able to
            order.append("reply ends")

    threads = [Thread(target=train), Thread(target=chat)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert order == ["micro-batch 1", "reply starts", "reply ends", "micro-batch 2"]


def test_cancelling_ends_the_wait_for_a_long_reply() -> None:
    scheduler, cancelled, result = Scheduler(), Event(), []

    def train() -> None:
        try:
            with scheduler.micro_batch(cancelled):
                result.append("trained")
        except Cancelled:
            result.append("cancelled")

    with scheduler.reply():
        thread = Thread(target=train)
        thread.start()
        cancelled.set()
        scheduler.wake()
        thread.join(PATIENCE)
    assert result == ["cancelled"]


def test_a_failing_micro_batch_releases_the_device() -> None:
    scheduler = Scheduler()
    with pytest.raises(ZeroDivisionError), scheduler.micro_batch(Event()):
        raise ZeroDivisionError
    with scheduler.reply():
        pass


def test_while_paused_only_replies_run() -> None:
    scheduler, cancelled, order = Scheduler(), Event(), []

    def train() -> None:
        with scheduler.micro_batch(cancelled):
            order.append("micro-batch")

    scheduler.pause(True)
    thread = Thread(target=train)
    thread.start()
    with scheduler.reply():
        order.append("reply")
    thread.join(0.05)
    assert order == ["reply"]
    scheduler.pause(False)
    thread.join(PATIENCE)
    assert order == ["reply", "micro-batch"]
    assert scheduler.waited >= 0.05
