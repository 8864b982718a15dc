"""What may stand behind a slash command, as far as there is something to choose from."""

from pathlib import Path
from typing import get_args

from core.config import ThemeName
from core.models.catalog import known
from store.i18n import _
from tui.commands.completion import Completion
from tui.commands.registry import Command
from tui.controllers.open_chat import OpenChat
from tui.controllers.presets import DEFAULT, Presets, sampling_settings
from tui.text_format import harmless, one_line

_OF_SYSTEM_PROMPTS = 60
"""Characters of one that the list has room for."""


def arguments(command: Command, chat: OpenChat, presets: Presets, cache: Path) -> list[Completion]:
    """What could stand behind `command` now.

    Args:
        command: The one that is written.
        chat: The open chat, for what it has already.
        presets: Those there are.
        cache: The folder of fetched models.
    """
    match command.action:
        case "preset":
            prompts = {DEFAULT: "", **{n: p.system_prompt for n, p in presets.all().items()}}
            return [_choice(name, prompt[:_OF_SYSTEM_PROMPTS]) for name, prompt in prompts.items()]
        case "set":
            return [Completion(f"{s.name} ", s.name, _(s.help)) for s in sampling_settings()]
        case "system":
            return _as_it_is(chat.own().system_prompt or chat.default().system_prompt)
        case "title":
            return _as_it_is(chat.conversation.title if chat.conversation else "")
        case "app.models":
            return [_choice(k.spec, _(k.offer.languages) if k.offer else "") for k in known(cache)]
        case "app.change_theme":
            return [_choice(name) for name in get_args(ThemeName)]
    return []


def _choice(name: str, help_: str = "") -> Completion:
    return Completion(name, name, harmless(one_line(help_)), runs=True)


def _as_it_is(text: str) -> list[Completion]:
    """What there is, to be changed."""
    return [Completion(text, harmless(one_line(text)))] if text else []
