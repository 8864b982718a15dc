"""The line above the footer for the background job; a click opens its screen."""

from textual import events
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widgets import Static

from core.events import ModelLoading
from store.i18n import _
from tui.text_format import bar
from tui.theme import MUTED
from tui.views.training_progress import TrainingProgress, run_clock, stage_text
from tui.views.transfer_rate import format_size

_BAR_CELLS = 24
_RUN_BAR_CELLS = 16


class Activity(Static):
    """One line about the background job; hidden without one."""

    line: reactive[Content | None] = reactive(None)

    class Opened(Message):
        """The user clicked the line."""

    def watch_line(self, line: Content | None) -> None:
        self.display = line is not None
        self.update(line or "")

    def on_click(self, event: events.Click) -> None:
        event.stop()
        self.post_message(self.Opened())


def loading_line(loading: ModelLoading, note: str = "") -> Content:
    """Progress of loading or downloading a model; `note` says its speed and time left."""
    if not loading.total:
        return Content.assemble(("▸ ", "$text-warning"), f"{loading.stage}…")
    share = loading.done / loading.total
    size = format_size(loading.total) if loading.unit == "B" else f"{loading.total} {loading.unit}"
    return Content.assemble(
        ("▸ ", "$text-warning"),
        f"{loading.stage}  ",
        (bar(share, _BAR_CELLS // 3 if note else _BAR_CELLS), "$text-warning on $panel"),
        _("  {share:.0%} of {size}").format(share=share, size=size),
        (f" · {note}" if note else "", MUTED),
    )


def tuning_line(progress: TrainingProgress, key: str) -> Content:
    """How far the whole run is; `key` opens where it goes on from a pause."""
    mark: tuple[str, str] = ("▸ ", "$text-warning")
    if progress.state == "cancelling":
        return Content.assemble(mark, _("Canceling…"))
    if progress.state == "paused":
        paused = _("Tuning is paused at step {step} of {steps} · {key}")
        text = paused.format(step=int(progress.step), steps=progress.steps, key=key)
        return Content.assemble(mark, text)
    return Content.assemble(
        mark,
        stage_text(progress),
        "  ",
        (bar(progress.share, _RUN_BAR_CELLS), "$text-warning on $panel"),
        (f"  {run_clock(progress)}", MUTED),
    )


def outcome_line(text: str) -> Content:
    """What a finished run made."""
    return Content.assemble(("✓ ", "bold $text-success"), text)


def offer_line(text: str) -> Content:
    return Content.assemble(("▸ ", "$text-warning"), text)
