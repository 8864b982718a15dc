"""Errors end here: shown once as a toast, and the app goes on.

A `TuteeError` is shown as it is. Anything else is a defect: its traceback goes to the log file, and
the toast says where that is. Actions pass through `TuteeApp.run_action`; message handlers that
reach the store or a worker are decorated with `@guarded`.
"""

import functools
import inspect
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from textual.app import App
from textual.message import Message
from textual.message_pump import MessagePump

from store.errors import TuteeError
from store.i18n import _

_log = logging.getLogger(__name__)

Node = TypeVar("Node", bound=MessagePump)
Event = TypeVar("Event", bound=Message)


def show_error(app: App[Any], error: TuteeError) -> None:
    """Show what happened and what to do."""
    if error.hint:
        app.notify(error.hint, title=error.title, severity="error", timeout=8, markup=False)
    else:
        app.notify(error.title, severity="error", timeout=8, markup=False)


@contextmanager
def errors_shown(app: App[Any]) -> Iterator[None]:
    """Show every error of the block instead of raising it."""
    try:
        yield
    except TuteeError as error:
        show_error(app, error)
    except Exception:
        _log.exception("A defect in the app")
        app.notify(
            _(
                "Nothing that was stored is lost. The log has the details; `tutee locate` prints "
                "its path."
            ),
            title=_("Something went wrong (a bug in Tutee)."),
            severity="error",
            timeout=10,
            markup=False,
        )


def guarded(
    handler: Callable[[Node, Event], Awaitable[None] | None],
) -> Callable[[Node, Event], Awaitable[None]]:
    """Show the errors of a message handler instead of ending the app."""

    @functools.wraps(handler)
    async def wrapper(self: Node, event: Event) -> None:
        with errors_shown(self.app):
            result = handler(self, event)
            if inspect.isawaitable(result):
                await result

    return wrapper
