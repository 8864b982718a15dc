"""Reading single fields that anybody may have written: ids, names, text.

Nothing here raises for odd input: a field that makes no sense counts as absent, because a chat is
worth keeping without its title.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from store.i18n import N_

TOOL_CALL = N_("a tool's call")
TOOL_OUTPUT = N_("a tool's output")
FILE = N_("an image or a file")

_TITLE_LENGTH = 60
_TEXT = ("", "text", "input_text", "output_text")
_THOUGHTS = ("think", "thinking", "reasoning", "thoughts")
_OTHERS = {
    "image": FILE,
    "image_file": FILE,
    "image_url": FILE,
    "input_image": FILE,
    "file": FILE,
    "tool_call": TOOL_CALL,
    "tool_use": TOOL_CALL,
    "function_call": TOOL_CALL,
    "tool_result": TOOL_OUTPUT,
}


def mapping(value: object) -> Mapping[str, Any]:
    """The object, or an empty one."""
    return value if isinstance(value, dict) else {}


def items(value: object) -> Sequence[Any]:
    """The list, or an empty one."""
    return value if isinstance(value, list) else ()


def key(value: object) -> str | None:
    """An id as text: programs write them as strings, some as numbers."""
    if isinstance(value, int) and not isinstance(value, bool):
        return format(value, "x")
    return value if isinstance(value, str) and value else None


def plain(value: object) -> str:
    """Text that every file and tokenizer can hold; empty where it is none."""
    return value.encode("utf-8", "replace").decode("utf-8") if isinstance(value, str) else ""


def name(value: object) -> str | None:
    """One line that names something, such as a model."""
    return " ".join(plain(value).split()) or None


def title(value: object) -> str:
    """A title of one line, not longer than the list of conversations can show."""
    line = name(value) or ""
    return line if len(line) <= _TITLE_LENGTH else line[: _TITLE_LENGTH - 1].rstrip() + "…"


def parts(value: object) -> tuple[str, str]:
    """The text of a message, whole or in parts, and what it has besides text.

    A model's thoughts are left out, and are not missed: no reply of ours rests on them.
    """
    texts: list[str] = []
    lacks = ""
    for part in items(value) or (value,):
        kind = mapping(part).get("type")
        kind = kind if isinstance(kind, str) else ""
        said = _said(part)
        if said is not None and kind in _TEXT:
            texts.append(said)
        elif kind not in _THOUGHTS and part not in (None, []):
            lacks = _OTHERS.get(kind, N_("a part that is no text"))
    return "\n\n".join(filter(str.strip, texts)), lacks


def _said(part: object) -> str | None:
    said = part if isinstance(part, str) else mapping(part).get("text")
    if isinstance(said, dict):
        said = said.get("value")
    return plain(said) if isinstance(said, str) else None
