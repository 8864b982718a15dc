"""The messages in a transcript: of the user and of the model.

Text of the user or the model is never parsed as Textual markup: plain text goes through `Content`,
replies through a Markdown parser that shows HTML as text and keeps line breaks.
"""

from typing import ClassVar
from urllib.parse import urlsplit

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.reactive import reactive
from textual.widgets import Markdown, Static
from textual.widgets.markdown import MarkdownStream

from store.i18n import N_, _, ngettext
from tui.commands.attachments import folded
from tui.commands.keymap import keyed
from tui.text_format import counted, harmless, one_line
from tui.theme import MUTED
from tui.views.chat import LiveView, RecalledView, ReplyView, UserView
from tui.widgets.markdown import ReplyText
from tui.widgets.sides import Sides

_YOU, _MODEL = "bold $text-secondary", "bold $text-primary"
"""Styles of the names."""


class UserMessage(Static):
    """A message of the user, stored or queued."""

    def __init__(self, view: UserView | None, queued: str = "") -> None:
        self.view = view
        super().__init__(_sent(view) if view else _queued(queued), classes="" if view else "queued")

    @property
    def message_id(self) -> str:
        """Id of the message; empty while it is queued."""
        return self.view.id if self.view else ""

    async def change(self, view: UserView) -> None:
        if view != self.view:
            self.view = view
            self.update(_sent(view))


def _sent(view: UserView) -> Content:
    versions = f"  {view.place}/{view.places}" if view.places > 1 else ""
    return Content.assemble((_("You"), _YOU), (versions, MUTED), "\n", harmless(folded(view.text)))


def _queued(text: str) -> Content:
    return Content.assemble(
        (_("You"), _YOU), (_("  queued"), "$text-warning"), "\n", (harmless(folded(text)), MUTED)
    )


class Thoughts(Static):
    """What the model thought before a reply: one line, unfolded by a click or a key."""

    text: reactive[str] = reactive("", layout=True)
    seconds: reactive[float] = reactive(0.0)
    unfolded: reactive[bool] = reactive(False, layout=True)
    thinking: reactive[bool] = reactive(False, layout=True)
    """It still thinks, so the end of the thoughts is shown."""

    def watch_text(self, text: str) -> None:
        self.display = bool(text.strip())

    def on_click(self, event: events.Click) -> None:
        event.stop()
        self.unfolded = not self.unfolded

    def render(self) -> Content:
        text = harmless(self.text.strip())
        if self.thinking and not self.unfolded:
            line = _("thinking…")
            text = "\n".join(text.splitlines()[-_LAST_THOUGHTS:])[-_LAST_CHARACTERS:]
        elif self.seconds:
            line = _("thought for {seconds} s").format(seconds=max(round(self.seconds), 1))
        else:
            line = _("thoughts")
        if not (self.unfolded or self.thinking):
            line = keyed(self, f"▸ {line} · {{key:reply.thoughts}}")
            return Content(line).stylize(MUTED)
        return Content.assemble((f"▾ {line}", MUTED), "\n", (text, f"italic {MUTED}"))


_LAST_THOUGHTS, _LAST_CHARACTERS = 4, 600
"""Lines and characters of the thoughts that are shown while the model thinks."""
_TIP = N_("Another version")
_FROM = N_("The corrections it follows")
_OFFER = N_("Better? {key:chat.adopt} makes this the correction of the first reply.")


