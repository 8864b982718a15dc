"""Read single fields that anybody may have written: ids, names, text.

Nothing here raises on odd input: a field that makes no sense counts as absent, because a
conversation is worth keeping without its title.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from store.i18n import N_

TOOL_CALL = N_("a tool call")
TOOL_OUTPUT = N_("tool output")
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
    """Return the object, or an empty one."""
    return value if isinstance(value, dict) else {}


def items(value: object) -> Sequence[Any]:
    """Return the list, or an empty one."""
    return value if isinstance(value, list) else ()


def key(value: object) -> str | None:
    """Return an id as text: most programs write strings, some write numbers."""
    if isinstance(value, int) and not isinstance(value, bool):
        return format(value, "x")
    return value if isinstance(value, str) and value else None


def plain(value: object) -> str:
    """Return text that every file and tokenizer can hold; empty if the value is not text."""
    return value.encode("utf-8", "replace").decode("utf-8") if isinstance(value, str) else ""


def name(value: object) -> str | None:
    """Return one line that names something, such as a model."""
    return " ".join(plain(value).split()) or None


def title(value: object) -> str:
    """Return a one-line title, no longer than the list of conversations can show."""
    line = name(value) or ""
    return line if len(line) <= _TITLE_LENGTH else line[: _TITLE_LENGTH - 1].rstrip() + "…"


def parts(value: object) -> tuple[str, str]:
    """Return the text of a message, whole or in parts, and what it contains besides text.

    A model's thoughts are left out without counting as missing, since no reply depends on them.
    """
    texts: list[str] = []
    lacks = ""
    for part in items(value) or (value,):
        kind = mapping(part).get("type")
        kind = kind if isinstance(kind, str) else ""
        text = _text(part)
        if text is not None and kind in _TEXT:
            texts.append(text)
        elif kind not in _THOUGHTS and part not in (None, []):
            lacks = _OTHERS.get(kind, N_("a part that is not text"))
    return "\n\n".join(filter(str.strip, texts)), lacks


def _text(part: object) -> str | None:
    text = part if isinstance(part, str) else mapping(part).get("text")
    if isinstance(text, dict):
        text = text.get("value")
    return plain(text) if isinstance(text, str) else None
