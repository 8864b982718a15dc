"""Tokens in, text out, as soon as it is certain; and where a text is to stop.

A character of many bytes (an emoji, most of Chinese) may span tokens, and some tokenizers drop a
space at the start of whatever they decode. So a few tokens are decoded behind those that were
shown last, and nothing is shown while the end is half a character. The work per token does not
grow with the reply.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_HALF = "\N{REPLACEMENT CHARACTER}"
"""What decoding puts in place of bytes that are no character (yet)."""


def decode(tokenizer: "PreTrainedTokenizerBase", tokens: Sequence[int]) -> str:
    """`tokens` as a person reads them: no special tokens, and spaces exactly as generated."""
    text: str = tokenizer.decode(
        list(tokens), skip_special_tokens=True, clean_up_tokenization_spaces=False
    )
    return text


class TextStream:
    """The pieces it gives out, one after another, are exactly `decode` of all tokens.

    Only bytes that are no text at all may be shown in another way: some tokenizers replace a whole
    run of bytes for one that is wrong, and what was right has been shown by then.
    """

    def __init__(self, tokenizer: "PreTrainedTokenizerBase") -> None:
        self._tokenizer = tokenizer
        self._shown: list[int] = []
        """The tokens of the latest piece: what the next ones are decoded behind."""
        self._held: list[int] = []

    def push(self, token: int) -> str:
        """The text that `token` makes certain; often empty."""
        self._held.append(token)
        text = self._text()
        if not text or text.endswith(_HALF):
            return ""
        self._shown, self._held = self._held, []
        return text

    def flush(self) -> str:
        """What was held back, half characters included; call it once, at the end."""
        return self._text() if self._held else ""

    def _text(self) -> str:
        before = decode(self._tokenizer, self._shown) if self._shown else ""
        return decode(self._tokenizer, self._shown + self._held)[len(before) :]


class StopStrings:
    """Cuts a text where it comes to one of some strings.

    What may be the beginning of one of them is held back until it is certain that it is not.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(stops)
        self._held = ""
        self.met = False
        """The text has come to one of them; it ends there."""

    def push(self, piece: str) -> str:
        """What of the text so far may be shown now; nothing more once one of them is `met`."""
        text = self._held + piece
        found = [place for stop in self._stops if (place := text.find(stop)) >= 0]
        if found:
            self.met, self._held = True, ""
            return text[: min(found)]
        keep = max((_overlap(text, stop) for stop in self._stops), default=0)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def flush(self) -> str:
        """What was held back; call it once, at the end."""
        return self._held


def _overlap(text: str, stop: str) -> int:
    """Length of the longest end of `text` that `stop` begins with."""
    longest = min(len(text), len(stop) - 1)
    return next((n for n in range(longest, 0, -1) if text.endswith(stop[:n])), 0)
