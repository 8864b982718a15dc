"""The title of a conversation until the user sets one.

It is the first question; a mere greeting gives way to the next question. Widths are in terminal
cells, because titles are shown in a column.

Left out on purpose: asking the model for a title. It would cost a reply's time, and a small model's
titles say less than the question.
"""

import unicodedata
from collections.abc import Iterable

WIDTH = 60
"""Maximum width of a title in cells."""

_GREETINGS = frozenset(
    (
        *("hi", "hello", "hey", "hallo", "hola", "bonjour", "ciao", "test", "ping"),
        *("你好", "您好", "嗨", "哈喽", "早上好", "晚上好", "在吗", "测试"),
        *("こんにちは", "안녕하세요", "привет"),
    )
)
_JOINER = "\u200d"


def title_of(questions: Iterable[str]) -> str:
    """Return a title for the user's questions, in order; empty if they are."""
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
    """Cut `line` to at most `WIDTH` cells, never inside what is displayed as one character."""
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
    return before == _JOINER or _cells(character) == 0


def _cells(character: str) -> int:
    zero = unicodedata.category(character) in ("Mn", "Me", "Cf") or "🏻" <= character <= "🏿"
    return 0 if zero else 2 if unicodedata.east_asian_width(character) in "WF" else 1
