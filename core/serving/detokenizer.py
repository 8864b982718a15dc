"""Turn a stream of tokens into text as early as possible, and cut it at stop strings.

A character of several bytes (an emoji, most of Chinese) may span tokens, and some tokenizers drop a
space at the start of any text they decode. So new tokens are decoded together with the few before
them, and nothing is emitted while the end is an incomplete character. The work per token does not
grow with the reply.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_INCOMPLETE = "\N{REPLACEMENT CHARACTER}"
"""Decoded in place of bytes that are not (yet) a character."""


def decode(tokenizer: "PreTrainedTokenizerBase", tokens: Sequence[int]) -> str:
    """Decode `tokens` without special tokens, spaces exactly as generated."""
    return tokenizer.decode(
        list(tokens), skip_special_tokens=True, clean_up_tokenization_spaces=False
    )


class TextStream:
    """Decodes token by token; the pieces add up to `decode` of all tokens.

    Only bytes that are not text at all may differ: some tokenizers replace a whole run of bytes
    because of one wrong byte, and the right ones before it are out by then.
    """

    def __init__(self, tokenizer: "PreTrainedTokenizerBase") -> None:
        self._tokenizer = tokenizer
        self._emitted: list[int] = []
        """The tokens of the latest piece: the context in which the next ones are decoded."""
        self._held: list[int] = []

    def push(self, token: int) -> str:
        """Return the text that `token` completes; often empty."""
        self._held.append(token)
        text = self._text()
        if not text or text.endswith(_INCOMPLETE):
            return ""
        self._emitted, self._held = self._held, []
        return text

    def flush(self) -> str:
        """Return the rest, incomplete characters included; call once, at the end."""
        return self._text() if self._held else ""

    def _text(self) -> str:
        before = decode(self._tokenizer, self._emitted) if self._emitted else ""
        return decode(self._tokenizer, self._emitted + self._held)[len(before) :]


class StopStrings:
    """Ends a text at the first of some strings.

    The possible beginning of one is held back until it is certain that it is none.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(stops)
        self._held = ""
        self.met = False
        """The text has reached one of the strings, and ends there."""

    def push(self, piece: str) -> str:
        """Return the text that is certain to be kept; nothing more once a string is `met`."""
        text = self._held + piece
        found = [place for stop in self._stops if (place := text.find(stop)) >= 0]
        if found:
            self.met, self._held = True, ""
            return text[: min(found)]
        keep = max((_overlap(text, stop) for stop in self._stops), default=0)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def flush(self) -> str:
        """Return the text held back; call once, at the end."""
        return self._held


def _overlap(text: str, stop: str) -> int:
    """Length of the longest suffix of `text` that `stop` begins with."""
    longest = min(len(text), len(stop) - 1)
    return next((n for n in range(longest, 0, -1) if text.endswith(stop[:n])), 0)
