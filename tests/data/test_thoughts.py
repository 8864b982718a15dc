"""Telling thoughts from the reply."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.thoughts import ThoughtStream, opened_thought, split_thoughts


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


def streamed(text: str, size: int) -> tuple[str, str]:
    stream, thoughts, reply = ThoughtStream(), "", ""
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    for thought, said in [*map(stream.push, pieces), stream.flush()]:
        thoughts, reply = thoughts + thought, reply + said
    return thoughts, reply


PARTS = st.sampled_from(["<think>", "</think>", "<thinking>", "[THINK]", "a", " ", "\n", "<", "</"])


@given(text=st.lists(PARTS, max_size=9).map("".join), size=st.integers(1, 9))
def test_the_pieces_do_not_matter(text: str, size: int) -> None:
    at_once, in_pieces = streamed(text, 99), streamed(text, size)
    assert [part.split() for part in in_pieces] == [part.split() for part in at_once]


@given(text=st.lists(PARTS, max_size=9).map("".join), size=st.integers(1, 9))
def test_a_stream_agrees_with_the_whole(text: str, size: int) -> None:
    opened = f"<think>{text}"
    thoughts, reply = streamed(opened, size)
    whole_thoughts, whole_reply = split_thoughts(opened)
    assert "".join(thoughts.split()) == "".join(whole_thoughts.split())
    assert reply.strip() == whole_reply


def test_text_without_thoughts_streams_as_it_is() -> None:
    for text in ("4", "  4\n", "<", "<thinker>", "a </think> b", "\n\n", "[THIS]"):
        assert streamed(text, 1) == ("", text)


def test_a_prompt_may_open_a_thought() -> None:
    assert opened_thought("<|im_start|>assistant\n<think>\n") == "<think>"
    assert opened_thought("<think>\n\n</think>\n\n") == ""
    assert opened_thought("") == ""
