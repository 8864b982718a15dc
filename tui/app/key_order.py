"""Keys and pastes in the order they came, even where one of them opens a screen.

Textual hands a key to the focused widget at once, and looks for its binding only when it has
bubbled up to the app. Of several keys in one burst (a macro, a slow line), those after one that
opens a dialog would so reach the widget below it. Here a key that may run a binding holds back
those after it until the app is done with it, and until a screen that it opened has its focus.

A message that follows the key on its way tells when that is. What only adds text holds back
nothing. What is left out: a dialog that opens later, on an event of a worker.
"""

from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from textual import events
from textual.app import App
from textual.message import Message
from textual.message_pump import MessagePump
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Input, TextArea

_LOOK = 0.1
"""Seconds between two looks whether the widget is gone, and the message with it."""
_MOST_LOOKS = 50
"""Looks after which keys are passed on in any case."""


class Handled(Message):
    """Follows a key; the app has handled the key when this arrives."""

    def __init__(self, on: MessagePump) -> None:
        super().__init__()
        self.on = on
        """The screen the key was pressed on."""


class KeyOrder:
    """Passes keys on to `dispatch`, one after the other."""

    def __init__(
        self, app: App[Any], dispatch: Callable[[events.Event], Coroutine[Any, Any, None]]
    ) -> None:
        self._app = app
        self._dispatch = dispatch
        self._held: deque[events.Key | events.Paste] = deque()
        self._waiting: Timer | None = None
        """Runs while a key is on its way."""
        self._place: Widget | None = None
        """The widget that the message was sent to last."""
        self._looks = 0

    async def on_input(self, event: events.Key | events.Paste) -> None:
        """Pass it on, or hold it back while an earlier one is on its way."""
        if self._waiting is not None:
            self._held.append(event)
        else:
            await self._pass_on(event)

    async def on_handled(self, message: Handled) -> None:
        """Pass on the keys held back, or wait for the screen that has opened meanwhile."""
        if self._waiting is None:
            return
        if message.on is self._app.screen:
            await self._go_on()
        else:
            self._follow()

    async def _pass_on(self, event: events.Key | events.Paste) -> None:
        typed = isinstance(event, events.Paste) or (
            isinstance(self._app.focused, Input | TextArea) and event.is_printable
        )
        await self._dispatch(event)
        if not typed:
            self._waiting = self._app.set_interval(_LOOK, self._look)
            self._follow()

    def _follow(self) -> None:
        self._place, self._looks = self._app.focused or self._app.screen, 0
        self._place.post_message(Handled(self._app.screen))

    async def _look(self) -> None:
        self._looks += 1
        if self._looks > _MOST_LOOKS or self._place is None or not self._place.is_attached:
            await self._go_on()

    async def _go_on(self) -> None:
        if self._waiting is not None:
            self._waiting.stop()
            self._waiting = None
        while self._held and self._waiting is None:
            await self._pass_on(self._held.popleft())
