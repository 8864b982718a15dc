"""Conversations as one text, `\\n\\nHuman: …\\n\\nAssistant: …`, as in Anthropic's hh-rlhf."""

import re

from store.records import ChatMessage, Role

_TURN = re.compile(r"(?:\A|\n\n)(Human|Assistant):[ \t]*")
_ROLES: dict[str, Role] = {"Human": "user", "Assistant": "assistant"}


def parse_transcript(text: str) -> tuple[ChatMessage, ...] | None:
    """Return the messages of a transcript; None for any other text.

    A last turn without text stands for the reply to come, and is left out.
    """
    text = text.lstrip("\n")
    turns = [*_TURN.finditer(text)]
    if len(turns) < 2 or turns[0].start() or turns[0][1] != "Human":
        return None
    ends = [turn.start() for turn in turns[1:]] + [len(text)]
    messages = [
        ChatMessage(role=_ROLES[turn[1]], content=text[turn.end() : end].strip())
        for turn, end in zip(turns, ends, strict=True)
    ]
    return tuple(messages if messages[-1].content else messages[:-1])
