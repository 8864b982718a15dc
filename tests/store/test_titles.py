"""Titles: the first question that says something, short, and never cut inside a character."""

import pytest
from rich.cells import cell_len

from store.titles import WIDTH, title_of


@pytest.mark.parametrize(
    ("questions", "title"),
    [
        ((), ""),
        (("  \n ",), ""),
        (("What is\n  love?",), "What is love?"),
        (("Summarise @notes.txt\n\nlong text",), "Summarise @notes.txt"),
        (("hi",), "hi"),
        (("Hello!", "Who was Ada?"), "Who was Ada?"),
        (("你好！", "在吗", "写一首诗"), "写一首诗"),
        (("hi there Bob", "next"), "hi there Bob"),
        (("???", "why?"), "why?"),
    ],
)
def test_a_title_is_the_first_question_that_says_something(
    questions: tuple[str, ...], title: str
) -> None:
    assert title_of(questions) == title


@pytest.mark.parametrize(
    "text", ["word " * 40, "永和九年岁在癸丑暮春之初" * 9, "e\u0301" * 90, "👩‍👩‍👧‍👦👍🏽" * 30]
)
def test_a_long_title_fits_its_column(text: str) -> None:
    title = title_of([text])
    assert title.endswith("…")
    assert cell_len(title) <= WIDTH
    assert len(title) > 10


def test_what_is_seen_as_one_character_is_kept_or_dropped_whole() -> None:
    for before in range(WIDTH - 6, WIDTH + 3):
        for character in ("👩‍👩‍👧‍👦", "👍🏽", "e\u0301", "字"):
            title = title_of(["x" * before + character + "y" * 9])
            assert title.strip("…xy") in ("", character)


def test_a_line_of_the_very_width_is_not_cut() -> None:
    assert title_of(["字" * (WIDTH // 2)]) == "字" * (WIDTH // 2)
