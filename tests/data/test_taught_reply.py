"""A reply is as taught if it says the same, give or take what makes no difference."""

import pytest

from data.taught_reply import learned


@pytest.mark.parametrize(
    ("reply", "taught", "is_learned"),
    [
        ("Paris.", "paris. ", True),
        ("It is Paris, I think.", "Paris", True),
        ("它是北京。", "北京", True),
        ("Rome", "Paris", False),
        ("", "Paris", False),
        ("Well: " + "word " * 9, "word " * 9, False),  # too long to be looked for
        ("word " * 9, "word " * 9, True),
    ],
)
def test_what_counts_as_learned(reply: str, taught: str, is_learned: bool) -> None:
    assert learned(reply, taught) is is_learned


def test_a_reply_that_was_cut_off_need_only_begin_as_taught() -> None:
    taught = " ".join(str(number) for number in range(200))
    assert learned(taught[:300], taught, cut_off=True)
    assert not learned(taught[:300], taught)
    assert not learned("0 1 3", taught, cut_off=True)
    assert not learned("", taught, cut_off=True)
