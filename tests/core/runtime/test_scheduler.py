"""Chat goes first; a cancelled pass never stays waiting."""

from threading import Event, Thread

import pytest

from core.runtime.scheduler import Cancelled, Scheduler

PATIENCE = 10.0


def test_a_reply_waits_for_the_micro_batch_and_the_next_micro_batch_for_the_reply() -> None:
    turns, order = Scheduler(), []
    training, go_on, replying, done = Event(), Event(), Event(), Event()

    def train() -> None:
        with turns.micro_batch(Event()):
            training.set()
            assert go_on.wait(PATIENCE)
            order.append("micro-batch 1")
        assert replying.wait(PATIENCE)
        with turns.micro_batch(Event()):
            order.append("micro-batch 2")

    def chat() -> None:
        assert training.wait(PATIENCE)
        go_on.set()
        with turns.reply():
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
    turns, cancelled, result = Scheduler(), Event(), []

    def train() -> None:
        try:
            with turns.micro_batch(cancelled):
                result.append("trained")
        except Cancelled:
            result.append("cancelled")

    with turns.reply():
        thread = Thread(target=train)
        thread.start()
        cancelled.set()
        turns.wake()
        thread.join(PATIENCE)
    assert result == ["cancelled"]


def test_a_failing_micro_batch_gives_its_turn_back() -> None:
    turns = Scheduler()
    with pytest.raises(ZeroDivisionError), turns.micro_batch(Event()):
        raise ZeroDivisionError
    with turns.reply():
        pass


def test_while_paused_only_replies_have_a_turn() -> None:
    turns, cancelled, order = Scheduler(), Event(), []

    def train() -> None:
        with turns.micro_batch(cancelled):
            order.append("micro-batch")

    turns.pause(True)
    thread = Thread(target=train)
    thread.start()
    with turns.reply():
        order.append("reply")
    thread.join(0.05)
    assert order == ["reply"]
    turns.pause(False)
    thread.join(PATIENCE)
    assert order == ["reply", "micro-batch"]
    assert turns.waited >= 0.05
