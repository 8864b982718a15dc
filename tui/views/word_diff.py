"""Which words of two replies differ, so that a person's eye finds them."""

import re
from difflib import SequenceMatcher
from typing import NamedTuple

_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff"
_WORD = re.compile(rf"(?:[{_CJK}]|[^\W{_CJK}]+|[^\w\s])\s*|\s+")
"""A word, a sign, or a character of a script without spaces, and the blanks behind it."""


_UNLIKE = 0.5
"""Share of the shorter text below which what both have is chance, so that marking the rest would
say nothing. A text that was only made shorter is wholly in the other, however long that is."""


class Span(NamedTuple):
    text: str
    changed: bool
    """The other reply does not have it here."""


Spans = tuple[Span, ...]


def changes(before: str, after: str) -> tuple[Spans, Spans]:
    """Both texts in spans; the spans of each, joined, are the text itself.

    Texts that are not alike at all are changed as a whole.
    """
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
    """Without blanks, so that another line break alone is no change."""
    return [word.strip() for word in words]
