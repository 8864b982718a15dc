"""The two kinds of turn in a transcript.

Nothing a person or a model wrote is ever read as Textual markup: plain text goes through `Content`,
replies through a Markdown parser in which HTML is text and a line break is a line break.
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
from tui.text_format import counted, harmless, one_line
from tui.theme import MUTED
from tui.views.chat import LiveView, ReplyView, UserView


def chat_markdown() -> MarkdownIt:
    """Markdown as a chat means it: lines stay lines, and HTML is shown instead of swallowed."""
    parser = MarkdownIt("gfm-like", {"html": False})
    parser.core.ruler.push("line_breaks", _keep_line_breaks)
    return parser


def _keep_line_breaks(state: StateCore) -> None:
    for token in state.tokens:
        for child in token.children or ():
            if child.type == "softbreak":
                child.type = "hardbreak"


class UserTurn(Static):
    """What the person said, stored or still waiting."""

    def __init__(self, turn: UserView | None, queued: str = "") -> None:
        self.turn = turn
        content = _said(turn) if turn else _waiting(queued)
        super().__init__(content, classes="" if turn else "queued")

    @property
    def turn_id(self) -> str:
        """Of the message; empty while it waits."""
        return self.turn.id if self.turn else ""

    async def change(self, turn: UserView) -> None:
        """Show what stands about the message now."""
        if turn != self.turn:
            self.turn = turn
            self.update(_said(turn))


def _said(turn: UserView) -> Content:
    versions = f"  {turn.place}/{turn.places}" if turn.places > 1 else ""
    return Content.assemble(
        (_("You"), "bold"), (versions, MUTED), "\n", harmless(folded(turn.text))
    )


def _waiting(text: str) -> Content:
    return Content.assemble(
        (_("You"), "bold"), (_("  queued"), "$text-warning"), "\n", (harmless(folded(text)), MUTED)
    )


class Heading(Static):
    """Who answered, and at the right what stands about the reply."""

    _left = _right = Content("")

    def show(self, adapter: str, badges: Content) -> None:
        self._left = Content.assemble(("Tutee", "bold"), (f"  {adapter}" if adapter else "", MUTED))
        self._right = badges
        self.refresh()

    def render(self) -> Content:
        """Both on one line; a chat holds many headings, so each is one widget, not four."""
        room = max(self.content_size.width - self._left.cell_length - 2, 0)
        right = self._right.truncate(room, ellipsis=True)
        gap = room + 2 - right.cell_length
        return Content.assemble(self._left, " " * gap, right)


_OTHER = N_("Another version")


class ReplyTurn(Vertical, can_focus=True):
    """A reply: streamed while it is written, then as it was stored, with all that stands about it.

    Made from a `LiveView` it streams until `end`; made from a `ReplyView` it is whole at once.
    """

    HELP = "On a reply"
    BINDINGS: ClassVar[list[BindingType]] = [
        # In the order of the footer, which shows those that do something now.
        Binding("plus", "screen.like", "👍", key_display="+", id="reply.like"),
        Binding("minus", "screen.dislike", "👎", key_display="-", id="reply.dislike"),
        Binding("c", "screen.correct", "Correct", id="reply.correct"),
        Binding("r", "screen.regenerate", "Again", id="reply.again"),
        Binding("e", "screen.edit", "Edit", id="reply.edit"),
        Binding(
            "left",
            "screen.choose(-1)",
            "Other",
            key_display="←→",
            tooltip=_OTHER,
            id="reply.other_before",
        ),
        Binding(
            "right",
            "screen.choose(1)",
            "Other",
            show=False,
            tooltip=_OTHER,
            id="reply.other_after",
        ),
        Binding("p", "screen.prefer", "Prefer", id="reply.prefer"),
        Binding("g", "screen.go_on", "Go on", show=False, id="reply.go_on"),
        Binding("y", "screen.copy", "Copy", id="reply.copy"),
        Binding("Y", "screen.copy_code", "Code", id="reply.copy_code"),
        Binding("x", "screen.exclude", "Exclude", id="reply.exclude"),
        Binding("m", "screen.tokens", "Tokens", id="reply.tokens"),
        Binding("o", "original", "Original", id="reply.original"),
        Binding("b", "app.best_of", "Best of four", show=False, id="reply.best_of"),
        # Said beside the prompt: the footer has no room for it on a narrow terminal.
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
    """What a reward model says of it."""

    def __init__(self, turn: ReplyView | LiveView, reward: float | None = None) -> None:
        super().__init__()
        self.set_reactive(ReplyTurn.reward, reward)
        self.live_id = turn.id if isinstance(turn, LiveView) else ""
        self._first = turn.text if isinstance(turn, LiveView) else turn.shown
        self._stream: MarkdownStream | None = None
        if isinstance(turn, ReplyView):
            self.set_reactive(ReplyTurn.view, turn)
        else:
            self.set_reactive(ReplyTurn.note, turn.note)

    @property
    def turn_id(self) -> str:
        """Of the reply; empty while it is written."""
        return self.view.id if self.view else ""

    def compose(self) -> ComposeResult:
        yield Heading()
        yield Markdown(
            harmless(self._first), classes="reply", parser_factory=chat_markdown, open_links=False
        )
        yield Static(classes="aside")

    def on_mount(self) -> None:
        self._draw_heading()

    # -- while it is written ---------------------------------------------------------------------

    async def grow(self, text: str) -> None:
        """Add a piece of the reply under way."""
        if self._stream is None:
            self._stream = Markdown.get_stream(self.query_one(Markdown))
        await self._stream.write(harmless(text))

    async def end(self, view: ReplyView) -> None:
        """Show the reply as it was stored."""
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

    # -- once it is stored -----------------------------------------------------------------------

    async def change(self, view: ReplyView) -> None:
        """Show what stands about the reply now."""
        if view == self.view:
            return
        self.show_original = False
        before, self.view = self.view, view
        if before is None or before.shown != view.shown:
            await self.query_one(Markdown).update(harmless(view.shown))

    async def action_original(self) -> None:
        """Change between the correction and what it corrects."""
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
        """Open links to the web; any other kind a model may write stays shut."""
        event.stop()
        if urlsplit(event.href).scheme in ("http", "https"):
            self.app.open_url(event.href)

    # -- drawing ---------------------------------------------------------------------------------

    def watch_view(self) -> None:
        if self.is_mounted:
            self._draw_heading()

    def watch_reward(self) -> None:
        if self.is_mounted:
            self._draw_heading()

    def watch_note(self) -> None:
        if self.is_mounted:
            self._draw_heading()

    def watch_show_original(self) -> None:
        if self.is_mounted:
            self._draw_heading()

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
        self.refresh_bindings()


def _badges(view: ReplyView, reward: float | None) -> Content:
    parts: list[Content] = []
    if view.places > 1:
        parts.append(Content(f"{view.place}/{view.places}"))
    if view.label is True:
        parts.append(Content("👍"))
    if view.label is False:
        parts.append(
            Content(harmless(f"👎 {_(', ').join(map(_, view.reasons))}".rstrip())).stylize(
                "$text-error"
            )
        )
    if view.correction is not None:
        parts.append(Content(_("✎ corrected")).stylize("$text-success"))
    if view.preferred:
        parts.append(Content(_("preferred")).stylize("$text-success"))
    if view.excluded:
        parts.append(Content(_("not trained on")).stylize("$text-warning"))
    if view.stopped:
        parts.append(Content(_("stopped")).stylize("$text-warning"))
    if view.limit:
        parts.append(
            Content(_("cut off at {limit} tokens").format(limit=view.limit)).stylize(
                "$text-warning"
            )
        )
    if view.forgotten:
        messages = counted(view.forgotten, "message")
        parts.append(
            Content(_("without the oldest {messages}").format(messages=messages)).stylize(
                "$text-warning"
            )
        )
    if view.speed:
        parts.append(Content(_("{speed:.0f} tok/s").format(speed=view.speed)).stylize(MUTED))
    if reward is not None:
        parts.append(Content(_("reward {reward:+.1f}").format(reward=reward)).stylize(MUTED))
    return Content(" · ").stylize(MUTED).join(parts)


def _aside(view: ReplyView, original_shown: bool) -> str:
    if view.correction is None:
        return "" if view.text.strip() else _("The model ended without a word.")
    if original_shown:
        return _("the original · O shows your correction: {text}").format(
            text=one_line(view.correction)
        )
    return _("O shows the original: {text}").format(text=one_line(view.text))
