"""F6: one prompt, two replies, and which is better."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from core.events import ReplyDone, ReplyFailed, TokenChunk
from store.feedback import Picked
from store.i18n import _
from tui.controllers.comparison import Comparing, Side
from tui.error_toasts import guarded, show_error
from tui.messages import FromCore, Taught
from tui.theme import MUTED
from tui.views.comparison import AnswerView
from tui.widgets.comparison import Answers
from tui.widgets.footer import Footer
from tui.widgets.form import MOVING, Choice, Field, Toggle

_GOOD: dict[Picked | None, tuple[bool | None, bool | None]] = {
    None: (None, None),
    "first": (True, False),
    "second": (False, True),
    "both": (True, True),
    "neither": (False, False),
}


class _Form(Vertical):
    """What to compare on what."""

    BINDINGS: ClassVar[list[BindingType]] = MOVING


class CompareScreen(Screen[None]):
    """The prompt and the two versions on top, their replies side by side below."""

    TITLE = "Compare"
    HELP = """One prompt, two replies, and which is better. While it is blind you are told only
        afterwards which was which. What you choose is kept as a lesson, and can be taken back."""
    AUTO_FOCUS = "#compare-prompt Input"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "ask", "Ask both", key_display="Enter", priority=True, id="compare.ask"),
        Binding("escape", "leave", "Back", key_display="Esc", id="app.back"),
        Binding("f6", "dismiss", "Back", show=False, id="app.compare"),
    ]

    def __init__(self, comparing: Comparing) -> None:
        super().__init__()
        self._comparing = comparing
        self._versions = comparing.versions()
        self._blind = True
        self._remark = ""

    def compose(self) -> ComposeResult:
        yield Static(id="compare-title")
        with _Form(id="compare-form"):
            yield Field(
                _("Prompt"), self._comparing.prompt, _("anything you like"), id="compare-prompt"
            )
            with Horizontal(id="compare-versions"):
                yield Static(_("Versions"), classes="label", markup=False)
                yield Choice(self._versions, id="version-a")
                yield Static(_("against"), classes="between", markup=False)
                yield Choice(self._versions, id="version-b")
                yield Toggle(_("hide which is which"), on=True, id="blind")
        yield Answers(id="answers")
        yield Static(id="compare-said", markup=False)
        yield Footer(compact=True, show_command_palette=True)

    def on_mount(self) -> None:
        for side, version in zip("ab", self._comparing.pair(), strict=True):
            self.query_one(f"#version-{side}", Choice).choose(version)
        line = Content.assemble(
            (_("Compare"), "bold"),
            (_("  one prompt, two versions or two samples, your choice"), MUTED),
        )
        self.query_one("#compare-title", Static).update(line)
        self._draw()

    def on_unmount(self) -> None:
        self._comparing.stop()

    # -- asking ----------------------------------------------------------------------------------

    def action_ask(self) -> None:
        """Have both answer the prompt."""
        first, second = (self.query_one(f"#version-{side}", Choice).value for side in "ab")
        self._blind = self.query_one("#blind", Toggle).on
        prompt = self.query_one("#compare-prompt", Field).value
        self._comparing.ask(prompt, (first, second), blind=self._blind)
        self._remark = ""
        self.query_one(Answers).focus()
        self._draw()

    def asked(self, request_id: str) -> bool:
        """Whether this screen waits for that reply."""
        return self._comparing.asked(request_id)

    @on(FromCore)
    @guarded
    def _from_core(self, message: FromCore) -> None:
        event = message.event
        if isinstance(event, (TokenChunk, ReplyDone, ReplyFailed)):
            self._comparing.on_reply(event)
            if isinstance(event, ReplyFailed):
                show_error(self.app, event.error)
            self._draw()

    # -- judging ---------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        comparing = self._comparing
        if action == "pick":
            return (comparing.whole or None) if comparing.picked is None else False
        if action == "undo":
            return comparing.picked is not None
        return True

    def action_pick(self, picked: Picked) -> None:
        """Keep the choice, and say which was which."""
        self._remark = self._comparing.pick(picked)
        self.post_message(Taught())
        self._draw()

    def action_undo(self) -> None:
        """Take the choice back."""
        self._comparing.undo()
        self._remark = _("Taken back.")
        self.post_message(Taught())
        self._draw()

    def action_leave(self) -> None:
        self.dismiss(None)

    # -- drawing ---------------------------------------------------------------------------------

    def _draw(self) -> None:
        sides = self._comparing.sides
        answers = self.query_one(Answers)
        answers.set_class(sides is None, "empty")
        if sides is not None:
            good = _GOOD[self._comparing.picked]
            answers.show(self._view("A", sides[0], good[0]), self._view("B", sides[1], good[1]))
        self.query_one("#compare-said", Static).update(self._said())
        self.refresh_bindings()

    def _view(self, letter: str, side: Side, good: bool | None) -> AnswerView:
        known = not self._blind or self._comparing.picked is not None
        done = side.done
        note = "" if done is None else _("cut off") if done.truncated else _("ended by itself")
        title = f"{letter} · {side.version}" if known else letter
        return AnswerView(title, side.text, note, done is not None, good)

    def _said(self) -> str:
        if self._remark:
            return self._remark
        if self._comparing.writing:
            return _("They answer one after the other…")
        if self._comparing.alike:
            return _("They say the same.   ↑ both good   ↓ both bad")
        if self._comparing.whole:
            return _("Which is better?   ← A   → B   ↑ a tie, both good   ↓ both bad")
        if self._comparing.prompt:
            return _("Enter asks both your last question, with the chat before it. Or ask another.")
        return _("Enter asks both. Your choice becomes a lesson.")
