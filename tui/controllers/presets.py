"""Ways a chat can go on, by name: those that come along, and those in the settings."""

import re
from collections.abc import Callable

from pydantic import ValidationError

from core.config import PRESETS, Config, Preset
from store.errors import TuteeError
from store.i18n import _
from store.records import Sampling
from tui.views.settings import Setting, all_settings, parse_value

DEFAULT = "default"
"""As in the settings."""


def sampling_settings() -> list[Setting]:
    """What can be set about how replies are drawn."""
    return [setting for setting in all_settings() if setting.section == "sampling"]


class Presets:
    """What a person can choose from.

    Args:
        config: The settings as they are now.
    """

    def __init__(self, config: Callable[[], Config]) -> None:
        self._config = config

    def all(self) -> dict[str, Preset]:
        """Each by its name; one in the settings takes the place of one that came along."""
        return {**PRESETS, **self._config().presets}

    def named(self, name: str) -> tuple[str, Sampling | None]:
        """The system prompt of a preset, empty for that of the settings, and its sampling.

        Raises:
            TuteeError: there is none of that name.
        """
        if name == DEFAULT:
            return "", None
        preset = self.all().get(name)
        if preset is None:
            names = ", ".join((DEFAULT, *self.all()))
            raise TuteeError(
                _("There is no preset {name}.").format(name=name),
                _("There are: {names}.").format(names=names),
            )
        return preset.system_prompt, preset.sampling()


def with_one(sampling: Sampling, text: str) -> Sampling:
    """`sampling` with one thing as `text` says: its name and a value.

    Raises:
        TuteeError: there is no such thing, or it cannot have that value.
    """
    name, value = (*re.split("[= ]", text, maxsplit=1), "")[:2]
    return with_values(sampling, {name.replace("-", "_"): value.strip()})


def with_values(sampling: Sampling, values: dict[str, str]) -> Sampling:
    """`sampling` with what the person wrote, by name.

    Raises:
        TuteeError: there is no such thing, or it cannot have that value.
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
