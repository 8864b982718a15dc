"""The messages of the open conversation, oldest first, following the end while a reply grows.

Only a window of the messages are widgets, so a conversation of any length stays light. One line
each before and after the window brings a page of messages back when it is reached. Changes are
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
from tui.views.chat import ConversationView, LiveView, MessageView, ReplyView, UserView
from tui.widgets.messages import ReplyMessage, UserMessage

AT_FIRST = 10
"""Messages mounted on opening: more than a screen holds, few enough to appear at once."""
PAGE = 20
"""Messages brought back at a time."""
MOST = 3 * PAGE
"""Most messages mounted at once, not counting the reply in progress."""

_WELCOME = N_(
    "[b]Ask something.[/b]\n\n"
    "Then give feedback on the reply:\n"
    "[b]{key:chat.like}[/b] 👍 good as it is\n"
    "[b]{key:chat.dislike}[/b] 👎 not good\n"
    "[b]{key:chat.correct}[/b] ✎ write it better\n\n"
    "[b]{key:app.tune}[/b] trains the model on your feedback."
)


def _welcome(place: Widget, examples: int) -> Middle:
    """The text of an empty conversation, with the starter set if there is no feedback yet."""
    text = Content.from_markup(keyed(place, _(_WELCOME)))
    if examples:
        offer = _(" offers {count} short examples to start from; you review them first.")
        key = keyed(place, "{key:app.starter}")
        text += Content.assemble("\n", (key, "bold"), offer.format(count=examples))
    return Middle(Static(text), id="welcome")


class Folded(Static, can_focus=True):
    """A line that stands for messages outside the window."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "show", "Show", id="earlier.show")]

    class Wanted(Message):
        """The user wants to see another page."""

        def __init__(self, folded: "Folded") -> None:
            super().__init__()
            self.folded = folded

    def action_show(self) -> None:
        self.post_message(self.Wanted(self))

    def on_click(self, event: events.Click) -> None:
        event.stop()
        self.action_show()


class Earlier(Folded):
    """The messages before the window."""


class Later(Folded):
    """The messages after the window."""


