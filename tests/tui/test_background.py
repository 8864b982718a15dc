"""Work in a thread beside the screen: its result, its error, its end."""

import asyncio
from collections.abc import Callable
from threading import Event, current_thread

import pytest

from tui.background import in_thread


async def test_the_result_comes_back_from_another_thread() -> None:
    thread = await in_thread(lambda _: current_thread())
    assert thread is not current_thread()
    assert thread.daemon


async def test_an_error_comes_back_too() -> None:
    def fail(_: Callable[[], bool]) -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await in_thread(fail)


async def test_work_that_nobody_waits_for_is_told_to_stop() -> None:
    begun, ended = Event(), Event()

    def work(stopped: Callable[[], bool]) -> None:
        begun.set()
        while not stopped():
            pass
        ended.set()

    task = asyncio.create_task(in_thread(work))
    while not begun.is_set():
        await asyncio.sleep(0.001)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(ended.wait, 10)
