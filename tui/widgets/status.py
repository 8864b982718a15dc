"""The header: which model and version answers, and what was taught so far."""

from dataclasses import dataclass

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.reactive import reactive
from textual.widgets import Static

from tui.theme import MUTED


@dataclass(frozen=True)
class Status:
    """The header: who answers, and what was taught."""

    model: str = ""
    adapter: str = ""
    liked: int = 0
    disliked: int = 0
    corrected: int = 0
    new: int | None = None
    """Instruction records the active adapter has not learned; unknown before the model is ready."""


class StatusBar(Horizontal):
    """One line over the chat."""

    status: reactive[Status] = reactive(Status())

    def compose(self) -> ComposeResult:
        yield Static(id="who")
        yield Static(id="taught")

    def on_mount(self) -> None:
        self._draw()

    def watch_status(self) -> None:
        if self.is_mounted:
            self._draw()

    def _draw(self) -> None:
        self.query_one("#who", Static).update(_who(self.status))
        self.query_one("#taught", Static).update(_taught(self.status))


def _who(status: Status) -> Content:
    parts = [Content("Tutee").stylize("bold")]
    parts += [Content(part) for part in (status.model, status.adapter) if part]
    return Content(" · ").stylize(MUTED).join(parts)


def _taught(status: Status) -> Content:
    counts = Content(f"👍 {status.liked}  👎 {status.disliked}  ✎ {status.corrected}")
    if status.new is None:
        return counts
    style = "$text-warning" if status.new else MUTED
    return Content.assemble(counts, (" · ", MUTED), (f"{status.new} new", style))
