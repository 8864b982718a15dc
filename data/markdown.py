"""A conversation as a Markdown file, for reading and for passing on. Pure.

Left out on purpose: reading one back. What is to be brought into another home is exported as
records or imported from a program's own format.
"""

import re
import unicodedata
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from store.i18n import N_, _
from store.records import Conversation, Role

_WHO: dict[Role, str] = {"system": N_("System"), "user": N_("You"), "assistant": "Tutee"}
_NAME_BYTES = 120
"""Of a file's name without its date; file systems allow 255."""


class Section(NamedTuple):
    """One message."""

    role: Role
    text: str
    adapter: str | None = None
    """The version that wrote it."""
    corrected: bool = False
    """The text is the person's correction."""


def markdown(conversation: Conversation, sections: Iterable[Section]) -> str:
    """The whole conversation; what was said stands there as it was said."""
    title = " ".join(conversation.title.split()) or _("Chat")
    parts = [f"# {title}", f"*{conversation.created.astimezone():%Y-%m-%d %H:%M}*"]
    for section in sections:
        remarks = [section.adapter or "", _("corrected") if section.corrected else ""]
        remark = _(", ").join(filter(None, remarks))
        heading = f"## {_(_WHO[section.role])}" + (f" ({remark})" if remark else "")
        parts += [heading, section.text.strip("\n")]
    return "\n\n".join(parts) + "\n"


def file_name(title: str, when: datetime) -> str:
    """A name that every file system takes; letters of any script stay."""
    plain = unicodedata.normalize("NFC", title)
    words = re.sub(r"[^\w\s.-]", "", plain).split()
    name = "-".join(words).strip(".-")
    while len(name.encode()) > _NAME_BYTES:
        name = name[:-1]
    return f"{when:%Y-%m-%d-%H%M%S}-{name or 'chat'}.md"
