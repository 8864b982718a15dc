"""The chat as it stands: turns from oldest to newest, following the end while a reply grows.

Only a window of the turns are widgets; what lies before and behind it waits behind one line each,
which brings a page back when it is reached. So a chat of any length stays light. What changes is
compared with what is shown, and only the difference is mounted.
"""

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.await_remove import AwaitRemove
from textual.binding import Binding, BindingType
from textual.containers import Middle, Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static

from store.i18n import N_, _
from tui.commands.keymap import keyed
from tui.text_format import counted
from tui.views.chat import LiveView, ReplyView, Scene, TurnView, UserView
from tui.widgets.turns import ReplyTurn, UserTurn

AT_FIRST = 10
"""Turns that a chat is opened with: more than a screen holds, few enough to be there at once."""
PAGE = 20
"""Turns brought back at a time."""
MOST = 3 * PAGE
"""Turns that are widgets at once, those that are being written not counted."""

_WELCOME = N_(
    "[b]Ask something.[/b]\n\n"
    "Then teach on the reply itself:\n"
    "[b]F2[/b] 👍 keeps it as it is\n"
    "[b]F3[/b] 👎 refuses it\n"
    "[b]F4[/b] ✎ says it better\n\n"
    "[b]F5[/b] trains the model on what you taught."
)


def _welcome(place: Widget, examples: int) -> Middle:
    """What an empty chat says; with an offer where nothing was taught yet."""
    text = Content.from_markup(keyed(place, _(_WELCOME)))
    if examples:
        offer = _(" starts with {count} short examples; first you look at them.").format(
            count=examples
        )
        text += Content.assemble("\n", (keyed(place, "Ctrl+T"), "bold"), offer)
    return Middle(Static(text), id="welcome")


