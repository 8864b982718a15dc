"""Render a conversation as a Markdown file, for reading and sharing. Pure.

A viewer must not fetch anything because of what a model or an import says, so images become links
and HTML becomes text; code stays as it is.

Left out on purpose: reading one back. To move a conversation to another home, export records or
import a program's own format.
"""

import re
import unicodedata
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from markdown_it import MarkdownIt
from markdown_it.token import Token

from store.i18n import N_, _
from store.local_time import local_minute
from store.records import Conversation, Role

_WHO: dict[Role, str] = {"system": N_("System"), "user": N_("You"), "assistant": "Tutee"}
_PARSER = MarkdownIt("commonmark")
_EMBED = re.compile(r"(?P<code>(?!))|(?P<sign>!(?=\[)|<(?=[A-Za-z/!?]))")
"""The first character of an image, or of HTML."""
_EMBED_OR_CODE = re.compile(
    r"(?P<code>\\`|(?<!`)(?P<ticks>`+)(?!`)[^`].*?(?<!`)(?P=ticks)(?!`))"
    r"|(?P<sign>!(?=\[)|<(?=[A-Za-z/!?]))",
    re.DOTALL,
)
"""The same, and code spans to leave alone."""
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
    """Render the whole conversation."""
    title = inert(" ".join(conversation.title.split()) or _("Chat"))
    parts = [f"# {title}", f"*{local_minute(conversation.created)}*"]
    for section in sections:
        remarks = [section.adapter or "", _("corrected") if section.corrected else ""]
        remark = _(", ").join(filter(None, remarks))
        heading = f"## {_(_WHO[section.role])}" + (f" ({remark})" if remark else "")
        parts += [heading, inert(section.text.strip("\n"))]
    return "\n\n".join(parts) + "\n"


def inert(text: str) -> str:
    """Return Markdown that reads the same but embeds nothing, whatever follows it."""
    text = re.sub("\r\n?", "\n", text)
    before = None
    while text != before:  # what stood in HTML may be something else without it
        before, text = text, _without_embeds(text)
    last = _PARSER.parse(f"{text}\n\n# The next heading")[-1]
    if last.type == "fence":
        text += f"\n{last.markup}"
    return text


def _without_embeds(text: str) -> str:
    lines = text.split("\n")
    for block in _PARSER.parse(text):
        if block.type in ("inline", "html_block") and block.map is not None:
            first, end = block.map
            source = "\n".join(lines[first:end])
            # What is a code span can be disputed, as in a table; in doubt it is not one.
            changed = _EMBED_OR_CODE.sub(_as_text, source)
            if "|" in source or _embeds(_PARSER.parseInline(changed)):
                changed = _EMBED.sub(_as_text, source)
            lines[first:end] = changed.split("\n")
    return "\n".join(lines)


def _as_text(found: re.Match[str]) -> str:
    code, sign = found["code"], found["sign"]
    return code or ("&#33;" if sign == "!" else "&lt;")


def _embeds(tokens: Iterable[Token]) -> bool:
    return any(
        child.type in ("image", "html_inline") for token in tokens for child in token.children or ()
    )


def file_name(title: str, when: datetime) -> str:
    """Return a file name valid on every file system; letters of any script stay."""
    words = re.sub(r"[^\w\s.-]", "", unicodedata.normalize("NFC", title)).split()
    name = "-".join(words).strip(".-")
    while len(name.encode()) > _NAME_BYTES:
        name = name[:-1]
    return f"{when:%Y-%m-%d-%H%M%S}-{name or 'chat'}.md"
