"""Whether a reply is the one that was taught.

Left out on purpose: a judge of meaning. What counts is what the user wrote.
"""

SHORT_WORDS = 8
"""Words (or Chinese characters) up to which a taught reply may stand inside a longer one."""


def learned(reply: str, taught: str, *, cut_off: bool = False) -> bool:
    """Return whether `reply` is the one that was taught.

    It is if both are equal but for case and blanks. A taught reply of at most `SHORT_WORDS` words
    may also stand inside a longer one ("Oslo" in "It is Oslo."). A reply that was cut off need only
    be the beginning of the one taught.
    """
    said, wanted = plain(reply), plain(taught)
    if said == wanted or (cut_off and said and wanted.startswith(said)):
        return True
    words = wanted.split() if wanted.isascii() else [*wanted.replace(" ", "")]
    return 0 < len(words) <= SHORT_WORDS and wanted in said


def plain(text: str) -> str:
    """Return `text` without what makes no difference: case, and the kind of blanks."""
    return " ".join(text.split()).casefold()
