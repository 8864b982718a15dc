"""The messages in a transcript: of the user and of the model.

Text of the user or the model is never parsed as Textual markup: plain text goes through `Content`,
replies through a Markdown parser that shows HTML as text and keeps line breaks.
"""

from typing import ClassVar
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.reactive import reactive
from textual.widgets import Markdown, Static
from textual.widgets.markdown import MarkdownStream

from store.i18n import N_, _
from tui.commands.attachments import folded
from tui.commands.keymap import keyed
from tui.text_format import counted, harmless, one_line
from tui.theme import MUTED
from tui.views.chat import LiveView, ReplyView, UserView


def chat_markdown() -> MarkdownIt:
    """A Markdown parser that keeps line breaks and shows HTML as text."""
    parser = MarkdownIt("gfm-like", {"html": False})
    parser.core.ruler.push("line_breaks", _keep_line_breaks)
    return parser


def _keep_line_breaks(state: StateCore) -> None:
    for token in state.tokens:
        for child in token.children or ():
            if child.type == "softbreak":
                child.type = "hardbreak"


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
    return Content.assemble(
        (_("You"), "bold"), (versions, MUTED), "\n", harmless(folded(view.text))
    )


def _queued(text: str) -> Content:
    return Content.assemble(
        (_("You"), "bold"), (_("  queued"), "$text-warning"), "\n", (harmless(folded(text)), MUTED)
    )


class Heading(Static):
    """The adapter version, and the badges of the reply on the right."""

    _left = _right = Content("")

    def show(self, adapter: str, badges: Content) -> None:
        self._left = Content.assemble(("Tutee", "bold"), (f"  {adapter}" if adapter else "", MUTED))
        self._right = badges
        self.refresh()

    def render(self) -> Content:
        """Both sides in one widget instead of four, because a chat has many headings."""
        room = max(self.content_size.width - self._left.cell_length - 2, 0)
        right = self._right.truncate(room, ellipsis=True)
        gap = room + 2 - right.cell_length
        return Content.assemble(self._left, " " * gap, right)


_TIP = N_("Another version")
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
        Binding("r", "screen.regenerate", "Again", id="reply.again"),
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
        Binding("b", "app.best_of", "Best of four", show=False, id="reply.best_of"),
        # Shown beside the prompt, as a narrow footer has no room for it.
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
    reward: reactive[float | None] = reactive(None, init=False)
    """The score of the reward model."""

    def __init__(self, view: ReplyView | LiveView, reward: float | None = None) -> None:
        super().__init__()
        self.set_reactive(ReplyMessage.reward, reward)
        self._stream: MarkdownStream | None = None
        if isinstance(view, LiveView):
            self.live_id, self._first = view.id, view.text
            self.set_reactive(ReplyMessage.note, view.note)
        else:
            self.live_id, self._first = "", view.shown
            self.set_reactive(ReplyMessage.view, view)

    @property
    def message_id(self) -> str:
        """Id of the reply; empty while it is in progress."""
        return self.view.id if self.view else ""

    def compose(self) -> ComposeResult:
        yield Heading()
        yield Markdown(
            harmless(self._first), classes="reply", parser_factory=chat_markdown, open_links=False
        )
        yield Static(classes="aside")

    def on_mount(self) -> None:
        self._draw_heading()

    # -- in progress -----------------------------------------------------------------------------

    async def grow(self, text: str) -> None:
        if self._stream is None:
            self._stream = Markdown.get_stream(self.query_one(Markdown))
        await self._stream.write(harmless(text))

    async def end(self, view: ReplyView) -> None:
        await self._stop_streaming()
        self.live_id = ""
        self.note = ""
        self.view = view
        await self.query_one(Markdown).update(harmless(view.shown))

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
        self.show_original = False
        before, self.view = self.view, view
        if before is None or before.shown != view.shown:
            await self.query_one(Markdown).update(harmless(view.shown))

    async def action_original(self) -> None:
        if self.view is None:
            return
        self.show_original = not self.show_original
        text = self.view.text if self.show_original else self.view.shown
        await self.query_one(Markdown).update(harmless(text))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "original":
            return self.view is not None and self.view.correction is not None
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

    watch_view = watch_note = watch_reward = watch_show_original = _redraw

    def _draw_heading(self) -> None:
        view = self.view
        self.set_class(view is not None and view.correction is not None, "corrected")
        self.set_class(self.show_original, "original")
        badges = _badges(view, self.reward) if view else Content(self.note).stylize("$text-warning")
        self.query_one(Heading).show((view.adapter if view else None) or "", badges)
        aside = self.query_one(".aside", Static)
        text = _aside(view, self.show_original) if view else ""
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
    if view.speed:
        badges.append((_("{speed:.0f} tok/s").format(speed=view.speed), MUTED))
    if reward is not None:
        badges.append((_("reward {reward:+.1f}").format(reward=reward), MUTED))
    parts = [Content(text).stylize(style) for text, style in badges]
    return Content(" · ").stylize(MUTED).join(parts)


def _aside(view: ReplyView, original_shown: bool) -> str:
    if view.correction is None:
        return "" if view.text.strip() else _("The model ended without writing anything.")
    if original_shown:
        return _("Original · O shows your correction: {text}").format(
            text=one_line(view.correction)
        )
    return _("O shows the original: {text}").format(text=one_line(view.text))