class Folded(Static, can_focus=True):
    """The line behind which turns wait."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "show", "Show", id="earlier.show")]

    class Wanted(Message):
        """The person wants to see a page more."""

        def __init__(self, folded: "Folded") -> None:
            super().__init__()
            self.folded = folded

        @property
        def control(self) -> "Folded":
            return self.folded

    def action_show(self) -> None:
        self.post_message(self.Wanted(self))

    def on_click(self, event: events.Click) -> None:
        event.stop()
        self.action_show()


class Earlier(Folded):
    """Those before the window."""


class Later(Folded):
    """Those behind it."""


class Transcript(VerticalScroll, can_focus=False):
    """All turns of the open chat."""

    def __init__(self) -> None:
        super().__init__(id="transcript")
        self._turns: list[TurnView] = []
        self._first = self._last = 0
        """The window: the turns from `_first` up to `_last` are widgets."""
        self._live: LiveView | None = None
        self._examples = 0
        self._rewards: dict[str, float] = {}
        """By reply: scores are not stored, because each reward model has its own."""

    def compose(self) -> ComposeResult:
        # At least as high as the view: an anchored view with less in it would sink to the bottom.
        yield Vertical(id="turns")

    @property
    def _column(self) -> Vertical:
        return self.query_one("#turns", Vertical)

    @property
    def _widgets(self) -> list[UserTurn | ReplyTurn]:
        """The turns of the window that are whole, in order."""
        return [
            turn
            for turn in self._column.children
            if isinstance(turn, UserTurn | ReplyTurn) and turn.turn_id
        ]

    # -- what is shown ---------------------------------------------------------------------------

    async def show(self, scene: Scene, message_id: str = "") -> None:
        """Show a chat as it stands: another one, or this one after it changed.

        Args:
            scene: The chat.
            message_id: The turn that must be seen and focused; the end of the chat without one.
        """
        focused = self.focused_reply() is not None
        before = [turn.id for turn in self._turns[self._first : self._last]]
        self._turns, self._live, self._examples = list(scene.turns), scene.live, scene.examples
        ids = [turn.id for turn in self._turns]
        place = ids.index(message_id) if message_id in ids else None
        self._place_window(before, ids, place)
        with self.app.batch_update():
            await self._mount_window()
            await self.queue(scene.queued)
        self._look_at(place, focused=focused)

    def _place_window(self, before: Sequence[str], ids: Sequence[str], place: int | None) -> None:
        """Keep the window where it was if its beginning still is there, with its end at hand."""
        self._last = len(ids)
        kept = bool(before) and ids[self._first : self._first + 1] == [before[0]]
        if not kept or self._last - self._first > MOST:
            self._first = max(self._last - AT_FIRST, 0)
        if place is not None and not self._first <= place < self._last:
            self._first = max(place - 1, 0)
            self._last = min(self._first + AT_FIRST, len(ids))

    async def _mount_window(self) -> None:
        """Make the widgets be those of the window, keeping the ones that are."""
        wanted = self._turns[self._first : self._last]
        widgets = self._widgets
        same = 0
        while same < min(len(wanted), len(widgets)) and widgets[same].turn_id == wanted[same].id:
            await _changed(widgets[same], wanted[same])
            same += 1
        keep = set(widgets[:same])
        await self._remove([child for child in self._column.children if child not in keep])
        new: list[Widget] = [self._turn(view) for view in wanted[same:]]
        if self._live and self._at_end:
            new.append(ReplyTurn(self._live))
        if not new and not same:
            new = [_welcome(self, self._examples)]
        await self._column.mount_all(new)
        await self._fold()

    def _look_at(self, place: int | None, *, focused: bool) -> None:
        """Bring a turn into view, and the focus to its reply; or go on at the end."""
        if place is None:
            self.anchor()
            live = self._live_turn(self._live.id) if self._live else None
            if focused and live is not None:
                self.screen.set_focus(live, scroll_visible=False)
            return
        near = [self._widget(turn.id) for turn in self._turns[place : place + 2]]
        for reply in [turn for turn in near if isinstance(turn, ReplyTurn)][:1]:
            self.screen.set_focus(reply, scroll_visible=False)
        self.release_anchor()
        self.call_after_refresh(self.scroll_to_widget, near[0], animate=False)

    @property
    def _at_end(self) -> bool:
        return self._last == len(self._turns)

    # -- as the chat goes on ---------------------------------------------------------------------

    async def ask(self, turn: UserView) -> None:
        """Add what the person said."""
        await self.query("#welcome").remove()
        await self._to_end()
        await self._add(turn, UserTurn(turn))
        self.anchor()

    async def queue(self, texts: Sequence[str]) -> None:
        """Show what waits for its turn, after everything else."""
        await self.query("UserTurn.queued").remove()
        await self._column.mount_all(UserTurn(None, text) for text in texts)

    async def begin(self, live: LiveView) -> None:
        """Begin a reply, or say what the one under way waits for."""
        self._live = live
        reply = self._live_turn(live.id)
        if reply is None:
            await self._mount_before_queued(ReplyTurn(live))
        else:
            reply.note = live.note

    async def grow(self, live_id: str, text: str) -> None:
        reply = self._live_turn(live_id)
        if reply is not None:
            await reply.grow(text)

    async def end(self, live_id: str, view: ReplyView | None) -> None:
        """Show the reply as it was stored, or take it away where nothing was."""
        self._live = None
        reply = self._live_turn(live_id)
        if reply is None:
            return
        if view is None:
            await reply.remove()
            return
        self._turns.append(view)
        self._last = len(self._turns)
        await reply.end(view)
        await self._trim_top()

    async def change(self, view: ReplyView) -> None:
        """Show what stands about a reply now."""
        self._turns = [view if turn.id == view.id else turn for turn in self._turns]
        reply = self._widget(view.id)
        if isinstance(reply, ReplyTurn):
            await reply.change(view)

    def score(self, reply_id: str, reward: float) -> None:
        """Show what a reward model says of a reply."""
        self._rewards[reply_id] = reward
        reply = self._widget(reply_id)
        if isinstance(reply, ReplyTurn):
            reply.reward = reward

    # -- which reply is meant --------------------------------------------------------------------

    def target(self) -> ReplyView | None:
        """The whole reply that has the focus, or else the last one."""
        focused = self.focused_reply()
        if focused is not None:
            return focused.view
        return next((t for t in reversed(self._turns) if isinstance(t, ReplyView)), None)

    def focused_reply(self) -> ReplyTurn | None:
        focused = self.screen.focused
        return focused if isinstance(focused, ReplyTurn) else None

    async def step(self, step: int) -> bool:
        """Focus the reply before or after the focused one, or the last; false beyond the end."""
        focused = self.focused_reply()
        if focused is None:
            await self._to_end()
        replies = list(self.query(ReplyTurn))
        place = replies.index(focused) + step if focused in replies else len(replies) - 1
        if place < 0 and self._first:
            await self._show_earlier()
            replies = list(self.query(ReplyTurn))
            place = replies.index(focused) + step if focused in replies else 0
        elif place >= len(replies) and not self._at_end:
            await self._show_later()
            replies = list(self.query(ReplyTurn))
            place = replies.index(focused) + step if focused in replies else len(replies) - 1
        if not replies or place >= len(replies):
            return False
        self.screen.set_focus(replies[max(place, 0)])
        return True

    async def page(self, pages: int) -> None:
        """Scroll by what is seen at once; at either end of the window, on to the next turns."""
        if pages < 0 and self.scroll_y <= 0 and self._first:
            await self._show_earlier()
        if pages > 0 and self.scroll_y >= self.max_scroll_y and not self._at_end:
            await self._show_later()
        if pages < 0:
            self.scroll_page_up(animate=False)
        else:
            self.scroll_page_down(animate=False)

    # -- the window ------------------------------------------------------------------------------

    async def on_folded_wanted(self, event: Folded.Wanted) -> None:
        event.stop()
        await (self._show_earlier() if isinstance(event.folded, Earlier) else self._show_later())

    async def on_mouse_scroll_up(self) -> None:
        if self.scroll_y <= 0 and self._first:
            await self._show_earlier()

    async def on_mouse_scroll_down(self) -> None:
        if self.scroll_y >= self.max_scroll_y and not self._at_end:
            await self._show_later()

    async def _show_earlier(self) -> None:
        first = max(self._first - PAGE, 0)
        views, self._first = self._turns[first : self._first], first
        reading = self._widgets[0]
        with self.app.batch_update():
            await self._column.mount_all((self._turn(view) for view in views), before=reading)
            if self._live is None and self._last - self._first > MOST:
                await self._remove(self._widgets[MOST:])
                self._last = self._first + MOST
            await self._fold()
        self.release_anchor()
        self.call_after_refresh(self.scroll_to_widget, reading, top=True, animate=False)

    async def _show_later(self) -> None:
        last = min(self._last + PAGE, len(self._turns))
        views, self._last = self._turns[self._last : last], last
        reading = self._widgets[-1]
        with self.app.batch_update():
            await self._column.mount_all((self._turn(view) for view in views), after=reading)
            await self._trim_top()
        self.call_after_refresh(self.scroll_to_widget, reading, top=True, animate=False)

    async def _to_end(self) -> None:
        """Put the window at the end, where what comes next belongs."""
        if not self._at_end:
            self._first = max(len(self._turns) - AT_FIRST, 0)
            self._last = len(self._turns)
            with self.app.batch_update():
                await self._mount_window()
            self.anchor()

    async def _trim_top(self) -> None:
        with self.app.batch_update():
            if self._last - self._first > MOST:
                # By a page at a time, so that not every new turn moves what is read.
                first = self._last - MOST + PAGE
                await self._remove(self._widgets[: first - self._first])
                self._first = first
            await self._fold()

    async def _fold(self) -> None:
        """Say how many turns lie before the window and behind it."""
        await self.query(Folded).remove()
        if self._first:
            line = _("{messages} · Enter shows more").format(
                messages=counted(self._first, "earlier message")
            )
            await self._column.mount(Earlier(line, markup=False), before=0)
        behind = len(self._turns) - self._last
        if behind:
            line = _("{messages} · Enter shows more").format(
                messages=counted(behind, "later message")
            )
            await self._column.mount(Later(line, markup=False), after=self._widgets[-1])

    def _remove(self, widgets: Sequence[Widget]) -> AwaitRemove:
        return self._column.remove_children(widgets)

    def _turn(self, view: TurnView) -> UserTurn | ReplyTurn:
        if isinstance(view, UserView):
            return UserTurn(view)
        return ReplyTurn(view, self._rewards.get(view.id))

    async def _add(self, view: TurnView, turn: Widget) -> None:
        self._turns.append(view)
        self._last = len(self._turns)
        await self._mount_before_queued(turn)

    async def _mount_before_queued(self, turn: Widget) -> None:
        queued = self.query("UserTurn.queued")
        await self._column.mount(turn, before=queued.first() if queued else None)

    def _widget(self, turn_id: str) -> UserTurn | ReplyTurn | None:
        return next((turn for turn in self._widgets if turn.turn_id == turn_id), None)

    def _live_turn(self, live_id: str) -> ReplyTurn | None:
        return next((reply for reply in self.query(ReplyTurn) if reply.live_id == live_id), None)


async def _changed(turn: UserTurn | ReplyTurn, view: TurnView) -> None:
    """Show what stands about a turn now."""
    match turn:
        case UserTurn() if isinstance(view, UserView):
            await turn.change(view)
        case ReplyTurn() if isinstance(view, ReplyView):
            await turn.change(view)
