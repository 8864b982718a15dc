"""Completions for the arguments of slash commands."""

from pathlib import Path
from typing import get_args

from core.config import ThemeName
from core.models.catalog import known
from store.i18n import _
from tui.commands.completion import Completion
from tui.commands.registry import Command
from tui.controllers.open_conversation import OpenConversation
from tui.controllers.presets import DEFAULT, Presets, sampling_settings
from tui.controllers.prompt_library import prompts, summary
from tui.text_format import harmless, one_line

_PROMPT_CHARACTERS = 60
"""Characters of a system prompt that fit into the list."""


def arguments(
    command: Command, conversation: OpenConversation, presets: Presets, cache: Path
) -> list[Completion]:
    match command.action:
        case "preset":
            prompts = {DEFAULT: "", **{n: p.system_prompt for n, p in presets.all().items()}}
            return [_choice(name, prompt[:_PROMPT_CHARACTERS]) for name, prompt in prompts.items()]
        case "set":
            return [Completion(f"{s.name} ", s.name, _(s.help)) for s in sampling_settings()]
        case "recall" | "think":
            return [_choice("on"), _choice("off")]
        case "system":
            own, default = conversation.own(), conversation.default()
            return _current(own.system_prompt or default.system_prompt)
        case "title":
            stored = conversation.stored
            return _current(stored.title if stored else "")
        case "app.models":
            return [_choice(k.spec, _(k.offer.languages) if k.offer else "") for k in known(cache)]
        case "app.change_theme":
            return [_choice(name) for name in get_args(ThemeName)]
    return []


def prompt_names(folder: Path) -> list[Completion]:
    """The user's own prompts, which can be followed by values."""
    found = prompts(folder).items()
    return [Completion(f"{name} ", name, harmless(summary(path))) for name, path in found]


def _choice(name: str, help_: str = "") -> Completion:
    return Completion(name, name, harmless(one_line(help_)), runs=True)


def _current(text: str) -> list[Completion]:
    """The current value, to edit."""
    return [Completion(text, harmless(one_line(text)))] if text else []
