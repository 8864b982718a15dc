"""Where the person writes: Enter sends, Ctrl+J makes a new line, a paste never sends.

It grows with its text. Sent messages come back with Up on the first line and Down on the last one,
as in a shell, those of earlier days too. A slash at the beginning offers the commands, an `@` the
files that could go along.
"""

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult, SuspendNotSupported
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.reactive import reactive
from textual.widgets import OptionList, Static, TextArea

from store.errors import TuteeError
from store.i18n import _
from tui.commands.completion import Completion, Completions
from tui.terminal.external_editor import edited
from tui.widgets.completions import CompletionList
from tui.widgets.safe_text_area import SafeTextArea

Complete = Callable[[str, str], Completions]
"""What could be meant, from the whole text and its line up to the cursor."""


class Prompt(SafeTextArea):
    """A text area that sends.

    Args:
        list_: Where what could be meant is shown.
    """

    HELP = "While you write"
    BINDINGS: ClassVar[list[BindingType]] = [
        # The last two reach only terminals that tell them apart from Enter.
        Binding(
            "ctrl+j,shift+enter,alt+enter", "new_line", "New line", show=False, id="prompt.new_line"
        ),
        Binding("ctrl+g", "editor", "Write in the editor", show=False, id="prompt.editor"),
        Binding("pageup", "screen.page(-1)", "Scroll up", show=False, id="chat.page_up"),
        Binding("pagedown", "screen.page(1)", "Scroll down", show=False, id="chat.page_down"),
    ]

    class Sent(Message):
        """The person sent `text`."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Recalled(Message):
        """Up was pressed in an empty prompt: what waits comes first."""

    def __init__(self, list_: CompletionList) -> None:
        super().__init__(
            id="prompt",
            compact=True,
            highlight_cursor_line=False,
            placeholder=_("Ask anything…"),
        )
        self.cursor_blink = False
        self._list = list_
        self._sent: list[str] = []
        self._place = 0
        """Index into what was sent; its length stands for the draft."""
        self._draft = ""
        self.look: Callable[[], None] = lambda: None
        """Brings the list up to what is written now."""
        self.waiting = False
        """A sent message waits, so Up in an empty prompt takes it back."""

    def remember(self, texts: Sequence[str]) -> None:
        """Bring back what was sent earlier, oldest first."""
        self._sent = list(texts)
        self._place = len(self._sent)

    def put(self, text: str) -> None:
        """Write `text` in place of what is there."""
        self.text = text
        self.move_cursor(self.document.end)

    # -- keys ------------------------------------------------------------------------------------

    def action_editor(self) -> None:
        """Go on writing in the person's own editor."""
        try:
            self.put(edited(self.text, self.app.suspend()))
        except SuspendNotSupported as error:
            raise TuteeError(_("This terminal cannot be left for an editor.")) from error

    async def _on_key(self, event: events.Key) -> None:
        """Send on Enter; every other key goes on to the text area's own handler."""
        if event.key in ("enter", "tab"):
            self.look()  # keys may come faster than the list is drawn
        if self._list.display and self._steer(event.key):
            event.stop()
            event.prevent_default()
        elif event.key == "enter":
            event.stop()
            event.prevent_default()
            self._send()

    def _steer(self, key: str) -> bool:
        """Whether the list of what could be meant took the key."""
        chosen = self._list.chosen
        if key in ("up", "down"):
            self._list.step(1 if key == "down" else -1)
        elif key == "escape":
            self._list.hide()
        elif key == "enter" and chosen is not None and self._is_whole(chosen):
            return False
        elif key in ("tab", "enter") and chosen is not None:
            self.take(chosen)
            if key == "enter" and chosen.runs:
                self._send()
        else:
            return False
        return True

    def _is_whole(self, chosen: Completion) -> bool:
        """The path is written out already, so Enter sends."""
        row, column = self.cursor_location
        word = self.document.get_line(row)[self._list.found.start : column]
        return not chosen.runs and word == chosen.text.rstrip()

    def take(self, chosen: Completion) -> None:
        """Write what was meant in place of the word."""
        row, column = self.cursor_location
        self.replace(chosen.text, (row, self._list.found.start), (row, column))
        if chosen.runs:
            self._list.hide()

    def _send(self) -> None:
        text = self.text.strip("\n").rstrip()
        if not text:
            return
        self._list.hide()
        self.clear()
        self.say(text)

    def say(self, text: str) -> None:
        """Send `text`, whatever is being written."""
        if self._sent[-1:] != [text]:
            self._sent.append(text)
        self._place = len(self._sent)
        self.post_message(self.Sent(text))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave F6 and F7, by which other text areas select, to the screen."""
        return action not in ("select_line", "select_all")

    def action_new_line(self) -> None:
        self.replace("\n", *self.selection, maintain_selection_offset=False)

    # -- what was sent ---------------------------------------------------------------------------

    def action_cursor_up(self, select: bool = False) -> None:
        if select or not self.navigator.is_first_wrapped_line(self.cursor_location):
            super().action_cursor_up(select)
        elif self.waiting and not self.text:
            self.post_message(self.Recalled())
        else:
            self._recall(-1)

    def action_cursor_down(self, select: bool = False) -> None:
        if select or not self.navigator.is_last_wrapped_line(self.cursor_location):
            super().action_cursor_down(select)
        else:
            self._recall(1)

    def _recall(self, step: int) -> None:
        place = self._place + step
        if not 0 <= place <= len(self._sent):
            return
        if self._place == len(self._sent):
            self._draft = self.text
        self._place = place
        self.put(self._draft if place == len(self._sent) else self._sent[place])
        self._list.hide()


class PromptBar(Vertical):
    """The prompt between its mark and a hint of what Enter or Esc does now."""

    hint: reactive[str] = reactive("")
    editing: reactive[str] = reactive("")
    """Id of the message that is written anew; empty where a new one is written."""

    def __init__(self, complete: Complete) -> None:
        super().__init__(id="prompt-bar")
        self._complete = complete
        self._list = CompletionList()
        self._draft = ""

    def compose(self) -> ComposeResult:
        yield self._list
        with Horizontal(id="prompt-row"):
            yield Static("›", id="prompt-mark", markup=False)
            yield Prompt(self._list)
            yield Static("", id="prompt-hint", markup=False)

    @property
    def prompt(self) -> Prompt:
        return self.query_one(Prompt)

    # -- writing a message anew ------------------------------------------------------------------

    def edit(self, message_id: str, text: str) -> None:
        """Let a message be written anew; what was being written comes back afterwards."""
        if not self.editing:
            self._draft = self.prompt.text
        self.editing = message_id
        self.prompt.put(text)
        self.screen.set_focus(self.prompt)  # at once: the next key is meant for it

    def done(self) -> str:
        """The message was sent, or left as it was; which one was written anew, if one was."""
        message_id, self.editing = self.editing, ""
        if message_id:
            self.prompt.put(self._draft)
            self._draft = ""
        return message_id

    # -- what could be meant ---------------------------------------------------------------------

    @on(TextArea.Changed)
    def _look(self) -> None:
        prompt = self.prompt
        row, column = prompt.cursor_location
        before = prompt.document.get_line(row)[:column]
        self._list.show(self._complete(prompt.text, before))

    @on(OptionList.OptionSelected)
    def _clicked(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.prompt.take(self._list.found.items[event.option_index])

    # -- drawing ---------------------------------------------------------------------------------

    def on_mount(self) -> None:
        self.prompt.look = self._look
        self._draw()

    def watch_hint(self) -> None:
        self._draw()

    def watch_editing(self) -> None:
        self._draw()

    def _draw(self) -> None:
        # The hint can change before there is a place for it.
        for place in self.query("#prompt-hint").results(Static):
            place.update(_("Enter asks anew · Esc leaves") if self.editing else self.hint)
        for mark in self.query("#prompt-mark").results(Static):
            mark.update("✎" if self.editing else "›")
