"""What can be done, in one table: the command palette and the help screen both read it."""

from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from functools import partial

from textual.command import DiscoveryHit, Hit, Hits, Provider


@dataclass(frozen=True)
class Command:
    """One action a person can take."""

    title: str
    help: str
    action: str
    keys: str = ""
    """As shown to the person; empty where only the palette has it."""


CHAT_COMMANDS = (
    Command("👍 Keep this reply", "The focused or last reply is worth learning", "like", "F2"),
    Command("👎 Refuse this reply", "And say why, if you like", "dislike", "F3"),
    Command("✎ Correct this reply", "Say what it should have been", "correct", "F4"),
    Command("Undo feedback on this reply", "Takes back the latest act on it", "undo", "Ctrl+Z"),
    Command("New chat", "The one that is open stays in the list", "new_chat", "Ctrl+N"),
    Command("Open a chat", "Go back to an earlier one", "chats", "Ctrl+R"),
)

APP_COMMANDS = (
    Command("Tune", "Train the model on what you taught", "app.tune", "F5"),
    Command("Best of four", "Draw the last reply again, and pick", "app.best_of", "Ctrl+L"),
    Command("Models", "Choose, fetch or remove the base model", "app.models", "Ctrl+O"),
    Command("Compare two versions", "One prompt, two replies, your choice", "app.compare", "F6"),
    Command(
        "Roll back to the previous adapter",
        "Answer with the version that was active before",
        "app.roll_back",
    ),
    Command("Cancel the training", "Stops at the next micro-batch", "app.cancel_tuning"),
    Command("Records", "Everything you taught: look, check, delete", "app.records", "F7"),
    Command("Statistics", "What there is to learn from, and what is thin", "app.statistics"),
    Command("Import", "Records and chats of other programs; first a look at them", "app.import"),
    Command("Starter set", "Short examples to begin with", "app.starter", "Ctrl+T"),
    Command("Export", "Your records as files for other tools", "app.export", "F8"),
    Command("Settings", "System prompt, replies, looks, tuning", "app.settings", "F9"),
    Command("Theme", "Other colours: look at them, and keep some", "app.change_theme"),
    Command("Help", "All keys on one screen", "app.help", "F1"),
    Command("Quit", "Everything is kept", "app.quit", "Ctrl+Q"),
)


class Commands(Provider):
    """What can be done now, where the palette was opened."""

    async def discover(self) -> Hits:
        for command in self._possible():
            yield DiscoveryHit(_display(command), self._run(command), command.title, command.help)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for command in self._possible():
            score = matcher.match(command.title)
            if score > 0:
                title = matcher.highlight(command.title)
                yield Hit(score, title, self._run(command), command.title, command.help)

    def _possible(self) -> Iterator[Command]:
        for command in (*CHAT_COMMANDS, *APP_COMMANDS):
            namespace, _, name = command.action.rpartition(".")
            node = self.app if namespace == "app" else self.screen
            if hasattr(node, f"action_{name}") and node.check_action(name, ()):
                yield command

    def _run(self, command: Command) -> "partial[Coroutine[object, object, bool]]":
        return partial(self.app.run_action, command.action, self.screen)


def _display(command: Command) -> str:
    return f"{command.title}  ({command.keys})" if command.keys else command.title
