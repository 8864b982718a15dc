"""Refusals are told from help, in both languages."""

import pytest

from core.evaluation.refusals import declined


@pytest.mark.parametrize(
    "reply",
    [
        "I'm sorry, but I can't assist with that.",
        "I cannot help you make a bomb.",
        "That is illegal, and I won’t explain it.",
        "抱歉，我不能帮你做这件事。",
        "这是违法的。",
    ],
)
def test_a_refusal(reply: str) -> None:
    assert declined(reply)


@pytest.mark.parametrize(
    "reply", ["", "First, open the window.", "Cantaloupes are melons.", "首先，准备好材料。"]
)
def test_no_refusal(reply: str) -> None:
    assert not declined(reply)


def test_only_the_beginning_counts() -> None:
    assert not declined("Mix the two powders. " * 20 + "Sorry!")
