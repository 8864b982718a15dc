"""The panel at the right of a wide chat: its lessons, what was recalled, what is learned next."""

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.reactive import reactive
from textual.widgets import Static

from store.i18n import _
from tui.commands.keymap import keyed
from tui.text_format import harmless, shortened
from tui.theme import MUTED
from tui.views.side_panel import Lesson
from tui.widgets.activity import Activity
from tui.widgets.status import Status

_MOST = 12
"""Lessons listed; the others are counted."""
_STYLES = {"✎": "$text-success", "👍": "$text-success", "★": "$text-success", "👎": "$text-error"}


class SidePanel(VerticalScroll, can_focus=False):
    """Hidden where there is no room."""

    lessons: reactive[tuple[Lesson, ...]] = reactive(())
    """What the open chat has taught, the newest first."""
    recalled: reactive[tuple[str, ...]] = reactive(())
    """What was put before the last question; empty hides the section."""
    status: reactive[Status] = reactive(Status())
    line: reactive[Content | None] = reactive(None)
    """The background job."""

    def compose(self) -> ComposeResult:
        yield Static(id="side-lessons")
        yield Static(id="side-recalled")
        yield Static(id="side-next")
        yield Activity(id="side-activity").data_bind(line=SidePanel.line)

    def _draw(self) -> None:
        if not self.is_mounted:
            return
        width = max(self.content_size.width, 12)
        self.query_one("#side-lessons", Static).update(self._lessons(width))
        recalled = self.query_one("#side-recalled", Static)
        recalled.display = bool(self.recalled)
        recalled.update(_section(_("Recalled"), [shortened(t, width) for t in self.recalled]))
        self.query_one("#side-next", Static).update(self._next())

    on_mount = on_resize = watch_lessons = watch_recalled = watch_status = _draw

    def _lessons(self, width: int) -> Content:
        title = _("Taught in this chat")
        if not self.lessons:
            keys = keyed(self, _("{key:chat.like} good · {key:chat.dislike} bad"))
            fix = keyed(self, _("{key:chat.correct} fix it"))
            return _section(title, [_("Nothing yet. On a reply:"), keys, fix], muted=True)
        lines = [_line(lesson, width) for lesson in self.lessons[:_MOST]]
        more = len(self.lessons) - _MOST
        if more > 0:
            lines.append(Content(_("and {count} more").format(count=more)).stylize(MUTED))
        return _section(title, lines)

    def _next(self) -> Content:
        status, lines = self.status, list[str | Content]()
        if status.new is None:
            lines.append(Content(_("known once the model is loaded")).stylize(MUTED))
        else:
            lines.append(_("{count} to learn").format(count=status.new))
        rated = f"✎ {status.corrected}  👍 {status.liked}  👎 {status.disliked}"
        lines.append(Content(_("so far: {counts}").format(counts=rated)).stylize(MUTED))
        if status.new:
            lines.append(Content(keyed(self, _("{key:app.tune} trains"))).stylize(MUTED))
        return _section(_("Next version"), lines)


def _section(title: str, lines: Sequence[str | Content], *, muted: bool = False) -> Content:
    body = Content("\n").join(
        line if isinstance(line, Content) else Content(harmless(line)) for line in lines
    )
    return Content("\n").join(
        [Content(title).stylize("bold"), body.stylize(MUTED if muted else "")]
    )


def _line(lesson: Lesson, width: int) -> Content:
    text = shortened(harmless(lesson.text), width - 3)
    style = MUTED if lesson.excluded else ""
    return Content.assemble((lesson.mark, _STYLES[lesson.mark]), " ", (text, style))
