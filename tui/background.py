"""Work that would hold the screen up, done in a thread; its result comes back to who awaits it.

A newer work of the same kind takes the place of an older one, which may be drawing by then.

The threads are daemons of their own: those of asyncio's executor are joined on the way out, so
quitting would wait for them.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from threading import Event, Thread
from typing import Any, TypeVar

from textual.screen import Screen
from textual.widget import Widget
from textual.worker import Worker

from store import gc_pause
from tui.error_toasts import errors_shown

Result = TypeVar("Result")

Stopped = Callable[[], bool]
"""Whether nobody waits for the result any more."""


async def in_thread(work: Callable[[Stopped], Result]) -> Result:
    """Do `work` in a thread of its own; cancelling the wait tells the work to stop.

    Raises:
        Exception: whatever `work` raises.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Result] = loop.create_future()
    stop = Event()

    def settle(result: Result | None, error: Exception | None) -> None:
        if done.cancelled():
            return
        if error is None:
            done.set_result(result)  # type: ignore[arg-type]
        else:
            done.set_exception(error)

    def run() -> None:
        result, error = None, None
        try:
            # A search for garbage would hold every thread, for half a second at 100,000 records.
            with gc_pause.paused():
                result = work(stop.is_set)
        except Exception as raised:
            error = raised
        with suppress(RuntimeError):  # the app has ended meanwhile
            loop.call_soon_threadsafe(settle, result, error)

    Thread(target=run, daemon=True, name="tutee-aside").start()
    try:
        return await done
    finally:
        stop.set()


def aside(screen: Screen[Any], work: Callable[[], Awaitable[None]], group: str) -> None:
    """Go on with `work` while the screen lives, in place of the earlier one of its group.

    Args:
        screen: Where it belongs; its errors are shown there.
        work: Awaits `in_thread` for whatever takes long.
        group: What it takes the place of.
    """

    async def guarded() -> None:
        with errors_shown(screen.app):
            await work()

    _: Worker[None] = screen.run_worker(guarded, group=group, exclusive=True)


async def replace_children(parent: Widget, widgets: Iterable[Widget]) -> None:
    """Put `widgets` in the place of all that `parent` holds.

    Textual waits for a removal by awaiting the tasks of the widgets that leave, so cancelling that
    wait would end them in the middle of their messages. Here the removal goes on all the same.
    """
    await asyncio.shield(parent.remove_children())
    await parent.mount_all(widgets)
