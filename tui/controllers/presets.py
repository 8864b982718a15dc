"""Presets of a conversation's system prompt and sampling, built in or from the settings."""

import re
from collections.abc import Callable

from pydantic import ValidationError

from core.config import PRESETS, Config, Preset
from store.errors import TuteeError
from store.i18n import _
from store.records import Sampling
from tui.views.settings import Setting, all_settings, parse_value

DEFAULT = "default"
"""Name of the preset that overrides nothing."""


def sampling_settings() -> list[Setting]:
    """The sampling settings a conversation can override."""
    return [setting for setting in all_settings() if setting.section == "sampling"]


class Presets:
    def __init__(self, config: Callable[[], Config]) -> None:
        self._config = config

    def all(self) -> dict[str, Preset]:
        """Each preset by name; the settings override built-in ones."""
        return {**PRESETS, **self._config().presets}

    def named(self, name: str) -> tuple[str, Sampling | None]:
        """The system prompt of a preset (empty for the default) and its sampling.

        Raises:
            TuteeError: there is no preset of that name.
        """
        if name == DEFAULT:
            return "", None
        preset = self.all().get(name)
        if preset is None:
            raise TuteeError(
                _("There is no preset {name}.").format(name=name),
                _("There are: {names}.").format(names=", ".join((DEFAULT, *self.all()))),
            )
        return preset.system_prompt, preset.sampling()


def with_setting(sampling: Sampling, text: str) -> Sampling:
    """`sampling` with one setting changed, given as name and value.

    Raises:
        TuteeError: there is no such setting, or the value is out of range.
    """
    name, value = (*re.split("[= ]", text, maxsplit=1), "")[:2]
    return with_values(sampling, {name.replace("-", "_"): value.strip()})


def with_values(sampling: Sampling, values: dict[str, str]) -> Sampling:
    """`sampling` with the settings that the user wrote, by name.

    Raises:
        TuteeError: there is no such setting, or a value is out of range.
    """
    known = {setting.name: setting for setting in sampling_settings()}
    changes = {}
    for name, value in values.items():
        if name not in known:
            raise TuteeError(
                _("There is no setting {name}.").format(name=name),
                _("There are: {names}.").format(names=", ".join(known)),
            )
        changes[name] = parse_value(known[name], value)
    try:
        return Sampling.model_validate({**sampling.model_dump(), **changes})
    except ValidationError as error:
        setting = known[str(error.errors()[0]["loc"][0])]
        raise TuteeError(
            _("{setting} must be {bounds}.").format(setting=setting.label, bounds=setting.bounds)
        ) from error
