"""The model as the chat sees it: messages in, text out.

An engine serves one base with at most one adapter, and shares nothing with training. On a CPU the
base is packed and the adapter lies beside it (`core.serving.packed`), so engines with different
adapters share the base, and switching takes no time. Elsewhere (another device, another
architecture) transformers' own model is used, with the adapter merged in. One thread uses engines
at a time.
"""

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from copy import copy
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from core.config import Serving
from core.models.folder import ModelFolder
from core.models.loading import eos_tokens, load_tokenizer
from core.runtime.scheduler import Cancelled
from core.serving import loading
from core.serving.batch_generation import generate_batch
from core.serving.detokenizer import StopStrings, TextStream, decode
from core.serving.packed.prompt_cache import common_prefix
from core.serving.sampling import Sampler
from data.prompt_fitting import NO_EXAMPLES, Examples, fit_prompt
from data.thoughts import MARKS, opened_thought, split_thoughts
from data.tokenization import can_think, stop_ids
from store.errors import TuteeError
from store.i18n import _
from store.records import ChatMessage, Sampling

if TYPE_CHECKING:
    from torch import Tensor

REPLY_ROOM = 256
"""Tokens of the context kept for the reply; the oldest messages are dropped for it."""
_TAIL = 16
"""Last tokens of a prompt among which a tag would be."""
MAX_BATCH = 16
MAX_BATCH_TOKENS = 8192
"""Prompts, and prompt tokens including padding, of one batch."""


class _Fitted(NamedTuple):
    prompt: Sequence[int]
    room: int
    """Tokens that the reply may have."""
    dropped: int
    """Messages."""
    examples: bool
    """The prompt has them."""


@dataclass(frozen=True)
class ReplyStats:
    tokens: int
    """Tokens of the reply, without the stop token."""
    truncated: bool
    """It reached its limit before it ended by itself."""
    stopped: bool
    """The user stopped it."""
    seconds: float
    prompt_tokens: int
    """Tokens of the prompt, after messages were dropped to make it fit."""
    forgotten: int
    """Messages that were dropped."""
    examples: bool
    """The examples were put in; they are not where no room is left for them."""