class ReplyMessage(Vertical, can_focus=True):
    """A reply: streamed while in progress, then as stored, with its feedback.

    Given a `LiveView` it streams until `end`; given a `ReplyView` it is complete at once.
    """

    HELP = "On a reply"
    BINDINGS: ClassVar[list[BindingType]] = [
        # In footer order; the footer shows the enabled ones.
        Binding("plus", "screen.like", "👍", key_display="+", id="reply.like"),
        Binding("minus", "screen.dislike", "👎", key_display="-", id="reply.dislike"),
        Binding("c", "screen.correct", "Correct", id="reply.correct"),
        Binding("r", "screen.regenerate", "Ask again", id="reply.again"),
        Binding("e", "screen.edit", "Edit", id="reply.edit"),
        Binding(
            "left", "screen.choose(-1)", "Other", True, "←→", tooltip=_TIP, id="reply.other_before"
        ),
        Binding(
            "right", "screen.choose(1)", "Other", show=False, tooltip=_TIP, id="reply.other_after"
        ),
        Binding("s", "screen.adopt", "Use as correction", show=False, id="reply.adopt"),
        Binding("p", "screen.prefer", "Prefer", id="reply.prefer"),
        Binding("g", "screen.go_on", "Go on", show=False, id="reply.go_on"),
        Binding("y", "screen.copy", "Copy", id="reply.copy"),
        Binding("Y", "screen.copy_code", "Code", id="reply.copy_code"),
        Binding("x", "screen.exclude", "Exclude", id="reply.exclude"),
        Binding("m", "screen.tokens", "Tokens", id="reply.tokens"),
        Binding("o", "original", "Original", id="reply.original"),
        Binding("t", "thoughts", "Thoughts", id="reply.thoughts"),
        Binding("b", "app.best_of", "Best of four", show=False, id="reply.best_of"),
        # Both named beside the prompt, as a narrow footer has no room for them.
        Binding("f", "recalled", "From", show=False, tooltip=_FROM, id="reply.recalled"),
        Binding("ctrl+z", "screen.undo", "Undo", show=False, id="reply.undo"),
        Binding(
            "shift+left,left_square_bracket",
            "screen.choose_question(-1)",
            "Question before",
            show=False,
            id="reply.question_before",
        ),
        Binding(
            "shift+right,right_square_bracket",
            "screen.choose_question(1)",
            "Question after",
            show=False,
            id="reply.question_after",
        ),
        Binding("up,k", "screen.step(-1)", "Previous reply", show=False, id="reply.previous"),
        Binding("down,j", "screen.step(1)", "Next reply", show=False, id="reply.next"),
        Binding("pageup", "screen.page(-1)", "Scroll up", show=False, id="chat.page_up"),
        Binding("pagedown", "screen.page(1)", "Scroll down", show=False, id="chat.page_down"),
    ]

    view: reactive[ReplyView | None] = reactive(None, init=False)
    note: reactive[str] = reactive("", init=False)
    show_original: reactive[bool] = reactive(False, init=False)
    show_recalled: reactive[bool] = reactive(False, init=False)
    reward: reactive[float | None] = reactive(None, init=False)
    """The score of the reward model."""

    def __init__(self, view: ReplyView | LiveView, reward: float | None = None) -> None:
        super().__init__()
        self.set_reactive(ReplyMessage.reward, reward)
        self._stream: MarkdownStream | None = None
        if isinstance(view, LiveView):
            self.live_id, self._first = view.id, view.text
            self._thoughts = view.thoughts
            self.set_reactive(ReplyMessage.note, view.note)
        else:
            self.live_id, self._first = "", view.shown
            self._thoughts = view.thoughts
            self.set_reactive(ReplyMessage.view, view)

    @property
    def message_id(self) -> str:
        """Id of the reply; empty while it is in progress."""
        return self.view.id if self.view else ""

    def compose(self) -> ComposeResult:
        yield Sides(classes="heading")
        thoughts = Thoughts(classes="thoughts")
        thoughts.set_reactive(Thoughts.thinking, bool(self.live_id and not self._first))
        thoughts.set_reactive(Thoughts.seconds, self.view.thought_seconds if self.view else 0.0)
        thoughts.text = self._thoughts
        yield thoughts
        yield ReplyText(self._first)
        yield Static(classes="aside")

    def on_mount(self) -> None:
        self._draw_heading()

    # -- in progress -----------------------------------------------------------------------------

    def think(self, text: str) -> None:
        self.query_one(Thoughts).text += text

    async def grow(self, text: str) -> None:
        self.query_one(Thoughts).thinking = False
        if self._stream is None:
            self._stream = Markdown.get_stream(self.query_one(ReplyText))
        await self._stream.write(text)

    async def end(self, view: ReplyView) -> None:
        await self._stop_streaming()
        self.live_id = ""
        self.note = ""
        self.view = view
        self._show_thoughts(view)
        await self.query_one(ReplyText).update(view.shown)

    async def on_unmount(self) -> None:
        await self._stop_streaming()

    async def _stop_streaming(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            await stream.stop()

    # -- stored ----------------------------------------------------------------------------------

    async def change(self, view: ReplyView) -> None:
        if view == self.view:
            return
        self.show_original = self.show_recalled = False
        before, self.view = self.view, view
        self._show_thoughts(view)
        if before is None or before.shown != view.shown:
            await self.query_one(ReplyText).update(view.shown)

    def _show_thoughts(self, view: ReplyView) -> None:
        thoughts = self.query_one(Thoughts)
        thoughts.thinking = False
        thoughts.text, thoughts.seconds = view.thoughts, view.thought_seconds

    async def on_key(self, event: events.Key) -> None:
        """Copy the code block with the number of a digit."""
        if event.key in "123456789":
            event.stop()
            await self.run_action(f"screen.copy('{event.key}')")

    def action_thoughts(self) -> None:
        """Fold or unfold what the model thought."""
        thoughts = self.query_one(Thoughts)
        thoughts.unfolded = not thoughts.unfolded

    async def action_original(self) -> None:
        if self.view is None:
            return
        self.show_original = not self.show_original
        text = self.view.text if self.show_original else self.view.shown
        await self.query_one(ReplyText).update(text)

    def action_recalled(self) -> None:
        self.show_recalled = not self.show_recalled

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "original":
            return self.view is not None and self.view.correction is not None
        if action == "recalled":
            return self.view is not None and bool(self.view.recalled)
        if action == "thoughts":
            return self.is_mounted and bool(self.query_one(Thoughts).text.strip())
        return True

    def on_markdown_link_clicked(self, event: Markdown.LinkClicked) -> None:
        """Open web links only; a model may write links of any scheme."""
        event.stop()
        if urlsplit(event.href).scheme in ("http", "https"):
            self.app.open_url(event.href)

    # -- drawing ---------------------------------------------------------------------------------

    def _redraw(self) -> None:
        if self.is_mounted:
            self._draw_heading()

    watch_view = watch_note = watch_reward = _redraw
    watch_show_original = watch_show_recalled = _redraw

    def _draw_heading(self) -> None:
        view = self.view
        self.set_class(view is not None and view.correction is not None, "corrected")
        self.set_class(self.show_original, "original")
        badges = _badges(view, self.reward) if view else Content(self.note).stylize("$text-warning")
        version = (view.adapter if view else None) or ""
        left = Content.assemble(("Tutee", _MODEL), (f"  {version}" if version else "", MUTED))
        self.query_one(".heading", Sides).show(left, badges)
        aside = self.query_one(".aside", Static)
        text = _aside(view, self.show_original) if view else ""
        if view and self.show_recalled:
            text = "\n".join(filter(None, (text, *map(_recalled, view.recalled))))
        aside.display = bool(text)
        aside.update(Content(harmless(text)))
        self._offer(view is not None and view.offered)
        self.refresh_bindings()

    def _offer(self, offered: bool) -> None:
        """Offer to make this the correction of the first reply; shown on the last reply only."""
        shown = self.query(".offer")
        if offered and not shown:
            self.mount(Static(keyed(self, _(_OFFER)), classes="offer", markup=False))
        elif not offered:
            shown.remove()


def _badges(view: ReplyView, reward: float | None) -> Content:
    badges: list[tuple[str, str]] = []
    if view.places > 1:
        badges.append((f"{view.place}/{view.places}", ""))
    if view.label is True:
        badges.append(("👍", ""))
    if view.label is False:
        reasons = _(", ").join(map(_, view.reasons))
        badges.append((harmless(f"👎 {reasons}".rstrip()), "$text-error"))
    if view.correction is not None:
        badges.append((_("✎ corrected"), "$text-success"))
    if view.as_taught is not None:
        said, style = _("✓ as you taught"), "$text-success"
        if not view.as_taught:
            said, style = _("✗ not as you taught"), "$text-warning"
        badges.append((said, style))
    if view.adopted:
        badges.append((_("✎ corrects the first reply"), "$text-success"))
    if view.preferred:
        badges.append((_("preferred"), "$text-success"))
    if view.excluded:
        badges.append((_("not trained on"), "$text-warning"))
    if view.stopped:
        badges.append((_("stopped"), "$text-warning"))
    if view.limit:
        badges.append((_("cut off at {limit} tokens").format(limit=view.limit), "$text-warning"))
    if view.forgotten:
        oldest = counted(view.forgotten, "message")
        text = _("without the oldest {messages}").format(messages=oldest)
        badges.append((text, "$text-warning"))
    if view.recalled:
        badges.append((_from(view), "$text-accent"))
    if view.speed:
        badges.append((_("{speed:.0f} tok/s").format(speed=view.speed), MUTED))
    if reward is not None:
        badges.append((_("reward {reward:+.1f}").format(reward=reward), MUTED))
    parts = [Content(text).stylize(style) for text, style in badges]
    return Content(" · ").stylize(MUTED).join(parts)


def _from(view: ReplyView) -> str:
    count = len(view.recalled)
    return ngettext("from {count} correction", "from {count} corrections", count).format(
        count=count
    )


def _recalled(view: RecalledView) -> str:
    if view == RecalledView():
        return _("A record that was deleted since.")
    return f"{one_line(view.question)} → {one_line(view.reply)}"


def _aside(view: ReplyView, original_shown: bool) -> str:
    if view.as_taught:
        return _("+ keeps it as learned.")
    if view.as_taught is False:
        return _("You taught: {text}\nC corrects it again, + says that it is right.").format(
            text=one_line(view.taught)
        )
    if view.correction is None:
        if view.text.strip():
            return ""
        if view.thoughts and view.limit:
            return _("It was still thinking at the limit: raise it, or use /think off.")
        return _("The model ended without writing anything.")
    if original_shown:
        return _("Original · O shows your correction: {text}").format(
            text=one_line(view.correction)
        )
    return _("O shows the original: {text}").format(text=one_line(view.text))
