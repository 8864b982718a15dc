"""Pairs that a chain of prompts and conversations connects are one group."""

from core.runs.pair_groups import pair_groups
from store.records import ChatMessage, Preference


def pair(text: str, conversation: str | None = None) -> Preference:
    prompt = (ChatMessage(role="user", content=text),)
    return Preference(prompt=prompt, chosen="yes", rejected="no", conversation_id=conversation)


def test_conversations_and_equal_prompts_connect_pairs() -> None:
    alone, first, second, third = pair("a"), pair("b", "x"), pair("c", "x"), pair("c", "y")
    fourth, twin = pair("d", "y"), pair("a")
    groups = pair_groups([alone, first, second, third, fourth, twin])
    assert len({groups[one.id] for one in (first, second, third, fourth)}) == 1
    assert groups[alone.id] == groups[twin.id] != groups[first.id]
    assert len(groups) == 6
