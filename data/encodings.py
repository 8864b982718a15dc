"""Guess the encoding of a text that is not UTF-8: GB18030 (Chinese Windows) or cp1252 (Western).

Guessed only where the bytes speak for it. In Chinese text nearly every pair of high bytes is one of
the 3,755 common characters of GB 2312, and the very commonest come often; in Western text high
bytes stand alone between ASCII letters. Anything else (Cyrillic, Japanese, Korean, Big5) is left to
the user to name. Central European cp1250 is taken for cp1252, so the import says what was guessed.
"""

import re

_PAIR = re.compile(rb"[\x81-\xfe][\x30-\x39\x40-\x7e\x80-\xfe]")
_COMMON_PAIR = re.compile(rb"[\xb0-\xd7\xa1\xa3][\xa1-\xfe]")
_COMMONEST = frozenset(
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过"
    "发后作里用道行所然家种事成方多经么去法学如都同现当没动面起看定天分还进好小部其些主样理心她本前"
    "开但因只从想实日军者意无力它与长把机十民第公此已工使情明性知全三又关点正业外将两高间由问很最重"
    "什名吗请呢什回答户谢复色"
)
_HIGH = re.compile(rb"[\x80-\xff]+")
_SAMPLE = 1 << 20
"""Bytes that are looked at; the whole must decode, too."""
_MOSTLY = 0.9
_OFTEN = 0.1
"""Least share of the commonest characters among all Chinese ones; by chance it would be 0.04."""
_SHORT = 2
"""Most high bytes in a row between Western letters."""


def guess(content: bytes) -> str | None:
    """Return the encoding of bytes that are not UTF-8, or None if they speak for none."""
    sample = content[:_SAMPLE]
    if _looks_chinese(sample) and _decodes(content, "gb18030"):
        return "gb18030"
    if _looks_western(sample) and _decodes(content, "cp1252"):
        return "cp1252"
    return None


def _looks_chinese(sample: bytes) -> bool:
    pairs = _PAIR.findall(sample)
    common = sum(bool(_COMMON_PAIR.match(pair)) for pair in pairs)
    if not pairs or common < _MOSTLY * len(pairs):
        return False
    characters = [pair.decode("gb18030", "replace") for pair in pairs if pair >= b"\xb0\xa1"]
    often = sum(character in _COMMONEST for character in characters)
    return often >= max(1, _OFTEN * len(characters))


def _looks_western(sample: bytes) -> bool:
    runs = _HIGH.findall(sample)
    short = sum(len(run) for run in runs if len(run) <= _SHORT)
    return short >= _MOSTLY * sum(map(len, runs)) and b"\x00" not in sample


def _decodes(content: bytes, encoding: str) -> bool:
    try:
        content.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True
