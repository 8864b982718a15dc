"""Texts that are nearly the same."""

import random

from hypothesis import given
from hypothesis import strategies as st

from data.quality import near_duplicates

LONG = (
    "A library is a place where people can read books, borrow them for a while and meet others. "
    "Most of them lend films and games as well, and many offer quiet rooms in which to work."
)


def groups(*texts: str) -> list[list[int]]:
    return near_duplicates.groups([(text,) for text in texts])


def test_case_spaces_and_marks_make_no_difference() -> None:
    assert groups("Hello there, world!", "unlike", "hello   there world") == [[0, 2]]
    assert groups("今天天气真好。", "今天天气真好！") == [[0, 1]]


def test_one_word_in_a_long_text_is_nearly_the_same() -> None:
    assert groups(LONG, LONG.replace("quiet", "silent")) == [[0, 1]]


def test_one_word_in_a_short_text_is_another_text() -> None:
    assert groups("What is 1 + 1? 2", "What is 1 + 2? 3") == []
    assert groups("", "a", "b") == []


def test_half_of_a_text_is_another_text() -> None:
    assert groups(LONG, LONG[: len(LONG) // 2]) == []


def test_parts_are_compared_each_with_its_like() -> None:
    assert near_duplicates.groups([(LONG, "a"), ("a", LONG), (LONG + " Yes.", "a")]) == [[0, 2]]


def test_groups_are_in_the_order_of_the_texts() -> None:
    assert groups("b b b", "a a a", "c", "A a a", "B b b", "b b, b") == [[0, 4, 5], [1, 3]]


def test_a_thousand_copies_are_one_group() -> None:
    assert groups(*(f"{LONG} {n}" for n in range(1000))) == [list(range(1000))]


def similar(one: str, other: str) -> bool:
    left, right = near_duplicates.triples((one,)), near_duplicates.triples((other,))
    return 5 * len(left & right) >= 4 * len(left | right)


def firsts(texts: list[str]) -> list[str]:
    """Those that are like no first before them, by comparing each with each."""
    kept: list[str] = []
    for text in sorted(texts, key=lambda text: len(near_duplicates.triples((text,)))):
        if not any(similar(text, other) for other in kept):
            kept.append(text)
    return kept


@given(seed=st.integers(0, 10**6), words=st.integers(1, 60))
def test_nothing_alike_is_missed(seed: int, words: int) -> None:
    """Texts that differ from one of three originals by a few words, against all comparisons."""
    draw = random.Random(seed)
    vocabulary = [f"w{n}" for n in range(30)]
    originals = [draw.choices(vocabulary, k=words) for _ in range(3)]
    texts = []
    for _ in range(20):
        text = list(draw.choice(originals))
        for _ in range(draw.randrange(3)):
            text[draw.randrange(len(text))] = draw.choice(vocabulary)
        texts.append(" ".join(text))
    found = groups(*texts)
    assert sum(len(group) - 1 for group in found) == len(texts) - len(firsts(texts))
    for group in found:
        members = [texts[index] for index in group]
        assert any(all(similar(first, text) for text in members) for first in members)
