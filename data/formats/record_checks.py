"""What a record of another program must be: without thoughts, of text alone, worth comparing.

Every format is checked here once its rows are parsed, so that none can forget it.
"""

import re
from typing import Any

from data.formats.row_error import RowError
from data.thoughts import split_thoughts
from store.i18n import _
from store.records import ChatMessage, Preference, Record

_PLACEHOLDER = re.compile(
    r"<\|?(?:image|img|video|audio)(?:_?(?:pad|start|1|token|soft_token|placeholder))?\|?>"
    r"|<\|vision_(?:start|pad)\|>|<start_of_image>|<ImageHere>|\[IMG\]|\[img-\d+\]",
    re.IGNORECASE,
)
"""What stands for a picture, a film or a sound in the text of multimodal datasets."""
_DATA_URL = re.compile(r"data:(?:image|video|audio)/[\w.+-]{1,40};base64,", re.IGNORECASE)


def checked(record: Record) -> tuple[Record, bool]:
    """Return the record without the thoughts of its replies, and whether it had any.

    Raises:
        RowError: A reply is nothing but thoughts, a pair has the same reply twice, or the text
            stands for pictures or sound.
    """
    if any(_needs_more_than_text(message.content) for message in record.prompt):
        raise RowError(_("it includes images, sound or video"))
    changes: dict[str, Any] = {}
    for name in ("completion", "chosen", "rejected"):
        text = getattr(record, name, "")
        if (reply := _without_thoughts(text)) != text:
            changes[name] = reply
    prompt = tuple(map(_answer_alone, record.prompt))
    if prompt != record.prompt:
        changes["prompt"] = prompt
    if changes:
        record = record.model_copy(update=changes)
    if isinstance(record, Preference) and record.chosen.strip() == record.rejected.strip():
        raise RowError(_("chosen equals rejected"))
    return record, bool(changes)


def _answer_alone(message: ChatMessage) -> ChatMessage:
    if message.role != "assistant" or (reply := _without_thoughts(message.content)) == (
        message.content
    ):
        return message
    return message.model_copy(update={"content": reply})


def _without_thoughts(text: str) -> str:
    reply = split_thoughts(text)[1]
    if text.strip() and not reply.strip():
        raise RowError(_("a reply is nothing but thoughts"))
    return reply


def _needs_more_than_text(content: str) -> bool:
    """Whether a message has a picture in it, or a placeholder at its edge or on its own line.

    HTML is told apart by its closing tags; a lone `<video>` in a snippet is held back wrongly, and
    a placeholder inside a sentence passes.
    """
    if "<" not in content and "[" not in content and "base64" not in content:
        return False
    text = content.strip()
    for found in _PLACEHOLDER.finditer(text):
        line_before = text[: found.start()].rpartition("\n")[2].strip()
        line_after = text[found.end() :].partition("\n")[0].strip()
        alone = not line_before and not line_after
        at_edge = found.start() == 0 or found.end() == len(text)
        closed = f"</{found[0].strip('<|>')}>" in text
        if (alone or at_edge or "|" in found[0]) and not closed:
            return True
    return bool(_DATA_URL.search(content))
