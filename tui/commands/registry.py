"""What can be done, in one table: the palette, the help and the slash commands all read it."""

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from textual.screen import Screen

from store.errors import TuteeError
from store.i18n import _


@dataclass(frozen=True)
class Command:
    """One action a person can take."""

    title: str
    help: str
    action: str
    slash: tuple[str, ...] = ()
    """Its names in the prompt, the first one the one that is offered."""
    argument: str = ""
    """What may stand behind that name; the action then takes it as text."""


CHAT_COMMANDS = (
    Command("👍 Keep this reply", "Worth learning as it is", "like", ("good",)),
    Command("👎 Refuse this reply", "And say why, if you like", "dislike", ("bad",), "WHY"),
    Command("✎ Correct this reply", "Say what it should have been", "correct", ("fix",), "TEXT"),
    Command("Undo feedback on this reply", "Takes the last act back", "undo", ("undo",)),
    Command("Prefer this reply", "Over its other versions", "prefer", ("prefer",)),
    Command("Exclude from training", "Or let it in again", "exclude", ("exclude",)),
    Command("Trained tokens", "Those that carry loss in bold", "tokens", ("tokens",)),
    Command("Write another reply", "← → change between them", "regenerate", ("retry",)),
    Command("Go on with this reply", "From where it ended", "go_on", ("continue",)),
    Command("Edit the question", "The old one stays", "edit", ("edit",)),
    Command("Copy this reply", "", "copy", ("copy",)),
    Command("Copy its code", "The last block of code", "copy_code", ("code",)),
    Command("Take the waiting message back", "The one sent last", "take_back", ("unsend",)),
    Command("Write in your editor", "$VISUAL or $EDITOR", "editor", ("editor",)),
    Command("System prompt", "Of this chat alone, and its sampling", "system", ("system",), "TEXT"),
    Command("Preset", "precise, balanced, creative, or your own", "preset", ("preset",), "NAME"),
    Command("Set", "One thing about how replies are drawn", "set", ("set",), "NAME VALUE"),
    Command("Title", "Call this chat something else", "title", ("title",), "TEXT"),
    Command("Pin this chat", "At the top of the list, or not", "pin", ("pin",)),
    Command("Save this chat", "As Markdown, or where you say", "save", ("save",), "PATH"),
    Command("Delete this chat", "What it taught stays", "delete_chat", ("delete",)),
    Command("New chat", "The one that is open stays in the list", "new_chat", ("new",)),
    Command("Open a chat", "Search, rename, pin, delete", "chats", ("chats",)),
)

APP_COMMANDS = (
    Command("Skip the first steps", "They are not shown again", "app.skip_guide", ("skip",)),
    Command("Tune", "Train the model on what you taught", "app.tune", ("train", "tune")),
    Command("Models", "Choose, fetch or remove the base model", "app.models", ("model",), "ID"),
    Command("Best of four", "Draw the last reply again, and pick", "app.best_of", ("best",)),
    Command("Compare two versions", "Two replies, your choice", "app.compare", ("ab", "compare")),
    Command("Roll back", "Answer as before", "app.roll_back", ("rollback",)),
    Command("Cancel the training", "Stops within seconds", "app.cancel_tuning", ("cancel",)),
    Command("Records", "Everything you taught: look, check, delete", "app.records", ("records",)),
    Command("Statistics", "What there is to learn from", "app.statistics", ("stats",)),
    Command("Import", "What other programs kept", "app.import", ("import",)),
    Command("Starter set", "Short examples to begin with", "app.starter", ("starter",)),
    Command("Export", "Your records as files for other tools", "app.export", ("export",)),
    Command("Settings", "System prompt, replies, looks, tuning", "app.settings", ("settings",)),
    Command(
        "Theme",
        "Other colours: look at them, and keep some",
        "app.change_theme",
        ("theme",),
        "NAME",
    ),
    Command("Help", "All keys on one screen", "app.help", ("help",)),
    Command("Quit", "Everything is kept", "app.quit", ("quit", "exit")),
)

COMMANDS = (*CHAT_COMMANDS, *APP_COMMANDS)

_SLASH = re.compile(r"/([a-z]+)(?:\s+(.*))?", re.DOTALL)


def possible(screen: Screen[Any]) -> Iterator[Command]:
    """What can be done now on `screen`."""
    for command in COMMANDS:
        namespace, _, name = command.action.rpartition(".")
        node = screen.app if namespace == "app" else screen
        if hasattr(node, f"action_{name}") and node.check_action(name, ()):
            yield command


def spelled(text: str) -> tuple[Command, str] | None:
    """The slash command that a message is, with its argument; none where it is a message.

    `//` at the beginning says that what follows is a message after all, and so does a second slash
    in the first word, as in a path.

    Raises:
        TuteeError: there is no command of that name, or it takes nothing.
    """
    match = _SLASH.fullmatch(text.strip())
    if match is None:
        return None
    name, argument = match[1], (match[2] or "").strip()
    command = next((command for command in COMMANDS if name in command.slash), None)
    if command is None:
        raise TuteeError(
            _("There is no command /{name}.").format(name=name),
            _("A / alone lists them; // sends a text that begins with /."),
        )
    if argument and not command.argument:
        raise TuteeError(
            _("/{name} stands alone.").format(name=name), _("// sends a text that begins with /.")
        )
    return command, argument


async def perform(command: Command, argument: str, screen: Screen[Any]) -> None:
    """Do what a slash command says.

    Raises:
        TuteeError: it cannot be done now, or whatever it raises.
    """
    if command not in possible(screen):
        raise TuteeError(_("/{name} cannot be done now.").format(name=command.slash[0]))
    namespace, _dot, name = command.action.rpartition(".")
    node = screen.app if namespace == "app" else screen
    done = getattr(node, f"action_{name}")(*([argument] if argument else []))
    if inspect.isawaitable(done):
        await done
