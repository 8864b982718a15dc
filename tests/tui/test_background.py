"""Work in a thread: its result, its error, its cancellation."""

import asyncio
from collections.abc import Callable
from threading import Event, current_thread

import pytest
from textual.app import App, ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from tui.background import in_thread, replace_children

pytestmark = pytest.mark.waits


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


class Panel(App[None]):
    def compose(self) -> ComposeResult:
        yield Vertical(Static("old"), Static("old"))


@pytest.mark.parametrize("turns", range(6))
async def test_a_cancelled_replacement_leaves_no_message_unread(turns: int) -> None:
    async with Panel().run_test() as pilot:
        panel = pilot.app.query_one(Vertical)
        old = panel.children[0]
        task = asyncio.create_task(replace_children(panel, [Static("new")]))
        for _ in range(turns):
            await asyncio.sleep(0)
        read = asyncio.Event()
        posted = old.call_later(read.set)
        task.cancel()
        await asyncio.wait([task])
        if posted:
            await asyncio.wait_for(read.wait(), 10)
        await pilot.pause()
        await replace_children(panel, [Static("newer")])
        assert [child.render() for child in panel.children] == ["newer"]
