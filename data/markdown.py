"""Render a conversation as a Markdown file, for reading and sharing. Pure.

Left out on purpose: reading one back. To move a conversation to another home, export records or
import a program's own format.
"""

import re
import unicodedata
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from store.i18n import N_, _
from store.local_time import local_minute
from store.records import Conversation, Role

_WHO: dict[Role, str] = {"system": N_("System"), "user": N_("You"), "assistant": "Tutee"}
_NAME_BYTES = 120
"""Maximum length of a file name without its date; file systems allow 255."""


class Section(NamedTuple):
    role: Role
    text: str
    adapter: str | None = None
    """The adapter version that generated it."""
    corrected: bool = False
    """The text is the user's correction."""


def markdown(conversation: Conversation, sections: Iterable[Section]) -> str:
    """Render the whole conversation; texts are not changed."""
    title = " ".join(conversation.title.split()) or _("Chat")
    parts = [f"# {title}", f"*{local_minute(conversation.created)}*"]
    for section in sections:
        remarks = [section.adapter or "", _("corrected") if section.corrected else ""]
        remark = _(", ").join(filter(None, remarks))
        heading = f"## {_(_WHO[section.role])}" + (f" ({remark})" if remark else "")
        parts += [heading, section.text.strip("\n")]
    return "\n\n".join(parts) + "\n"


def file_name(title: str, when: datetime) -> str:
    """Return a file name valid on every file system; letters of any script stay."""
    words = re.sub(r"[^\w\s.-]", "", unicodedata.normalize("NFC", title)).split()
    name = "-".join(words).strip(".-")
    while len(name.encode()) > _NAME_BYTES:
        name = name[:-1]
    return f"{when:%Y-%m-%d-%H%M%S}-{name or 'chat'}.md"
