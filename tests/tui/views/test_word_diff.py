"""The words that differ are found, and no letter is lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.views.word_diff import changes


@pytest.mark.parametrize(
    ("before", "after", "gone", "new"),
    [
        ("The sky is blue.", "The sky is deep blue.", [], ["deep "]),
        ("It was a good film", "It was a bad film", ["good "], ["bad "]),
        ("今天天气很好", "今天天气不好", ["很"], ["不"]),
        ("a = f(1)\n  b", "a = f(2)\nb", ["1"], ["2"]),
        ("same", "same", [], []),
        ("It is, as I see it, bad and so on.", "It is bad.", [", as I see it, ", "and so on"], []),
        ("", "", [], []),
        ("", "new", [], ["new"]),
        ("the cat sat here", "negative", ["the cat sat here"], ["negative"]),
        ("one two. three four", "no. way", ["one two. three four"], ["no. way"]),
    ],
)
def test_what_changed_is_marked(before: str, after: str, gone: list[str], new: list[str]) -> None:
    old, now = changes(before, after)
    assert [span.text for span in old if span.changed] == gone
    assert [span.text for span in now if span.changed] == new


WORDS = st.lists(st.sampled_from(["a", "bc", " ", "\n", "，", "你", "好", "é", "🙂", "."])).map(
    "".join
)


@given(WORDS | st.text(), WORDS | st.text())
def test_the_spans_are_the_texts_and_what_is_unmarked_is_in_both(before: str, after: str) -> None:
    old, now = changes(before, after)
    assert "".join(span.text for span in old) == before
    assert "".join(span.text for span in now) == after
    kept = [
        ["".join(span.text.split()) for span in spans if not span.changed] for spans in (old, now)
    ]
    assert kept[0] == kept[1]
