"""Completions for the word at the cursor: slash commands, their arguments and files.

Pure except for reading a folder.
"""

import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from store.i18n import _

if TYPE_CHECKING:
    from tui.commands.registry import Command

_COMMAND = re.compile(r"/[a-z]*")
_ARGUMENT = re.compile(r"/([a-z]+) +(\S*)")
_MENTION = re.compile(r"(?<!\S)@(\"[^\"]*|[^\s\"]*)$")
_MOST = 50
_LOOKED_AT = 5000
"""Most entries of a folder that are read, so that typing never waits."""


@dataclass(frozen=True)
class Completion:
    text: str
    """Replaces the word."""
    label: str
    help: str = ""
    runs: bool = False
    """The prompt is complete with it, so Enter also sends it."""


@dataclass(frozen=True)
class Completions:
    """All candidates for the word before the cursor."""

    start: int = 0
    """Column where that word begins."""
    items: tuple[Completion, ...] = ()


def completions(
    text: str,
    before: str,
    commands: "Iterable[Command]",
    folder: Path,
    arguments: "Callable[[Command], Iterable[Completion]]" = lambda command: (),
) -> Completions:
    """Complete the word before the cursor.

    Args:
        text: The whole prompt.
        before: The current line up to the cursor.
        folder: Where relative paths start.
    """
    if text == before and _COMMAND.fullmatch(text):
        return Completions(0, tuple(_commands(text[1:], commands)))
    written = _ARGUMENT.fullmatch(text) if text == before else None
    if written is not None:
        named = [command for command in commands if written[1] in command.slash]
        offered = [item for command in named for item in arguments(command)]
        begun = tuple(item for item in offered if item.text.startswith(written[2]))
        if begun:
            return Completions(written.start(2), begun)
    mention = _MENTION.search(before)
    if mention is not None:
        return Completions(mention.start(), tuple(_files(mention[1].lstrip('"'), folder)))
    return Completions()


def _commands(begun: str, commands: "Iterable[Command]") -> Iterable[Completion]:
    named = [command for command in commands if command.slash]
    first = [c for c in named if c.slash[0].startswith(begun)]
    other = [c for c in named if c not in first and any(n.startswith(begun) for n in c.slash)]
    exact = [command for command in named if begun in command.slash]
    for command in dict.fromkeys((*exact, *first, *other)):
        name = f"/{command.slash[0]}"
        label = f"{name} {_(command.argument)}".rstrip()
        what = " · ".join(filter(None, (_(command.title), _(command.help))))
        yield Completion(f"{name} " if command.argument else name, label, what, runs=True)


def _files(begun: str, folder: Path) -> list[Completion]:
    """List files and folders by the start of their path, folders first."""
    head, slash, name = begun.rpartition("/")
    try:
        place = folder / Path(f"{head}{slash}").expanduser()
        with os.scandir(place) as entries:
            found = [
                (not entry.is_dir(), entry.name)
                for entry, _place in zip(entries, range(_LOOKED_AT), strict=False)
                if entry.name.casefold().startswith(name.casefold())
                and (name.startswith(".") or not entry.name.startswith("."))
            ]
    except (OSError, RuntimeError, ValueError):
        return []
    return [_file(f"{head}{slash}", is_file, each) for is_file, each in sorted(found)[:_MOST]]


def _file(head: str, is_file: bool, name: str) -> Completion:
    path = head + name
    blank = any(character.isspace() for character in path)
    if not is_file:
        return Completion(f'@"{path}/' if blank else f"@{path}/", f"{name}/")
    return Completion(f'@"{path}" ' if blank else f"@{path} ", name)
