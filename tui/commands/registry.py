"""All commands in one table, read by the palette, the help and the slash commands."""

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from textual.screen import Screen

from store.errors import TuteeError
from store.i18n import _


@dataclass(frozen=True)
class Command:
    title: str
    help: str
    action: str
    slash: tuple[str, ...] = ()
    """Names in the prompt; the first one is offered as a completion."""
    argument: str = ""
    """Placeholder for the argument; the action then takes a text."""


CHAT_COMMANDS = (
    Command("👍 Keep this reply", "Worth learning as it is", "like", ("good",)),
    Command("👎 Refuse this reply", "And say why, if you like", "dislike", ("bad",), "WHY"),
    Command("✎ Correct this reply", "Say what it should have been", "correct", ("fix",), "TEXT"),
    Command("Undo feedback on this reply", "Takes back the last feedback", "undo", ("undo",)),
    Command("Use as correction", "Of the first reply, after a second try", "adopt", ("better",)),
    Command("Prefer this reply", "Over its other versions", "prefer", ("prefer",)),
    Command("Exclude from training", "Or include it again", "exclude", ("exclude",)),
    Command("Trained tokens", "Shows learned tokens in bold", "tokens", ("tokens",)),
    Command("Write another reply", "← → switch between them", "regenerate", ("retry",)),
    Command("Continue this reply", "From where it ended", "go_on", ("continue",)),
    Command("Edit the question", "The old one stays", "edit", ("edit",)),
    Command("Copy this reply", "Or one of its code blocks", "copy", ("copy",), "NUMBER"),
    Command("Copy its code", "The last code block", "copy_code", ("code",)),
    Command("Take back the waiting message", "The one sent last", "take_back", ("unsend",)),
    Command("Write in your editor", "$VISUAL or $EDITOR", "editor", ("editor",)),
    Command(
        "System prompt", "For this chat only, with its sampling", "system", ("system",), "TEXT"
    ),
    Command(
        "Preset",
        "precise, balanced, creative, reference, or your own",
        "preset",
        ("preset",),
        "NAME",
    ),
    Command("Your prompts", "From the folder `prompts`", "library", ("p", "prompt"), "NAME"),
    Command("Set", "Change one sampling setting", "set", ("set",), "NAME VALUE"),
    Command(
        "Recall",
        "Follow corrections before they are learned, in this chat",
        "recall",
        ("recall",),
        "ON|OFF",
    ),
    Command("Thinking", "Let the model think first, or not", "think", ("think",), "ON|OFF"),
    Command("Find in this chat", "Next and previous hit", "find", ("find",), "TEXT"),
    Command("Title", "Rename this chat", "title", ("title",), "TEXT"),
    Command("Pin this chat", "To the top of the list, or unpin it", "pin", ("pin",)),
    Command("Save this chat", "As Markdown, to the path you give", "save", ("save",), "PATH"),
    Command("Delete this chat", "What it taught stays", "delete_chat", ("delete",)),
    Command("New chat", "The current one stays in the list", "new_chat", ("new",)),
    Command("Open a chat", "Search, rename, pin, delete", "chats", ("chats",), "WORDS"),
)

APP_COMMANDS = (
    Command("Skip the first steps", "They are not shown again", "app.skip_guide", ("skip",)),
    Command("Tune", "Train the model on what you taught", "app.tune", ("train", "tune")),
    Command("Models", "Choose, fetch or remove the base model", "app.models", ("model",), "ID"),
    Command("Best of four", "Regenerate the last reply and pick one", "app.best_of", ("best",)),
    Command("Compare two versions", "Two replies, your choice", "app.compare", ("ab", "compare")),
    Command("Roll back", "Activate the previous version", "app.roll_back", ("rollback",)),
    Command("Cancel the training", "Stops within seconds", "app.cancel_tuning", ("cancel",)),
    Command("Records", "Everything you taught: view, check, delete", "app.records", ("records",)),
    Command("Teach", "Rate replies one after another", "app.teach", ("teach",), "FILE"),
    Command("Statistics", "What there is to learn from", "app.statistics", ("stats",)),
    Command("Import", "Conversations from other programs", "app.import", ("import",)),
    Command("Starter set", "Short examples to begin with", "app.starter", ("starter",)),
    Command("Serve", "To other programs, or stop", "app.serve", ("serve",), "PORT"),
    Command("Export", "Your records as files for other tools", "app.export", ("export",)),
    Command(
        "Settings", "System prompt, replies, appearance, tuning", "app.settings", ("settings",)
    ),
    Command("Theme", "Preview themes and keep one", "app.change_theme", ("theme",), "NAME"),
    Command("Help", "All keys on one screen", "app.help", ("help",)),
    Command("Suspend", "Back to the shell; fg continues", "app.suspend_process", ("suspend",)),
    Command("Quit", "Everything is kept", "app.quit", ("quit", "exit")),
)

COMMANDS = (*CHAT_COMMANDS, *APP_COMMANDS)


@runtime_checkable
class Explains(Protocol):
    """A screen or app that says why an action is not possible."""

    def obstacle(self, action: str) -> TuteeError | None:
        """Why `action` is not possible now; None if it is, or there is nothing to say."""


_SLASH = re.compile(r"/([a-z]+)(?:\s+(.*))?", re.DOTALL)


def possible(screen: Screen[Any]) -> Iterator[Command]:
    """List the commands that are possible on `screen` now."""
    for command in COMMANDS:
        namespace, _, name = command.action.rpartition(".")
        node = screen.app if namespace == "app" else screen
        if hasattr(node, f"action_{name}") and node.check_action(name, ()):
            yield command


def spelled(text: str) -> tuple[Command, str] | None:
    """Parse a slash command and its argument; None for a message.

    A text with `//` at the start is a message, and so is one with another slash in its first word,
    as in a path.

    Raises:
        TuteeError: there is no such command, or it takes no argument.
    """
    match = _SLASH.fullmatch(text.strip())
    if match is None:
        return None
    name, argument = match[1], (match[2] or "").strip()
    command = next((command for command in COMMANDS if name in command.slash), None)
    if command is None:
        raise TuteeError(
            _("There is no command /{name}.").format(name=name),
            _("Type / to list them; // sends a text that begins with /."),
        )
    if argument and not command.argument:
        raise TuteeError(
            _("/{name} takes no argument.").format(name=name),
            _("// sends a text that begins with /."),
        )
    return command, argument


async def perform(command: Command, argument: str, screen: Screen[Any]) -> None:
    """Run a slash command; raise TuteeError if it is not possible now, or fails."""
    namespace, _dot, name = command.action.rpartition(".")
    node = screen.app if namespace == "app" else screen
    if command not in possible(screen):
        why = node.obstacle(name) if isinstance(node, Explains) else None
        raise why or TuteeError(_("/{name} is not possible now.").format(name=command.slash[0]))
    done = getattr(node, f"action_{name}")(*([argument] if argument else []))
    if inspect.isawaitable(done):
        await done
