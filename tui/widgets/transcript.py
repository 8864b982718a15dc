"""The chat as it stands: turns from oldest to newest, following the end while a reply grows.

Only the latest turns are widgets; older ones wait behind one line that brings a page of them back,
so a chat of any length stays light.
"""

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Middle, Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static

from tui.text import counted
from tui.views import LiveView, ReplyView, Scene, TurnView, UserView
from tui.widgets.turns import ReplyTurn, UserTurn

PAGE = 20
"""Turns brought back at a time; twice as many are kept before the oldest are folded away."""

_WELCOME = Content.from_markup(
    "[b]Ask something.[/b]\n\n"
    "Then teach on the reply itself:\n"
    "[b]F2[/b] 👍 keeps it as it is\n"
    "[b]F3[/b] 👎 refuses it\n"
    "[b]F4[/b] ✎ says it better\n\n"
    "[b]F5[/b] trains the model on what you taught."
)


def _welcome(examples: int) -> Middle:
    """What an empty chat says; with an offer where nothing was taught yet."""
    text = _WELCOME
    if examples:
        offer = f" starts with {examples} short examples; first you look at them."
        text += Content.assemble("\n", ("Ctrl+T", "bold"), offer)
    return Middle(Static(text), id="welcome")


class Earlier(Static, can_focus=True):
    """The line behind which older turns wait."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "show", "Show", id="earlier.show")]

    class Wanted(Message):
        """The person wants to see a page more."""

    def action_show(self) -> None:
        self.post_message(self.Wanted())

    def on_click(self, event: events.Click) -> None:
        event.stop()
        self.action_show()


class Transcript(VerticalScroll, can_focus=False):
    """All turns of the open chat."""

    def __init__(self) -> None:
        super().__init__(id="transcript")
        self._turns: list[TurnView] = []
        self._first = 0
        """How many of the turns are folded away."""

    def compose(self) -> ComposeResult:
        # At least as high as the view: an anchored view with less in it would sink to the bottom.
        yield Vertical(id="turns")

    @property
    def _column(self) -> Vertical:
        return self.query_one("#turns", Vertical)

    async def show(self, scene: Scene) -> None:
        """Show another chat, or this one anew."""
        self._turns = list(scene.turns)
        self._first = max(len(self._turns) - PAGE, 0)
        with self.app.batch_update():
            await self._column.remove_children()
            widgets: list[Widget] = [_turn(view) for view in self._turns[self._first :]]
            if scene.live:
                widgets.append(ReplyTurn(scene.live))
            await self._column.mount_all(widgets or [_welcome(scene.examples)])
            await self._fold()
            await self.queue(scene.queued)
        self.anchor()

    # -- as the chat goes on ---------------------------------------------------------------------

    async def ask(self, turn: UserView) -> None:
        """Add what the person said."""
        await self.query("#welcome").remove()
        self._turns.append(turn)
        await self._add(UserTurn(turn))
        self.anchor()

    async def queue(self, texts: Sequence[str]) -> None:
        """Show what waits for its turn, after everything else."""
        await self.query("UserTurn.queued").remove()
        await self._column.mount_all(UserTurn(None, text) for text in texts)

    async def begin(self, live: LiveView) -> None:
        """Begin a reply, or say what the one under way waits for."""
        reply = self._live(live.id)
        if reply is None:
            await self._add(ReplyTurn(live))
        else:
            reply.note = live.note

    async def grow(self, live_id: str, text: str) -> None:
        reply = self._live(live_id)
        if reply is not None:
            await reply.grow(text)

    async def end(self, live_id: str, view: ReplyView | None) -> None:
        """Show the reply as it was stored, or take it away where nothing was."""
        reply = self._live(live_id)
        if reply is None:
            return
        if view is None:
            await reply.remove()
            return
        self._turns.append(view)
        await reply.end(view)
        if len(self._turns) - self._first > 2 * PAGE:
            await self._fold(PAGE)

    async def change(self, view: ReplyView) -> None:
        """Show what stands about a reply now."""
        self._turns = [view if turn.id == view.id else turn for turn in self._turns]
        for reply in self.query(ReplyTurn):
            if reply.view is not None and reply.view.id == view.id:
                await reply.change(view)

    # -- which reply is meant --------------------------------------------------------------------

    def target(self) -> ReplyView | None:
        """The whole reply that has the focus, or else the last one."""
        focused = self.focused_reply()
        if focused is not None:
            return focused.view
        whole = [reply.view for reply in self.query(ReplyTurn) if reply.view is not None]
        return whole[-1] if whole else None

    def focused_reply(self) -> ReplyTurn | None:
        focused = self.screen.focused
        return focused if isinstance(focused, ReplyTurn) else None

    def step(self, step: int) -> bool:
        """Focus the reply before or after the focused one, or the last; false beyond the end."""
        replies = list(self.query(ReplyTurn))
        focused = self.focused_reply()
        place = replies.index(focused) + step if focused else len(replies) - 1
        if not replies or place >= len(replies):
            return False
        replies[max(place, 0)].focus()
        return True

    # -- folding ---------------------------------------------------------------------------------

    async def on_earlier_wanted(self, event: Earlier.Wanted) -> None:
        event.stop()
        first = max(self._first - PAGE, 0)
        views, self._first = self._turns[first : self._first], first
        reading = self.query("UserTurn, ReplyTurn").first()
        await self._column.mount_all((_turn(view) for view in views), before=reading)
        await self._fold()
        self.call_after_refresh(self.scroll_to_widget, reading, top=True, animate=False)

    async def _fold(self, count: int = 0) -> None:
        """Fold `count` more turns away, and say how many are."""
        with self.app.batch_update():
            for turn in list(self.query("UserTurn, ReplyTurn"))[:count]:
                await turn.remove()
            self._first += count
            await self.query(Earlier).remove()
            if self._first:
                line = f"{counted(self._first, 'earlier message')} · Enter shows more"
                await self._column.mount(Earlier(line, markup=False), before=0)

    async def _add(self, turn: Widget) -> None:
        """Mount a turn before those that wait."""
        queued = self.query("UserTurn.queued")
        await self._column.mount(turn, before=queued.first() if queued else None)

    def _live(self, live_id: str) -> ReplyTurn | None:
        return next((reply for reply in self.query(ReplyTurn) if reply.live_id == live_id), None)


def _turn(view: TurnView) -> UserTurn | ReplyTurn:
    return UserTurn(view) if isinstance(view, UserView) else ReplyTurn(view)
