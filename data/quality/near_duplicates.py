"""Find nearly identical texts without comparing all pairs.

Two texts are near duplicates if they share four fifths of their word triples: one word in thirty
differs, or a few in a hundred. A text may have parts, which are compared separately. In sets
ordered from rare to common triples, two near duplicates must share one of the first few triples, so
only texts that do are compared (prefix filtering, known from set similarity joins: Chaudhuri et
al., ICDE 2006). Unlike hashing this is exact, and it needs no library. A text is compared only with
the first of each group, so a thousand copies cost no more than one.

Left out on purpose: meaning. Two ways of saying the same thing are worth learning.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import islice

_ALIKE = (4, 5)
"""The required share of common triples, as a fraction."""
_TRIPLE = 3
_WORDS = 1000
"""Maximum words of a part that are compared."""
_UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
"""Scripts without spaces between words: each character counts as a word."""
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W{_UNSPACED}]+")

Triple = tuple[int, tuple[str, ...]]
"""The index of its part, and its words."""


def groups(texts: Sequence[tuple[str, ...]]) -> list[list[int]]:
    """Return groups of near-duplicate texts as indices, without groups of one; `texts` holds
    the parts of each."""
    sets = _ordered([triples(text) for text in texts])
    found: dict[int, list[int]] = {}
    holders: defaultdict[int, list[int]] = defaultdict(list)
    """By triple, the group firsts that have it among their first few."""
    # Shortest first, so that each group forms around its shortest text.
    for index in sorted(range(len(sets)), key=lambda i: len(sets[i])):
        first = _first_alike(index, sets, holders)
        if first is not None:
            found.setdefault(first, [first]).append(index)
            continue
        for triple in _few(sets[index]):
            holders[triple].append(index)
    return sorted(sorted(group) for group in found.values())


def _first_alike(
    index: int, sets: Sequence[list[int]], holders: defaultdict[int, list[int]]
) -> int | None:
    own = sets[index]
    whole = set(own)
    compared: set[int] = set()
    for triple in _few(own):
        for other in holders.get(triple, ()):
            if other in compared:
                continue
            compared.add(other)
            common = len(whole.intersection(sets[other]))
            if _enough(common, len(own) + len(sets[other]) - common):
                return other
    return None


def _enough(common: int, whole: int) -> bool:
    return common * _ALIKE[1] >= whole * _ALIKE[0]


def _few(ranked: Sequence[int]) -> Sequence[int]:
    """The first triples, of which two near duplicates share at least one."""
    needed = -(-len(ranked) * _ALIKE[0] // _ALIKE[1])
    return ranked[: len(ranked) - needed + 1]


def _ordered(sets: Sequence[set[Triple]]) -> list[list[int]]:
    """The sets as sorted ranks, rarer triples first."""
    often = Counter(triple for found in sets for triple in found)
    ranks = {triple: rank for rank, triple in enumerate(sorted(often, key=often.__getitem__))}
    return [sorted(ranks[triple] for triple in found) for found in sets]


def triples(text: tuple[str, ...]) -> set[Triple]:
    """Return all runs of three words; a part with fewer words is one run."""
    found: set[Triple] = set()
    for place, part in enumerate(text):
        words = [match[0] for match in islice(_WORD.finditer(part.casefold()), _WORDS)]
        runs = range(max(len(words) - _TRIPLE + 1, 1))
        found.update((place, tuple(words[start : start + _TRIPLE])) for start in runs)
    return found
