"""Tell the thoughts of a reasoning model from its reply.

A model that reasons writes its thoughts between two tags before it answers. They are no part of the
reply: they are shown apart, and neither sent back nor learned. Many templates write the opening tag
themselves, so that a reply may begin in mid-thought and hold only the closing one; a reply that was
cut short may hold only the opening one.

Only what stands before the answer is looked at: tags further on are text about tags.
"""

import re

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


class ThoughtStream:
    """Tells thoughts from the reply while both arrive in pieces, which may cut a tag in two.

    Provisional: a closing tag that none opened is known only once all has arrived
    (`split_thoughts`).
    """

    def __init__(self) -> None:
        self._held = ""
        """Text that may be part of a tag, or space before one."""
        self._closing = ""
        """The tag that ends the thought in progress."""
        self._thoughts = 0
        self._answering = False

    def push(self, piece: str) -> tuple[str, str]:
        """Return the text that is certain to be thought, and that of the reply."""
        self._held += piece
        thought = ""
        while not self._answering:
            if self._closing:
                before, closed, rest = self._held.partition(self._closing)
                if not closed:
                    keep = _overlap(self._held, self._closing)
                    self._held = before[len(before) - keep :]
                    return thought + before[: len(before) - keep], ""
                thought, self._held, self._closing = thought + before, rest, ""
                continue
            text = self._held.lstrip()
            tags = next((tags for tags in _TAGS if text.startswith(tags[0])), None)
            if tags is not None:
                thought += "\n\n" if self._thoughts else ""
                self._thoughts += 1
                self._closing, self._held = tags[1], text[len(tags[0]) :].lstrip()
            elif any(opening.startswith(text) for opening, _ in _TAGS):
                return thought, ""
            else:
                self._answering = True
                self._held = text if self._thoughts else self._held
        reply, self._held = self._held, ""
        return thought, reply

    def flush(self) -> tuple[str, str]:
        """Return the rest; call once, at the end."""
        held, self._held = self._held, ""
        if self._closing:
            return held, ""
        return "", held.strip() if self._thoughts else held


def opened_thought(prompt: str) -> str:
    """Return the tag with which `prompt` opens a thought at its end; empty if it does not."""
    end = prompt.rstrip()
    return next((opening for opening, _ in _TAGS if end.endswith(opening)), "")


def _overlap(text: str, tag: str) -> int:
    """Length of the longest end of `text` that `tag` begins with."""
    longest = min(len(text), len(tag) - 1)
    return next((n for n in range(longest, 0, -1) if text.endswith(tag[:n])), 0)


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
