"""Telling thoughts from the reply."""

import pytest

from data.thoughts import split_thoughts


@pytest.mark.parametrize(
    ("text", "thoughts", "reply"),
    [
        ("4", "", "4"),
        ("  4\n", "", "  4\n"),
        ("<think>add</think>\n\n4", "add", "4"),
        ("\n<think>\nadd\n</think>\n\n4\n", "add", "4"),
        ("<think>\n\n</think>\n\nok", "", "ok"),
        ("2+2 equals 4.\n</think>\n\nThe answer is 4.", "2+2 equals 4.", "The answer is 4."),
        ("<think>add", "add", ""),
        ("<think>a</think><think>b</think>c", "a\n\nb", "c"),
        ("[THINK]add[/THINK]4", "add", "4"),
        ("◁think▷add◁/think▷4", "add", "4"),
        ("<thinking>add</thinking> 4", "add", "4"),
    ],
)
def test_thoughts_are_told_from_the_reply(text: str, thoughts: str, reply: str) -> None:
    assert split_thoughts(text) == (thoughts, reply)


@pytest.mark.parametrize(
    "text",
    [
        "A model writes `</think>` when it is done.",
        "Write <think>your thoughts</think> before the answer.",
        "<thinker>",
        "",
    ],
)
def test_text_about_tags_is_a_reply(text: str) -> None:
    assert split_thoughts(text) == ("", text)
