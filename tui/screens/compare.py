"""Compare two versions, or two samples of one, on the same prompt."""

from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import Screen
from textual.widgets import Static

from core.events import ReplyDone, ReplyFailed, TokenChunk
from store.feedback import Picked
from store.i18n import _
from tui.controllers.comparison import ComparisonController, Side
from tui.error_toasts import errors_shown, guarded, show_error
from tui.messages import FromCore, Taught
from tui.views.comparison import ComparedReply
from tui.widgets.comparison import ComparisonPanes
from tui.widgets.footer import Footer
from tui.widgets.form import FORM_KEYS, Choice, Toggle
from tui.widgets.safe_text_area import SafeTextArea
from tui.widgets.title import title_line

_GOOD: dict[Picked | None, tuple[bool | None, bool | None]] = {
    None: (None, None),
    "first": (True, False),
    "second": (False, True),
    "both": (True, True),
    "neither": (False, False),
}


class _Form(Vertical):
    BINDINGS: ClassVar[list[BindingType]] = FORM_KEYS


class _Prompt(SafeTextArea):
    """The question, selected at first, so that typing replaces it; ↑ and ↓ leave it at its ends."""

    def __init__(self, text: str) -> None:
        hint = _("anything you want to ask")
        super().__init__(
            text, id="compare-prompt", compact=True, highlight_cursor_line=False, placeholder=hint
        )
        self.cursor_blink = False
        self.select_all()

    def action_cursor_down(self, select: bool = False) -> None:
        if select or not self.navigator.is_last_wrapped_line(self.cursor_location):
            super().action_cursor_down(select)
        else:
            self.screen.focus_next()


class CompareScreen(Screen[None]):
    """The prompt and two versions on top, their replies side by side below."""

    TITLE = "Compare"
    HELP = """Get two replies to one prompt and pick the better one. A blind comparison names the
        versions only after your choice. The choice is kept as feedback, and can be undone."""
    AUTO_FOCUS = "#compare-prompt"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "ask", "Ask both", key_display="Enter", priority=True, id="compare.ask"),
        Binding("escape", "leave", "Back", key_display="Esc", id="app.back"),
        Binding("f6", "dismiss", "Back", show=False, id="app.compare"),
    ]

    def __init__(self, comparison: ComparisonController) -> None:
        super().__init__()
        self._comparison = comparison
        self._versions = comparison.versions()
        self._blind = True
        self._result = ""

    def compose(self) -> ComposeResult:
        yield Static(id="compare-title")
        with _Form(id="compare-form"):
            with Horizontal(id="compare-question"):
                yield Static(_("Prompt"), classes="label", markup=False)
                yield _Prompt(self._comparison.prompt)
            with Horizontal(id="compare-versions"):
                yield Static(_("Versions"), classes="label", markup=False)
                yield Choice(self._versions, id="version-a")
                yield Static(_("against"), classes="between", markup=False)
                yield Choice(self._versions, id="version-b")
                yield Toggle(_("hide the versions"), on=True, id="blind")
        with VerticalScroll(id="compare-asked", can_focus=False):
            yield Static(markup=False)
        yield ComparisonPanes(id="answers")
        yield Static(id="compare-note", markup=False)
        yield Footer(compact=True, show_command_palette=True)

    def on_mount(self) -> None:
        with errors_shown(self.app):
            for side, version in zip("ab", self._comparison.pair(), strict=True):
                self.query_one(f"#version-{side}", Choice).choose(version)
        line = title_line(_("Compare"), _("one prompt, two versions or two samples of one"))
        self.query_one("#compare-title", Static).update(line)
        self._draw()

    def on_unmount(self) -> None:
        self._comparison.stop()

    # -- asking ----------------------------------------------------------------------------------

    def action_ask(self) -> None:
        first, second = (self.query_one(f"#version-{side}", Choice).value for side in "ab")
        self._blind = self.query_one("#blind", Toggle).on
        prompt = self.query_one(_Prompt).text
        self._comparison.ask(prompt, (first, second), blind=self._blind)
        self._result = ""
        self.query_one(ComparisonPanes).focus()
        self._draw()

    def on_key(self, event: events.Key) -> None:
        """Begin another question by typing, once a choice was made."""
        if self._comparison.picked is None or not isinstance(self.focused, ComparisonPanes):
            return
        if event.character and event.is_printable:
            prompt = self.query_one(_Prompt)
            prompt.focus()
            prompt.select_all()
            prompt.replace(event.character, *prompt.selection, maintain_selection_offset=False)
            event.stop()
            event.prevent_default()

    def asked(self, request_id: str) -> bool:
        return self._comparison.asked(request_id)

    @on(FromCore)
    @guarded
    def _from_core(self, message: FromCore) -> None:
        event = message.event
        if isinstance(event, (TokenChunk, ReplyDone, ReplyFailed)):
            self._comparison.on_reply(event)
            if isinstance(event, ReplyFailed):
                show_error(self.app, event.error)
            self._draw()

    # -- judging ---------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        comparison = self._comparison
        if action == "pick":
            return (comparison.complete or None) if comparison.picked is None else False
        if action == "undo":
            return comparison.picked is not None
        return True

    def action_pick(self, picked: Picked) -> None:
        self._result = self._comparison.pick(picked)
        self.post_message(Taught())
        self._draw()

    def action_undo(self) -> None:
        self._comparison.undo()
        self._result = _("Undone.")
        self.post_message(Taught())
        self._draw()

    def action_leave(self) -> None:
        self.dismiss(None)

    # -- drawing ---------------------------------------------------------------------------------

    def _draw(self) -> None:
        sides = self._comparison.sides
        answers = self.query_one(ComparisonPanes)
        answers.set_class(sides is None, "empty")
        asked = self.query_one("#compare-asked")
        asked.display = sides is not None
        asked.query_one(Static).update(self._comparison.question)
        if sides is not None:
            good = _GOOD[self._comparison.picked]
            answers.show(self._view("A", sides[0], good[0]), self._view("B", sides[1], good[1]))
        self.query_one("#compare-note", Static).update(self._note())
        self.refresh_bindings()

    def _view(self, letter: str, side: Side, good: bool | None) -> ComparedReply:
        known = not self._blind or self._comparison.picked is not None
        done = side.done
        note = "" if done is None else _("cut off") if done.truncated else _("complete")
        title = f"{letter} · {side.version}" if known else letter
        return ComparedReply(title, side.text, note, done is not None, good)

    def _note(self) -> str:
        if self._result:
            return self._result
        if self._comparison.generating:
            return _("Generating both replies, one after the other…")
        if self._comparison.identical:
            return _("The replies are the same.   ↑ both good   ↓ both bad")
        if self._comparison.complete:
            return _("Which is better?   ← A   → B   ↑ both good   ↓ both bad")
        if self._comparison.only_base:
            return _("Nothing is trained yet: both replies come from the original model.")
        if self._comparison.prompt:
            return _(
                "Enter sends your last message to both, with the chat before it. Or write another."
            )
        return _("Enter asks both. Your choice is kept as feedback.")
