"""Markdown of a reply as tokens: line breaks kept, HTML shown as text, task lists marked."""

import re
from functools import lru_cache

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore

_TASK = re.compile(r"\[([ xX])\]\s+(?=\S)")
DONE = "done"
"""Key in the `meta` of a list item that is a task; whether it is done."""


def chat_markdown() -> MarkdownIt:
    """A Markdown parser that keeps line breaks and shows HTML as text."""
    parser = MarkdownIt("gfm-like", {"html": False})
    parser.core.ruler.push("line_breaks", _keep_line_breaks)
    parser.core.ruler.push("tasks", _mark_tasks)
    return parser


@lru_cache(maxsize=64)
def code_blocks(text: str) -> tuple[str, ...]:
    """Return the code blocks of a reply in the order in which they are numbered on the screen."""
    if not any(mark in text for mark in ("```", "~~~", "    ", "\t")):
        return ()
    tokens = chat_markdown().parse(text)
    return tuple(t.content.rstrip() for t in tokens if t.type in ("fence", "code_block"))


def _keep_line_breaks(state: StateCore) -> None:
    for token in state.tokens:
        for child in token.children or ():
            if child.type == "softbreak":
                child.type = "hardbreak"


def _mark_tasks(state: StateCore) -> None:
    for item, paragraph, inline in zip(
        state.tokens, state.tokens[1:], state.tokens[2:], strict=False
    ):
        if item.type != "list_item_open" or paragraph.type != "paragraph_open":
            continue
        first = inline.children[0] if inline.children else None
        task = _TASK.match(first.content) if first and first.type == "text" else None
        if first and task:
            item.meta[DONE] = task[1] != " "
            first.content = first.content[task.end() :]
