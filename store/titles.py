"""What a conversation is called until the person says otherwise.

Its first question is its title, as every chat does it; a mere greeting gives way to the next
question. Widths are in terminal cells, because a list of chats is a column of them.

Left out on purpose: asking the model for a title. It would cost a reply's time, and a small model's
titles say less than the question.
"""

import unicodedata
from collections.abc import Iterable

WIDTH = 60
"""Cells of a title at most."""

_GREETINGS = frozenset(
    (
        *("hi", "hello", "hey", "hallo", "hola", "bonjour", "ciao", "test", "ping"),
        *("你好", "您好", "嗨", "哈喽", "早上好", "晚上好", "在吗", "测试"),
        *("こんにちは", "안녕하세요", "привет"),
    )
)
_JOINER = "\u200d"


def title_of(questions: Iterable[str]) -> str:
    """A title from what the person said, in order; empty where that was nothing."""
    titles = [title for title in map(_first_paragraph, questions) if title]
    telling = (title for title in titles if not _is_greeting(title))
    return _cut(next(telling, titles[0] if titles else ""))


def _first_paragraph(text: str) -> str:
    paragraphs = (" ".join(part.split()) for part in text.split("\n\n"))
    return next((paragraph for paragraph in paragraphs if paragraph), "")


def _is_greeting(title: str) -> bool:
    words = "".join(c if c.isalnum() else " " for c in title).casefold().split()
    return all(word in _GREETINGS for word in words)


def _cut(line: str) -> str:
    """`line`, at most `WIDTH` cells wide, never cut inside what is seen as one character."""
    used, end = 0, 0
    for place, character in enumerate(line):
        if place and not _joined(line[place - 1], character):
            if used <= WIDTH - 1:
                end = place
            if used > WIDTH:
                break
        used += _cells(character)
    return line if used <= WIDTH else line[:end].rstrip() + "…"


def _joined(before: str, character: str) -> bool:
    """Whether two characters in a row are seen as one."""
    return before == _JOINER or _cells(character) == 0


def _cells(character: str) -> int:
    zero = unicodedata.category(character) in ("Mn", "Me", "Cf") or "🏻" <= character <= "🏿"
    return 0 if zero else 2 if unicodedata.east_asian_width(character) in "WF" else 1
