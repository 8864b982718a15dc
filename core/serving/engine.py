"""The model as the chat sees it: turns in, text out.

An engine serves one base with at most one adapter; it shares nothing with training. On a processor
the base is packed and the adapter lies beside it (`core.serving.packed`), so an engine with another
adapter shares the base, and changing adapters takes no time. Where that cannot be done (another
device, another architecture), transformers' own model answers, with the adapter merged in. One
thread uses engines at a time.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from copy import copy
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from core.config import Serving
from core.models.folder import ModelFolder
from core.models.loading import load_tokenizer
from core.runtime.scheduler import Cancelled
from core.serving.detokenizer import StopStrings, TextStream, decode
from data.tokenization import encode_prompt, stop_ids
from store.errors import TuteeError
from store.i18n import _
from store.records import ChatMessage, Sampling

ROOM = 256
"""Tokens of the context kept for the reply, before the oldest turns are dropped instead."""
LEAVING = 4
"""So many of the oldest questions leave together."""
BATCH = 16
BATCH_TOKENS = 8192
"""At most so many prompts, and prompt tokens with padding, are answered side by side."""


@dataclass(frozen=True)
class Generated:
    """How the latest reply came about."""

    tokens: int
    """Tokens of the reply, without the one that ended it."""
    truncated: bool
    """It reached its limit before it ended by itself."""
    stopped: bool
    """The person stopped it."""
    seconds: float
    prompt_tokens: int
    """Tokens of the prompt as the model saw it, after turns were dropped to make it fit."""
    forgotten: int
    """Turns that were dropped."""


class Engine:
    """A base model with an adapter.

    Args:
        folder: The base.
        adapter: A folder with a LoRA adapter as peft writes it, or None.
        serving: How to keep the weights, and how much of what was read.

    Raises:
        TuteeError: one of them cannot be loaded.
    """

    def __init__(
        self, folder: ModelFolder, adapter: Path | None, serving: Serving | None = None
    ) -> None:
        from core.serving import loading

        self.folder = folder
        self.last: Generated | None = None
        self.tokenizer = load_tokenizer(folder)
        config = loading.read_config(folder)
        self.context: int = getattr(config, "max_position_embeddings", None) or 2**31
        self._stop = stop_ids(self.tokenizer) | loading.ends(folder, config)
        self.backend = loading.load(folder, config, adapter, serving or Serving())

    def with_adapter(self, adapter: Path | None) -> "Engine":
        """An engine like this one that answers with another adapter; this one stays as it is.

        Raises:
            TuteeError: the adapter cannot be loaded.
        """
        other = copy(self)
        other.last = None
        other.backend = self.backend.with_adapter(adapter)
        return other

    def check(self, turns: Sequence[ChatMessage], max_new_tokens: int) -> None:
        """Whether the last of `turns` can be answered at all, with nothing but the system prompt.

        Raises:
            TuteeError: it does not fit into the model's context.
        """
        alone = [turn for turn in turns[:-1] if turn.role == "system"]
        self._fit([*alone, turns[-1]], max_new_tokens)

    def stream(
        self,
        turns: Sequence[ChatMessage],
        sampling: Sampling,
        seed: int,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> Iterator[str]:
        """The reply to `turns`, piece by piece; `last` tells about it once this is exhausted.

        Raises:
            TuteeError: the prompt does not fit into the model's context.
        """
        from core.serving.sampling import Sampler

        self.last = None
        began = time.perf_counter()
        prompt, room, forgotten = self._fit(turns, sampling.max_new_tokens)
        text, stops = TextStream(self.tokenizer), StopStrings(sampling.stop)
        tokens, ended = 0, False
        logits = self.backend.read(prompt, should_stop)
        stopped = logits is None
        if logits is not None:
            sampler = Sampler(sampling, seed, logits)
        while logits is not None:
            (token,) = sampler.pick(logits)
            ended = token in self._stop
            if ended:
                break
            tokens += 1
            if piece := stops.push(text.push(token)):
                yield piece
            ended = stops.met
            if ended or tokens == room:
                break
            stopped = should_stop()
            logits = None if stopped else self.backend.advance(token)
        if not stops.met and (rest := stops.push(text.flush()) + stops.flush()):
            yield rest
        self.last = Generated(
            tokens=tokens,
            truncated=not (ended or stopped),
            stopped=stopped,
            seconds=time.perf_counter() - began,
            prompt_tokens=len(prompt),
            forgotten=forgotten,
        )

    def read_ahead(
        self, turns: Sequence[ChatMessage], max_new_tokens: int, should_stop: Callable[[], bool]
    ) -> None:
        """Read `turns` and what any question after them begins with, before it is asked.

        Between two replies there is time for it; the next one then has to read the question alone.
        """
        from core.serving.packed.prompt_cache import shared

        # What is the same before any question ends where two that have nothing in common part.
        with suppress(TuteeError):  # no question fits behind them
            one, other = (
                self._fit([*turns, ChatMessage(role="user", content=text)], max_new_tokens)[0]
                for text in ("a", "1")
            )
            if beginning := one[: shared(one, other)]:
                self.backend.read(beginning, should_stop)

    def batch(
        self, prompts: Sequence[Sequence[ChatMessage]], sampling: Sampling, seed: int
    ) -> list[str]:
        """The replies to `prompts`, in their order, answered many at a time.

        Raises:
            TuteeError: a prompt does not fit into the model's context.
        """
        from core.serving.sampling import Sampler

        fitted = [self._fit(turns, sampling.max_new_tokens)[0] for turns in prompts]
        replies = [""] * len(fitted)
        for number, group in enumerate(_groups([len(prompt) for prompt in fitted])):
            chosen = [fitted[index] for index in group]
            answers = self.backend.together(
                chosen,
                partial(Sampler, sampling, seed + number),
                self._stop,
                min(sampling.max_new_tokens, self.context - max(map(len, chosen))),
            )
            for index, answer in zip(group, answers, strict=True):
                replies[index] = self._text(answer, sampling)
        return replies

    def candidates(
        self,
        turns: Sequence[ChatMessage],
        sampling: Sampling,
        seed: int,
        count: int,
        should_stop: Callable[[], bool],
    ) -> list[str]:
        """`count` replies to the same `turns`, drawn side by side.

        Raises:
            Cancelled: it was asked to stop.
            TuteeError: the prompt does not fit into the model's context.
        """
        from core.serving.sampling import Sampler

        @contextmanager
        def going_on() -> Iterator[None]:
            if should_stop():
                raise Cancelled
            yield

        prompt, room, _ = self._fit(turns, sampling.max_new_tokens)
        drawn = self.backend.together(
            [prompt],
            partial(Sampler, sampling, seed),
            self._stop,
            room,
            copies=count,
            turn=going_on,
        )
        return [self._text(reply, sampling) for reply in drawn]

    def _text(self, reply: Sequence[int], sampling: Sampling) -> str:
        ended = bool(reply) and reply[-1] in self._stop
        stops = StopStrings(sampling.stop)
        return stops.push(decode(self.tokenizer, reply[:-1] if ended else reply)) + stops.flush()

    def _fit(self, turns: Sequence[ChatMessage], max_new_tokens: int) -> tuple[list[int], int, int]:
        """The prompt's tokens, how many the reply may have, and how many turns were dropped.

        The oldest exchanges are left out until there is room for a reply.
        """
        room = min(ROOM, max_new_tokens)
        for kept in _shorter_and_shorter(turns):
            prompt = list(encode_prompt(self.tokenizer, kept))
            if len(prompt) + room <= self.context:
                room = min(max_new_tokens, self.context - len(prompt))
                return prompt, room, len(turns) - len(kept)
        raise TuteeError(
            _(
                "The message is too long for the model: with the system prompt it has "
                "{tokens:,} tokens, and {limit:,} fit (the model's context is "
                "{context:,}, and {room} are kept for the reply)."
            ).format(
                tokens=len(prompt),
                limit=max(self.context - room, 0),
                context=self.context,
                room=room,
            ),
            _("Shorten it, or send it in parts."),
        )


def _shorter_and_shorter(turns: Sequence[ChatMessage]) -> Iterator[Sequence[ChatMessage]]:
    """`turns`, then without more and more of the oldest questions and their answers.

    Several leave at a time: what is left begins otherwise, so all of it must be read anew.
    """
    yield turns
    questions = [index for index, turn in enumerate(turns) if turn.role == "user"]
    steps = list(range(LEAVING, len(questions) - 1, LEAVING))
    for first in [questions[step] for step in steps] + questions[-1:] * (len(questions) > 1):
        yield [turn for index, turn in enumerate(turns) if turn.role == "system" or index >= first]


def _groups(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Indexes of `lengths` in batches of similar length, so that little of them is padding."""
    group: list[int] = []
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        if group and (len(group) == BATCH or (len(group) + 1) * lengths[index] > BATCH_TOKENS):
            yield group
            group = []
        group.append(index)
    if group:
        yield group
