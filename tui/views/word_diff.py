"""Find the words in which two replies differ."""

import re
from difflib import SequenceMatcher
from typing import NamedTuple

_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff"
_WORD = re.compile(rf"(?:[{_CJK}]|[^\W{_CJK}]+|[^\w\s])\s*|\s+")
"""A word, a symbol, or a character of a script without spaces, with the blanks after it."""

_UNLIKE = 0.5
"""Minimum share of the shorter text that must match. Below it, matches are chance and the marks
would mean nothing. Relative to the shorter text, so that a mere cut still counts as alike."""


class Span(NamedTuple):
    text: str
    changed: bool
    """The other reply does not have it in this place."""


Spans = tuple[Span, ...]


def changes(before: str, after: str) -> tuple[Spans, Spans]:
    """Split both texts into spans, which join to the texts; unlike texts are one changed span."""
    old, new = _WORD.findall(before), _WORD.findall(after)
    matcher = SequenceMatcher(None, _bare(old), _bare(new), autojunk=False)
    shared = sum(block.size for block in matcher.get_matching_blocks())
    if shared < _UNLIKE * min(len(old), len(new)):
        return _whole(before), _whole(after)
    steps = matcher.get_opcodes()
    return (
        tuple(Span("".join(old[i:j]), tag != "equal") for tag, i, j, _, _ in steps if j > i),
        tuple(Span("".join(new[i:j]), tag != "equal") for tag, _, _, i, j in steps if j > i),
    )


def _whole(text: str) -> Spans:
    return (Span(text, True),) if text else ()


def _bare(words: list[str]) -> list[str]:
    """Strip blanks, so that a moved line break is no change."""
    return [word.strip() for word in words]
