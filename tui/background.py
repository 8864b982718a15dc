"""Slow work in a thread, awaited by the screen that shows the result.

The threads are daemons of our own: asyncio joins those of its executor on exit, so quitting would
wait for them.
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
"""Tells the work whether its result is no longer awaited."""


async def in_thread(work: Callable[[Stopped], Result]) -> Result:
    """Return the result of `work` in a thread, or raise its error; cancelling makes it stop."""
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
            # A garbage collection holds every thread, and takes long with many records.
            with gc_pause.paused():
                result = work(stop.is_set)
        except Exception as raised:
            error = raised
        except BaseException as raised:  # a panic in Rust code would pass by the screen's handlers
            error = RuntimeError(str(raised))
        with suppress(RuntimeError):  # the app has ended meanwhile
            loop.call_soon_threadsafe(settle, result, error)

    Thread(target=run, daemon=True, name="tutee-aside").start()
    try:
        return await done
    finally:
        stop.set()


def aside(screen: Screen[Any], work: Callable[[], Awaitable[None]], group: str) -> None:
    """Run `work` as an exclusive worker of `screen`, which shows its errors, and ends it when it
    closes; the previous work in `group` is replaced."""

    async def guarded() -> None:
        with errors_shown(screen.app):
            await work()

    _: Worker[None] = screen.run_worker(guarded, group=group, exclusive=True)


async def replace_children(parent: Widget, widgets: Iterable[Widget]) -> None:
    """Replace all children of `parent` by `widgets`.

    Textual awaits the tasks of the widgets it removes, so a cancelled wait would cancel them in the
    middle of a message. Here the removal continues after a cancellation.
    """
    await asyncio.shield(parent.remove_children())
    await parent.mount_all(widgets)
