"""The prompt: Enter sends, Ctrl+J inserts a line break, a paste never sends.

A long paste is one placeholder until the message is sent (`tui.widgets.pasted`).

It grows with its text. As in a shell, Up on the first line and Down on the last one recall sent
messages, including those of earlier sessions. A leading slash offers commands, an `@` files.
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
from textual.widgets.text_area import Edit, EditResult, Selection

from store.errors import TuteeError
from store.i18n import _
from tui.commands.completion import Completion, Completions
from tui.terminal.external_editor import edited
from tui.widgets.completions import CompletionList
from tui.widgets.pasted import LONG_PASTE, LONG_TEXT, Pasted
from tui.widgets.safe_text_area import SafeTextArea

Complete = Callable[[str, str], Completions]
"""Returns completions for the whole text and its line up to the cursor."""


class Prompt(SafeTextArea):
    """A text area that sends."""

    HELP = "While you write"
    BINDINGS: ClassVar[list[BindingType]] = [
        # Only some terminals send the last two differently from Enter.
        Binding(
            "ctrl+j,shift+enter,alt+enter", "new_line", "New line", show=False, id="prompt.new_line"
        ),
        Binding("ctrl+f", "screen.find", "Find in this chat", show=False, id="chat.find"),
        Binding("ctrl+g", "editor", "Write in the editor", show=False, id="prompt.editor"),
        Binding("pageup", "screen.page(-1)", "Scroll up", show=False, id="chat.page_up"),
        Binding("pagedown", "screen.page(1)", "Scroll down", show=False, id="chat.page_down"),
    ]

    class Sent(Message):
        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    def __init__(self, list_: CompletionList) -> None:
        super().__init__(
            id="prompt", compact=True, highlight_cursor_line=False, placeholder=_("Ask anything…")
        )
        self.cursor_blink = False
        self._list = list_
        self._sent: list[str] = []
        self._place = 0
        """Index into `_sent`; its length stands for the draft."""
        self._draft = ""
        self._pasted = Pasted()
        self.look: Callable[[], None] = lambda: None
        """Updates the completions."""
        self.waiting = False
        """A message is queued, so Up in an empty prompt takes it back."""

    def remember(self, texts: Sequence[str]) -> None:
        """Load messages to recall, oldest first."""
        self._sent = list(texts)
        self._place = len(self._sent)

    @property
    def whole(self) -> str:
        """The text with everything that was pasted."""
        return self._pasted.whole(self.text)

    def put(self, text: str) -> None:
        self.text = self._pasted.fold(text) if len(text) > LONG_TEXT else text
        self.move_cursor(self.document.end)

    def select_span(self, start: int, end: int) -> None:
        """Select the characters from `start` to `end`, so that typing replaces them."""
        lines = (self.text[:start], self.text[:end])
        self.selection = Selection(*((t.count("\n"), len(t.rpartition("\n")[2])) for t in lines))

    # -- pasting ---------------------------------------------------------------------------------

    async def _on_paste(self, event: events.Paste) -> None:
        """Show a placeholder for a long paste; the text area inserts a short one itself."""
        if len(event.text) > LONG_PASTE:
            event.prevent_default()
            event.stop()
            self.replace(
                self._pasted.fold(event.text), *self.selection, maintain_selection_offset=False
            )

    def edit(self, edit: Edit) -> EditResult:
        lines = [self.document.get_line(row) for row, _column in (edit.top, edit.bottom)]
        return super().edit(self._pasted.spared(edit, lines))

    # -- keys ------------------------------------------------------------------------------------

    def action_editor(self) -> None:
        """Continue writing in the user's own editor."""
        try:
            self.put(edited(self.whole, self.app.suspend()))
        except SuspendNotSupported as error:
            raise TuteeError(_("This terminal cannot switch to an editor.")) from error

    async def _on_key(self, event: events.Key) -> None:
        """Send on Enter; other keys go to the handler of the text area."""
        if event.key in ("enter", "tab"):
            self.look()  # keys may arrive before the list is updated
        if self._list.display and self._steer(event.key):
            event.stop()
            event.prevent_default()
        elif event.key == "enter":
            event.prevent_default()
            if self.text.strip():  # otherwise the key is the screen's
                event.stop()
                self._send()

    def _steer(self, key: str) -> bool:
        """Let the list of completions handle the key, and return whether it did."""
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
        """Whether the completion is already typed, so that Enter sends."""
        row, column = self.cursor_location
        word = self.document.get_line(row)[self._list.found.start : column]
        return not chosen.runs and word == chosen.text.rstrip()

    def take(self, chosen: Completion) -> None:
        """Replace the word with the chosen completion."""
        row, column = self.cursor_location
        self.replace(chosen.text, (row, self._list.found.start), (row, column))
        if chosen.runs:
            self._list.hide()

    def _send(self) -> None:
        text = self.whole.strip("\n").rstrip()
        if not text:
            return
        self._list.hide()
        self.text = ""  # what was sent is recalled with Up, not undone
        self.say(text)

    def say(self, text: str) -> None:
        """Send `text`, leaving the prompt as it is."""
        if self._sent[-1:] != [text]:
            self._sent.append(text)
        self._place = len(self._sent)
        self.post_message(self.Sent(text))

    def action_new_line(self) -> None:
        self.replace("\n", *self.selection, maintain_selection_offset=False)

    # -- recalling sent messages -----------------------------------------------------------------

    def action_cursor_up(self, select: bool = False) -> None:
        if select or not self.navigator.is_first_wrapped_line(self.cursor_location):
            super().action_cursor_up(select)
        elif self.waiting and not self.text:
            self.call_later(self.run_action, "screen.take_back")
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
    """The prompt between its mark and a hint about Enter and Esc."""

    hint: reactive[str] = reactive("")
    editing: reactive[str] = reactive("")
    """Id of the message being edited; empty for a new one."""

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

    # -- editing a sent message ------------------------------------------------------------------

    def edit(self, message_id: str, text: str) -> None:
        """Edit a sent message; the current draft comes back afterwards."""
        if not self.editing:
            self._draft = self.prompt.text
        self.editing = message_id
        self.prompt.put(text)
        self.screen.set_focus(self.prompt)  # now, because the next key is meant for it

    def done(self) -> None:
        """End editing, and bring the draft back."""
        if self.editing:
            self.editing = ""
            self.prompt.put(self._draft)
            self._draft = ""

    # -- completions -----------------------------------------------------------------------------

    @on(TextArea.Changed)
    def _look(self) -> None:
        prompt = self.prompt
        row, column = prompt.cursor_location
        self._list.show(self._complete(prompt.text, prompt.document.get_line(row)[:column]))

    @on(OptionList.OptionSelected)
    def _clicked(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.prompt.take(self._list.found.items[event.option_index])

    # -- drawing ---------------------------------------------------------------------------------

    def on_mount(self) -> None:
        self.prompt.look = self._look
        self._draw()

    def _draw(self) -> None:
        # The hint can change before its widget exists.
        for place in self.query("#prompt-hint").results(Static):
            place.update(_("Enter sends again · Esc cancels") if self.editing else self.hint)
        for mark in self.query("#prompt-mark").results(Static):
            mark.update("✎" if self.editing else "›")

    watch_hint = watch_editing = _draw
