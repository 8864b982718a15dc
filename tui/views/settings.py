"""Settings as the user reads and writes them, derived from `core.config`."""

import json
import math
import re
from dataclasses import dataclass
from functools import reduce
from typing import Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from core.config import Config
from core.config_file import Value
from store.errors import TuteeError
from store.i18n import N_, _

SECTIONS = {
    "chat": N_("Chat"),
    "sampling": N_("Replies"),
    "serving": N_("The model in the chat"),
    "screen": N_("Screen"),
    "tuning": N_("Tuning"),
    "tuning.sft": N_("Tuning · SFT"),
    "tuning.preference": N_("Tuning · DPO and KTO"),
    "tuning.reward": N_("Tuning · reward model"),
    "tuning.rl": N_("Tuning · RL"),
}
"""Dotted names of the sections on the screen, with their headings."""

_LEFT_OUT = {("chat", "model")}
_BASIC = {
    ("chat", None),
    ("sampling", "temperature"),
    ("sampling", "top_p"),
    ("sampling", "max_new_tokens"),
    ("screen", None),
    ("tuning", "preset"),
    ("tuning", "activate"),
    ("tuning", "replay"),
}
"""Section and name of the settings that most people change; None stands for a whole section."""
_CAPITALS = {"rl": "RL", "kl": "KL", "sft": "SFT", "kto": "KTO", "dpo": "DPO", "mb": "MB"}

_TEXT = re.compile(r'\s*("(?:[^"\\]|\\.)*"|[^,]*)\s*(?:,|$)')
"""One text of a list: a JSON string in double quotes, or plain up to the next comma."""

_FAR = 1000
"""Bounds from here on are not shown."""

Kind = Literal["text", "texts", "whole", "number", "switch", "choice"]


@dataclass(frozen=True)
class Setting:
    section: str
    name: str
    kind: Kind
    default: Value
    help: str
    options: tuple[str, ...] = ()
    """Options of a choice."""
    bounds: str = ""
    """Bounds in words; empty if there are none."""

    @property
    def basic(self) -> bool:
        """Shown without asking for all settings."""
        return bool({(self.section, None), (self.section, self.name)} & _BASIC)

    def matches(self, words: str) -> bool:
        """Whether each of the words occurs in its names or its help."""
        heading = _(SECTIONS[self.section])
        text = f"{self.section}.{self.name} {self.label} {heading} {_(self.help)}".casefold()
        return all(word in text for word in words.casefold().split())

    @property
    def label(self) -> str:
        words = [_CAPITALS.get(word, word) for word in self.name.split("_")]
        return _(" ".join([words[0][:1].upper() + words[0][1:], *words[1:]]))


def section(config: Config, name: str) -> BaseModel:
    """Return the section of `config` with a dotted name, such as `tuning.rl`."""
    part: BaseModel = reduce(getattr, name.split("."), config)
    return part


def all_settings() -> list[Setting]:
    """Return all settings on the screen, in the order of `core.config`."""
    found = []
    for place in SECTIONS:
        for name, field in type(section(Config(), place)).model_fields.items():
            kind = _kind(field)
            if kind is not None and (place, name) not in _LEFT_OUT:
                found.append(_setting(place, name, kind, field))
    return found


def setting(section: str, name: str) -> Setting:
    return next(one for one in all_settings() if (one.section, one.name) == (section, name))


def _kind(field: FieldInfo) -> Kind | None:
    if get_origin(field.annotation) is Literal:
        return "choice"
    kinds: dict[object, Kind] = {bool: "switch", int: "whole", float: "number", str: "text"}
    if get_origin(field.annotation) is tuple:
        return "texts"
    alternatives = get_args(field.annotation) or (field.annotation,)
    return kinds.get(alternatives[0])


def _setting(section: str, name: str, kind: Kind, field: FieldInfo) -> Setting:
    options = tuple(map(str, get_args(field.annotation))) if kind == "choice" else ()
    help_ = " ".join((field.description or "").replace("`", "").split())
    default = field.default
    if kind == "text" and default:
        default = _(default)  # the system prompt begins in the user's language
    return Setting(section, name, kind, default, help_, options, _bounds(field))


def _bounds(field: FieldInfo) -> str:
    if get_origin(field.annotation) is tuple:
        return _("separated by commas; in double quotes, \\n is a line break")
    limits = {
        limit: getattr(mark, limit)
        for mark in field.metadata
        for limit in ("ge", "gt", "le", "lt")
        if getattr(mark, limit, None) is not None and getattr(mark, limit) < _FAR
    }
    words = {
        "ge": _("at least {limit:g}"),
        "gt": _("more than {limit:g}"),
        "le": _("at most {limit:g}"),
        "lt": _("less than {limit:g}"),
    }
    return _(", ").join(
        said.format(limit=limits[limit]) for limit, said in words.items() if limit in limits
    )


def format_value(value: Value) -> str:
    """Format a value as the user would write it; empty for None."""
    if value is None:
        return ""
    if isinstance(value, tuple):
        return ", ".join(json.dumps(text, ensure_ascii=False) for text in value)
    if isinstance(value, float):
        return f"{value:g}"
    return str(value).lower() if isinstance(value, bool) else str(value)


def parse_value(setting: Setting, text: str) -> Value:
    """Parse the user's text as a value of the setting's kind.

    Raises:
        TuteeError: it is not a number where one is needed.
    """
    if setting.kind == "switch":
        return text == "true"
    if setting.kind in ("text", "choice"):
        return text
    if setting.kind == "texts":
        return _texts(text)
    if not text and setting.default is None:
        return None
    try:
        number = int(text) if setting.kind == "whole" else float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        whole = _("{setting} must be a whole number.")
        wanted = whole if setting.kind == "whole" else _("{setting} must be a number.")
        raise TuteeError(wanted.format(setting=setting.label))
    return number


def _texts(written: str) -> tuple[str, ...]:
    """Split texts at commas; one in double quotes may contain commas, spaces and \\n."""
    found = []
    for text in _TEXT.findall(written):
        try:
            found.append(str(json.loads(text)) if text.startswith('"') else text.strip())
        except ValueError:
            found.append(text.strip())
    return tuple(filter(None, found))