class Engine:
    """A base model with an adapter.

    Args:
        adapter: A folder with a LoRA adapter in peft's format, or None.
        serving: The precision of the weights, and the size of the prompt cache.

    Raises:
        TuteeError: the base or the adapter cannot be loaded.
    """

    def __init__(
        self, folder: ModelFolder, adapter: Path | None, serving: Serving | None = None
    ) -> None:
        self.folder = folder
        self.last: ReplyStats | None = None
        self.tokenizer = load_tokenizer(folder)
        config = loading.read_config(folder)
        self.context: int = getattr(config, "max_position_embeddings", None) or 2**31
        self.can_think = can_think(self.tokenizer)
        """Thinking can be turned on and off."""
        self._marks = {
            id_: token.content
            for id_, token in self.tokenizer.added_tokens_decoder.items()
            if token.special and token.content in MARKS
        }
        """Special tokens that open and close a thought, which decoding leaves out."""
        self._stop = stop_ids(self.tokenizer) | eos_tokens(folder, config.eos_token_id)
        self.backend = loading.load(folder, config, adapter, serving or Serving())

    def with_adapter(self, adapter: Path | None) -> "Engine":
        """Return an engine like this one with another adapter; this one stays as it is.

        Raises:
            TuteeError: the adapter cannot be loaded.
        """
        other = copy(self)
        other.last = None
        other.backend = self.backend.with_adapter(adapter)
        return other

    def check(self, messages: Sequence[ChatMessage], max_new_tokens: int) -> None:
        """Check that the last of `messages` can be answered with only the system prompt before it.

        Raises:
            TuteeError: it does not fit into the model's context.
        """
        system = [message for message in messages[:-1] if message.role == "system"]
        self._fit([*system, messages[-1]], max_new_tokens)

    def stream(
        self,
        messages: Sequence[ChatMessage],
        sampling: Sampling,
        seed: int,
        should_stop: Callable[[], bool] = lambda: False,
        gives_way: Callable[[], bool] = lambda: False,
        examples: Examples = NO_EXAMPLES,
    ) -> Iterator[str]:
        """Yield the reply to `messages` piece by piece; once exhausted, `last` describes it.

        Thoughts come along between their tags (`data.thoughts`), the opening one even where the
        template has written it.

        Args:
            gives_way: Asked between two steps. If it is true, "" is yielded: until the next piece
                is asked for, this engine may be used for something else.
            examples: To put directly before the last question, if there is room for them.

        Raises:
            TuteeError: the prompt does not fit into the model's context.
        """
        fitted = self._fit(messages, sampling.max_new_tokens, examples, thinking=sampling.thinking)
        lead = "" if messages[-1].role == "assistant" else self._opened(fitted.prompt)
        yield from self._generate(fitted, sampling, seed, should_stop, gives_way, lead)

    def complete(
        self,
        prompt: str | Sequence[int],
        sampling: Sampling,
        seed: int,
        should_stop: Callable[[], bool],
        gives_way: Callable[[], bool],
    ) -> Iterator[str]:
        """Continue a raw prompt, like `stream` but without the chat template.

        Args:
            prompt: As `raw_prompt` takes it.

        Raises:
            TuteeError: as `raw_prompt` says.
        """
        tokens, room = self.raw_prompt(prompt, sampling.max_new_tokens)
        fitted = _Fitted(tokens, room, dropped=0, examples=False)
        yield from self._generate(fitted, sampling, seed, should_stop, gives_way)

    def raw_prompt(
        self, prompt: str | Sequence[int], max_new_tokens: int
    ) -> tuple[Sequence[int], int]:
        """Return the tokens of a raw prompt and the token limit of what follows.

        Args:
            prompt: Tokens, or text. Control tokens spelled out in the text count as such, because
                the sender of a raw prompt writes the template too.

        Raises:
            TuteeError: the prompt is empty, has unknown tokens, or leaves no room for a reply.
        """
        tokens = self.tokenizer(prompt)["input_ids"] if isinstance(prompt, str) else prompt
        if not tokens:
            raise TuteeError(_("The prompt is empty."))
        if not all(0 <= token < len(self.tokenizer) for token in tokens):
            raise TuteeError(_("The prompt has tokens that the model does not know."))
        if len(tokens) >= self.context:
            raise self._too_long(len(tokens), self.context - 1, 1)
        return tokens, min(max_new_tokens, self.context - len(tokens))

    def _generate(
        self,
        fitted: "_Fitted",
        sampling: Sampling,
        seed: int,
        should_stop: Callable[[], bool],
        gives_way: Callable[[], bool],
        lead: str = "",
    ) -> Iterator[str]:
        """Yield the reply; `lead` goes before its first piece."""
        prompt, room = fitted.prompt, fitted.room
        self.last = None
        began = time.perf_counter()
        text, stops = TextStream(self.tokenizer), StopStrings(sampling.stop)
        sequence, ended = list(prompt), False
        logits = yield from self._prefilled(sequence, should_stop, gives_way)
        stopped = logits is None
        if logits is not None:
            sampler = Sampler(sampling, seed, logits)
        while logits is not None:
            (token,) = sampler.pick(logits)
            ended = token in self._stop
            if ended:
                break
            sequence.append(token)
            if token in self._marks:
                said = text.flush() + self._marks[token]
                text = TextStream(self.tokenizer)
            else:
                said = text.push(token)
            if piece := stops.push(said):
                yield lead + piece
                lead = ""
            ended = stops.met
            if ended or len(sequence) - len(prompt) == room:
                break
            if should_stop():
                logits = None
            elif gives_way():
                yield ""
                logits = yield from self._prefilled(sequence, should_stop, gives_way)
            else:
                logits = self.backend.decode_step(token)
            stopped = logits is None
        if not stops.met and (rest := stops.push(text.flush()) + stops.flush()):
            yield lead + rest
        self.last = ReplyStats(
            tokens=len(sequence) - len(prompt),
            truncated=not (ended or stopped),
            stopped=stopped,
            seconds=time.perf_counter() - began,
            prompt_tokens=len(prompt),
            forgotten=fitted.dropped,
            examples=fitted.examples,
        )

    def _prefilled(
        self,
        tokens: Sequence[int],
        should_stop: Callable[[], bool],
        gives_way: Callable[[], bool],
    ) -> "Generator[str, None, Tensor | None]":
        """Return the logits after `tokens`, or None when asked to stop; yield "" to give way."""
        while True:
            logits = self.backend.prefill(tokens, lambda: should_stop() or gives_way())
            if logits is not None or should_stop():
                return logits
            yield ""

    def prefill(
        self, messages: Sequence[ChatMessage], max_new_tokens: int, should_stop: Callable[[], bool]
    ) -> None:
        """Prefill `messages` and the template's start of any question after them.

        Done between two replies, it leaves only the question itself for the next one.
        """
        # Two questions with different first characters share exactly the prefix of any question.
        with suppress(TuteeError):  # no question fits after them
            questions = (ChatMessage(role="user", content=text) for text in ("a", "1"))
            one, other = (
                self._fit([*messages, question], max_new_tokens).prompt for question in questions
            )
            if prefix := one[: common_prefix(one, other)]:
                self.backend.prefill(prefix, should_stop)

    def batch(
        self,
        prompts: Sequence[Sequence[ChatMessage]],
        sampling: Sampling,
        seed: int,
        examples: Sequence[Examples] = (),
    ) -> list[str]:
        """Return the replies to `prompts` without thoughts, in their order, generated in batches.

        Args:
            examples: For each prompt, as in `stream`; none for any if empty.

        Raises:
            TuteeError: a prompt does not fit into the model's context.
        """
        fitted = [
            self._fit(messages, sampling.max_new_tokens, before, thinking=sampling.thinking).prompt
            for messages, before in zip(
                prompts, examples or [NO_EXAMPLES] * len(prompts), strict=True
            )
        ]
        replies = [""] * len(fitted)
        for number, group in enumerate(_groups([len(prompt) for prompt in fitted])):
            chosen = [fitted[index] for index in group]
            room = min(sampling.max_new_tokens, self.context - max(map(len, chosen)))
            sampler = partial(Sampler, sampling, seed + number)
            generated = generate_batch(
                self.backend.prefill_batch, chosen, sampler, self._stop, room
            )
            for index, tokens in zip(group, generated, strict=True):
                replies[index] = self._text(fitted[index], tokens, sampling)
        return replies

    def candidates(
        self,
        messages: Sequence[ChatMessage],
        sampling: Sampling,
        seed: int,
        count: int,
        should_stop: Callable[[], bool],
    ) -> list[str]:
        """Return `count` replies to the same `messages` without thoughts, generated as one batch.

        Raises:
            Cancelled: it was asked to stop.
            TuteeError: the prompt does not fit into the model's context.
        """

        @contextmanager
        def slot() -> Iterator[None]:
            if should_stop():
                raise Cancelled
            yield

        prompt, room, *_ = self._fit(messages, sampling.max_new_tokens, thinking=sampling.thinking)
        sampler = partial(Sampler, sampling, seed)
        generated = generate_batch(
            self.backend.prefill_batch, [prompt], sampler, self._stop, room, copies=count, slot=slot
        )
        return [self._text(prompt, tokens, sampling) for tokens in generated]

    def count_tokens(self, text: str) -> int:
        return len(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def _text(self, prompt: Sequence[int], tokens: Sequence[int], sampling: Sampling) -> str:
        ended = bool(tokens) and tokens[-1] in self._stop
        stops = StopStrings(sampling.stop)
        text = stops.push(self._decode(tokens[:-1] if ended else tokens)) + stops.flush()
        return split_thoughts(self._opened(prompt) + text)[1]

    def _decode(self, tokens: Sequence[int]) -> str:
        """Decode `tokens` with the tags of thoughts."""
        text, start = "", 0
        for place, token in enumerate(tokens):
            if token in self._marks:
                text += decode(self.tokenizer, tokens[start:place]) + self._marks[token]
                start = place + 1
        return text + decode(self.tokenizer, tokens[start:])

    def _opened(self, prompt: Sequence[int]) -> str:
        """Return the tag with which the prompt opens a thought, if it does."""
        return opened_thought(str(self.tokenizer.decode(list(prompt[-_TAIL:]))))

    def context_use(self, messages: Sequence[ChatMessage]) -> int:
        """Count the tokens of `messages`, as far as they fit into the context."""
        return len(fit_prompt(self.tokenizer, messages, self.context)[0])

    def _fit(
        self,
        messages: Sequence[ChatMessage],
        max_new_tokens: int,
        examples: Examples = NO_EXAMPLES,
        *,
        thinking: bool = False,
    ) -> "_Fitted":
        """Drop the oldest exchanges, then the examples, until there is room for a reply."""
        room = min(REPLY_ROOM, max_new_tokens)
        limit = max(self.context - room, 0)
        for kept in dict.fromkeys((examples, NO_EXAMPLES)):
            prompt, dropped = fit_prompt(self.tokenizer, messages, limit, kept, thinking=thinking)
            if len(prompt) <= limit:
                left = min(max_new_tokens, self.context - len(prompt))
                return _Fitted(prompt, left, dropped, kept != NO_EXAMPLES)
        raise self._too_long(len(prompt), limit, room)

    def _too_long(self, tokens: int, limit: int, room: int) -> TuteeError:
        return TuteeError(
            _(
                "The message is too long for the model: with the system prompt it has "
                "{tokens:,} tokens, and {limit:,} fit (the model's context is "
                "{context:,}, and {room} are kept for the reply)."
            ).format(tokens=tokens, limit=limit, context=self.context, room=room),
            _("Shorten it, or send it in parts."),
        )


def _groups(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Yield indexes of `lengths` in batches of similar length, to keep padding small."""
    group: list[int] = []
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        full = len(group) == MAX_BATCH or (len(group) + 1) * lengths[index] > MAX_BATCH_TOKENS
        if group and full:
            yield group
            group = []
        group.append(index)
    if group:
        yield group
