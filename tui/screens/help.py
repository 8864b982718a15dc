"""All keys on one screen, from the same table as the command palette."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.commands import APP_COMMANDS, CHAT_COMMANDS, Command
from tui.theme import MUTED

_WRITING = (
    Command("Send", "Several may wait in a row", "", "Enter"),
    Command("New line", "A paste never sends", "", "Ctrl+J"),
    Command("Earlier messages", "From the first and last line", "", "↑ ↓"),
    Command("Stop the reply", "What it has so far is kept", "", "Esc"),
    Command("To the last reply, and back", "↑ ↓ go from reply to reply", "", "Esc"),
    Command("Scroll", "", "", "PgUp PgDn"),
    Command("The original of a corrected reply", "On the reply", "", "O"),
)
_RECORDS = (
    Command("Filter", "Words, and kind: source: task:", "", "/"),
    Command("Mark", "To delete several at once", "", "Space"),
    Command("Delete", "Asks first; Ctrl+Z brings back", "", "D"),
    Command("Check", "Shows only those that something is wrong with", "", "C"),
    Command("Tokens of a record", "Those that carry loss in colour", "", "M"),
)
_MENU = Command("Everything by name", "The command palette", "", "Ctrl+P")


class HelpScreen(ModalScreen[None]):
    """Keys and what they do."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,f1,q", "dismiss", "Back")]

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="dialog wide"):
            yield from _section("Talk", _WRITING)
            yield from _section("Teach", CHAT_COMMANDS)
            yield from _section("And else", (*APP_COMMANDS, _MENU))
            yield from _section("Among the records", _RECORDS)
            yield Static("Esc back", classes="dialog-keys", markup=False)


def _section(title: str, commands: tuple[Command, ...]) -> ComposeResult:
    yield Static(Content(title).stylize("bold"), classes="help-title")
    for command in commands:
        if command.keys:
            yield Static(
                Content.assemble(
                    (f"{command.keys:<10}", "bold"),
                    command.title,
                    (f"  {command.help}", MUTED),
                ),
                classes="help-line",
            )