class Transcript(VerticalScroll, can_focus=False):
    """All messages of the open conversation."""

    def __init__(self) -> None:
        super().__init__(id="transcript")
        self._messages: list[MessageView] = []
        self._first = self._last = 0
        """The window: messages from `_first` up to, not including, `_last` are widgets."""
        self._live: LiveView | None = None
        self._examples = 0
        self._rewards: dict[str, float] = {}
        """Scores by reply id; not stored, because each reward model has its own."""

    def compose(self) -> ComposeResult:
        # At least as high as the view: less content in an anchored view would sink to the bottom.
        yield Vertical(id="messages")

    @property
    def _column(self) -> Vertical:
        return self.query_one("#messages", Vertical)

    @property
    def _widgets(self) -> list[UserMessage | ReplyMessage]:
        """The complete messages of the window, in order."""
        return [
            child
            for child in self._column.children
            if isinstance(child, UserMessage | ReplyMessage) and child.message_id
        ]

    # -- showing a conversation ------------------------------------------------------------------

    async def show(self, view: ConversationView, message_id: str = "") -> None:
        """Show a conversation anew, scrolled to the message and focusing it, or to its end."""
        focused = self.focused_reply() is not None
        before = [message.id for message in self._messages[self._first : self._last]]
        self._messages, self._live, self._examples = list(view.messages), view.live, view.examples
        ids = [message.id for message in self._messages]
        place = ids.index(message_id) if message_id in ids else None
        self._place_window(before, ids, place)
        with self.app.batch_update():
            await self._mount_window()
            await self.queue(view.queued)
        self._look_at(place, focused=focused)

    def _place_window(self, before: Sequence[str], ids: Sequence[str], place: int | None) -> None:
        """Extend the window to the end if its start is still there; else move it."""
        self._last = len(ids)
        kept = bool(before) and ids[self._first : self._first + 1] == [before[0]]
        if not kept or self._last - self._first > MOST:
            self._first = max(self._last - AT_FIRST, 0)
        if place is not None and not self._first <= place < self._last:
            self._first = max(place - 1, 0)
            self._last = min(self._first + AT_FIRST, len(ids))

    async def _mount_window(self) -> None:
        """Mount the messages of the window, keeping widgets that are already right."""
        wanted = self._messages[self._first : self._last]
        widgets = self._widgets
        same = 0
        while same < min(len(wanted), len(widgets)) and widgets[same].message_id == wanted[same].id:
            await _change(widgets[same], wanted[same])
            same += 1
        keep = set(widgets[:same])
        await self._remove([child for child in self._column.children if child not in keep])
        new: list[Widget] = [self._new(view) for view in wanted[same:]]
        if self._live and self._at_end:
            new.append(ReplyMessage(self._live))
        if not new and not same:
            new = [_welcome(self, self._examples)]
        await self._column.mount_all(new)
        await self._fold()

    def _look_at(self, place: int | None, *, focused: bool) -> None:
        """Scroll to a message and focus its reply; without one follow the end."""
        if place is None:
            self.anchor()
            live = self._live_reply(self._live.id) if self._live else None
            if focused and live is not None:
                self.screen.set_focus(live, scroll_visible=False)
            return
        near = [self._widget(message.id) for message in self._messages[place : place + 2]]
        for reply in [widget for widget in near if isinstance(widget, ReplyMessage)][:1]:
            self.screen.set_focus(reply, scroll_visible=False)
        self.release_anchor()
        self.call_after_refresh(self.scroll_to_widget, near[0], animate=False)

    @property
    def _at_end(self) -> bool:
        return self._last == len(self._messages)

    # -- changes ---------------------------------------------------------------------------------

    async def add(self, view: UserView) -> None:
        await self.query("#welcome, .offer").remove()
        await self._to_end()
        self._messages.append(view)
        self._last = len(self._messages)
        await self._mount_before_queued(UserMessage(view))
        self.anchor()

    async def queue(self, texts: Sequence[str]) -> None:
        """Show the queued messages after everything else."""
        await self.query("UserMessage.queued").remove()
        await self._column.mount_all(UserMessage(None, text) for text in texts)

    async def begin(self, live: LiveView) -> None:
        """Start showing a reply, or update the note of the one in progress."""
        self._live = live
        reply = self._live_reply(live.id)
        if reply is None:
            await self._mount_before_queued(ReplyMessage(live))
        else:
            reply.note = live.note

    def think(self, live_id: str, text: str) -> None:
        reply = self._live_reply(live_id)
        if reply is not None:
            reply.think(text)

    async def grow(self, live_id: str, text: str) -> None:
        reply = self._live_reply(live_id)
        if reply is not None:
            await reply.grow(text)

    async def end(self, live_id: str, view: ReplyView | None) -> None:
        """Show the reply as stored, or remove it if nothing was stored."""
        self._live = None
        reply = self._live_reply(live_id)
        if reply is None:
            return
        if view is None:
            await reply.remove()
            return
        self._messages.append(view)
        self._last = len(self._messages)
        await reply.end(view)
        await self._trim_top()

    async def change(self, view: ReplyView) -> None:
        self._messages = [view if message.id == view.id else message for message in self._messages]
        reply = self._widget(view.id)
        if isinstance(reply, ReplyMessage):
            await reply.change(view)

    @property
    def messages(self) -> Sequence[MessageView]:
        """All messages of the conversation, also those that are not mounted."""
        return self._messages

    async def reveal(self, message_id: str) -> None:
        """Scroll to a message that was found, and mark it; an empty id takes the mark away."""
        ids = [message.id for message in self._messages]
        if message_id in ids and not self._first <= (place := ids.index(message_id)) < self._last:
            self._first = max(place - 1, 0)
            self._last = min(self._first + AT_FIRST, len(ids))
            with self.app.batch_update():
                await self._mount_window()
        for widget in self._widgets:
            widget.set_class(widget.message_id == message_id, "found")
        found = self._widget(message_id)
        if found is not None:
            self.release_anchor()
            self.call_after_refresh(self.scroll_to_widget, found, animate=False)

    def score(self, reply_id: str, reward: float) -> None:
        self._rewards[reply_id] = reward
        reply = self._widget(reply_id)
        if isinstance(reply, ReplyMessage):
            reply.reward = reward

    # -- the focused reply -----------------------------------------------------------------------

    def target(self) -> ReplyView | None:
        """The focused reply, or else the last one; None if the focused one is in progress."""
        focused = self.focused_reply()
        if focused is not None:
            return focused.view
        return next((m for m in reversed(self._messages) if isinstance(m, ReplyView)), None)

    def focused_reply(self) -> ReplyMessage | None:
        focused = self.screen.focused if self.is_attached else None
        return focused if isinstance(focused, ReplyMessage) else None

    async def step(self, step: int) -> bool:
        """Move the focus by `step` replies, or to the last one; False past the end."""
        focused = self.focused_reply()
        if focused is None:
            await self._to_end()
        replies, place = self._beside(focused, step)
        if place < 0 and self._first:
            await self._show_earlier()
        elif place >= len(replies) and not self._at_end:
            await self._show_later()
        replies, place = self._beside(focused, step)
        if not replies or place >= len(replies):
            return False
        self.screen.set_focus(replies[max(place, 0)])
        return True

    def _beside(self, focused: ReplyMessage | None, step: int) -> tuple[list[ReplyMessage], int]:
        """All replies, and the place `step` from the focused one, or else that of the last."""
        replies = list(self.query(ReplyMessage))
        return replies, replies.index(focused) + step if focused in replies else len(replies) - 1

    async def page(self, pages: int) -> None:
        """Scroll by pages, moving the window at its ends."""
        await self._reach(pages)
        if pages < 0:
            self.scroll_page_up(animate=False)
        else:
            self.scroll_page_down(animate=False)

    # -- the window ------------------------------------------------------------------------------

    async def on_folded_wanted(self, event: Folded.Wanted) -> None:
        event.stop()
        await (self._show_earlier() if isinstance(event.folded, Earlier) else self._show_later())

    async def on_mouse_scroll_up(self) -> None:
        await self._reach(-1)

    async def on_mouse_scroll_down(self) -> None:
        await self._reach(1)

    async def _reach(self, direction: int) -> None:
        """Move the window if the view is at its end in `direction`."""
        if direction < 0 and self.scroll_y <= 0 and self._first:
            await self._show_earlier()
        elif direction > 0 and self.scroll_y >= self.max_scroll_y and not self._at_end:
            await self._show_later()

    async def _show_earlier(self) -> None:
        first = max(self._first - PAGE, 0)
        views, self._first = self._messages[first : self._first], first
        reading = self._widgets[0]
        with self.app.batch_update():
            await self._column.mount_all((self._new(view) for view in views), before=reading)
            if self._live is None and self._last - self._first > MOST:
                await self._remove(self._widgets[MOST:])
                self._last = self._first + MOST
            await self._fold()
        self.release_anchor()
        self.call_after_refresh(self.scroll_to_widget, reading, top=True, animate=False)

    async def _show_later(self) -> None:
        last = min(self._last + PAGE, len(self._messages))
        views, self._last = self._messages[self._last : last], last
        reading = self._widgets[-1]
        with self.app.batch_update():
            await self._column.mount_all((self._new(view) for view in views), after=reading)
            await self._trim_top()
        self.call_after_refresh(self.scroll_to_widget, reading, top=True, animate=False)

    async def _to_end(self) -> None:
        if not self._at_end:
            self._first = max(len(self._messages) - AT_FIRST, 0)
            self._last = len(self._messages)
            with self.app.batch_update():
                await self._mount_window()
            self.anchor()

    async def _trim_top(self) -> None:
        with self.app.batch_update():
            if self._last - self._first > MOST:
                # By a page at a time, so that the text does not move with every message.
                first = self._last - MOST + PAGE
                await self._remove(self._widgets[: first - self._first])
                self._first = first
            await self._fold()

    async def _fold(self) -> None:
        """Show how many messages are before and after the window."""
        await self.query(Folded).remove()
        if self._first:
            earlier = _more(counted(self._first, "earlier message"))
            await self._column.mount(Earlier(earlier, markup=False), before=0)
        if not self._at_end:
            later = _more(counted(len(self._messages) - self._last, "later message"))
            await self._column.mount(Later(later, markup=False), after=self._widgets[-1])

    def _remove(self, widgets: Sequence[Widget]) -> AwaitRemove:
        return self._column.remove_children(widgets)

    def _new(self, view: MessageView) -> UserMessage | ReplyMessage:
        if isinstance(view, UserView):
            return UserMessage(view)
        return ReplyMessage(view, self._rewards.get(view.id))

    async def _mount_before_queued(self, message: Widget) -> None:
        queued = self.query("UserMessage.queued")
        await self._column.mount(message, before=queued.first() if queued else None)

    def _widget(self, message_id: str) -> UserMessage | ReplyMessage | None:
        return next((m for m in self._widgets if m.message_id == message_id), None)

    def _live_reply(self, live_id: str) -> ReplyMessage | None:
        return next((reply for reply in self.query(ReplyMessage) if reply.live_id == live_id), None)


async def _change(widget: UserMessage | ReplyMessage, view: MessageView) -> None:
    match widget, view:
        case UserMessage(), UserView():
            await widget.change(view)
        case ReplyMessage(), ReplyView():
            await widget.change(view)


def _more(messages: str) -> str:
    return _("{messages} · Enter shows more").format(messages=messages)
