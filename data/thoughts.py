"""Tell the thoughts of a reasoning model from its reply.

A model that reasons writes its thoughts between two tags before it answers. They are no part of the
reply: they are shown apart, and neither sent back nor learned. Many templates write the opening tag
themselves, so that a reply may begin in mid-thought and hold only the closing one; a reply that was
cut short may hold only the opening one.

Only what stands before the answer is looked at: tags further on are text about tags.
"""

import re
from typing import Any

THOUGHT_KEYS = ("reasoning_content", "reasoning", "thinking", "thoughts", "reasoning_details")
"""Keys beside the reply under which programs and providers keep the thoughts."""
THOUGHT_KINDS = ("think", "thinking", "redacted_thinking", "reasoning", "thought", "thoughts")
"""Types of the parts of a message that are thoughts."""

_TAGS = (
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
    ("<seed:think>", "</seed:think>"),
    ("<mm:think>", "</mm:think>"),
    ("[THINK]", "[/THINK]"),
    ("◁think▷", "◁/think▷"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
)
"""What opens and closes a thought: most reasoning models, then Seed, MiniMax, Magistral, Kimi and
Command."""

MARKS = frozenset(tag for tags in _TAGS for tag in tags)
"""All tags."""

_BLOCK = re.compile(
    "|".join(f"{re.escape(o)}(?:(.*?){re.escape(c)}|(.*)$)" for o, c in _TAGS), re.DOTALL
)
_CLOSING = re.compile("|".join(re.escape(closing) for _, closing in _TAGS))
_QUOTED = re.compile("|".join(["`", *(re.escape(opening) for opening, _ in _TAGS)]))
"""Before a closing tag, it says that the text is about tags."""


def has_thoughts(value: Any) -> bool:
    """Return whether a JSON value keeps thoughts apart from a reply, however deep inside."""
    waiting = [value]
    while waiting:
        inside = waiting.pop()
        if isinstance(inside, list):
            waiting.extend(one for one in inside if isinstance(one, dict | list))
        elif isinstance(inside, dict):
            kinds = (inside.get("type"), inside.get("content_type"))
            if any(kind in THOUGHT_KINDS for kind in kinds if isinstance(kind, str)):
                return True
            if any(inside.get(key) is True for key in ("thought", "isThought")):
                return True
            if any(isinstance(inside.get(key), str | list) and inside[key] for key in THOUGHT_KEYS):
                return True
            waiting.extend(one for one in inside.values() if isinstance(one, dict | list))
    return False


def opened_thought(prompt: str) -> str:
    """Return the tag with which `prompt` opens a thought at its end; empty if it does not."""
    end = prompt.rstrip()
    return next((opening for opening, _ in _TAGS if end.endswith(opening)), "")


def close_thought(prompt: str) -> str:
    """Return `prompt`, with the thought that it opens at its end closed again."""
    closing = dict(_TAGS).get(opened_thought(prompt), "")
    return f"{prompt.rstrip()}\n\n{closing}\n\n" if closing else prompt


def split_thoughts(text: str) -> tuple[str, str]:
    """Return the thoughts and the reply of `text`, both without the tags and space around them.

    Text without thoughts is returned as it is. An unclosed thought is all thought: the reply is
    empty. A closing tag that none opened ends the thoughts, unless the text quotes it.
    """
    thoughts: list[str] = []
    rest = text.lstrip()
    while block := _BLOCK.match(rest):
        thoughts.append(next((part for part in block.groups() if part is not None), ""))
        rest = rest[block.end() :].lstrip()
    if not thoughts:
        closing = _CLOSING.search(text)
        if closing is None or _QUOTED.search(text, 0, closing.start()):
            return "", text
        thoughts.append(text[: closing.start()])
        rest = text[closing.end() :]
    return "\n\n".join(filter(None, map(str.strip, thoughts))), rest.strip()


class ThoughtStream:
    """Tells thoughts from the reply while both arrive; all pieces add up to `split_thoughts`, but
    for space at the end of the reply.

    What may turn out to be a tag, or space before one, is held back. Unlike there, a closing tag
    that none opened is text: what stood before it is out by then.
    """

    def __init__(self) -> None:
        self._held = ""
        self._closing: str | None = None
        """The tag that ends the thought in progress."""
        self._thought = False
        """There was a thought, so space before the reply is dropped."""
        self._begun = self._several = False
        """Text of the thought in progress is out; text of any thought is out."""
        self._replying = False

    def push(self, piece: str) -> tuple[str, str]:
        """Return what `piece` makes certain: of the thoughts, and of the reply."""
        self._held += piece
        thoughts = ""
        while not self._replying:
            if self._closing is not None:
                before, closed, after = self._held.partition(self._closing)
                if not closed:
                    before, after = _certain(before, self._closing)
                thoughts += self._joined(before.rstrip() if closed else before)
                self._held = after
                if not closed:
                    return thoughts, ""
                self._closing, self._begun = None, False
                continue
            start = self._held.lstrip()
            opened = next((tags for tags in _TAGS if start.startswith(tags[0])), None)
            if opened is not None:
                self._held, self._closing = start[len(opened[0]) :], opened[1]
            elif start and not any(opening.startswith(start) for opening, _ in _TAGS):
                self._replying = True
                self._held = start if self._thought else self._held
            else:
                return thoughts, ""
            self._thought = self._thought or opened is not None
        reply, self._held = self._held, ""
        return thoughts, reply

    def flush(self) -> tuple[str, str]:
        """Return the rest; call once, at the end."""
        rest, self._held = self._held, ""
        if self._closing is not None:
            return self._joined(rest.rstrip()), ""
        return "", rest.strip() if self._thought else rest

    def _joined(self, text: str) -> str:
        """Drop space before a thought, and part it from an earlier one."""
        if self._begun:
            return text
        text = text.lstrip()
        joint = "\n\n" if self._several and text else ""
        self._begun = bool(text)
        self._several = self._several or self._begun
        return joint + text


def _certain(text: str, tag: str) -> tuple[str, str]:
    """Cut off what may be the beginning of `tag`, and the space before it."""
    overlap = next((n for n in range(len(tag) - 1, 0, -1) if text.endswith(tag[:n])), 0)
    certain = text[: len(text) - overlap].rstrip()
    return certain, text[len(certain) :]
