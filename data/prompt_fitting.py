"""Shorten a conversation to a number of tokens, in one way for chat and training.

Training sees a long conversation as the chat shows it to the model: without its oldest questions
and their answers. The system prompt and the last question always stay.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from data.tokenization import Sample, Tokenizer, encode, encode_prompt
from store.records import ChatMessage

DROPPED_TOGETHER = 4
"""Questions that are dropped at a time."""


class Examples(NamedTuple):
    """What is put directly before the last question, but is no part of the conversation."""

    turns: tuple[ChatMessage, ...] = ()
    """Questions and answers, as earlier turns."""
    preface: str = ""
    """Text at the beginning of the question's own turn."""


NO_EXAMPLES = Examples()


def shortened(messages: Sequence[ChatMessage]) -> Iterator[Sequence[ChatMessage]]:
    """Yield `messages`, then without more and more of the oldest questions and their answers.

    Several are dropped at a time: what is left begins differently, so all of it must be prefilled.
    """
    yield messages
    questions = [index for index, message in enumerate(messages) if message.role == "user"]
    steps = list(range(DROPPED_TOGETHER, len(questions) - 1, DROPPED_TOGETHER))
    for first in [questions[step] for step in steps] + questions[-1:] * (len(questions) > 1):
        yield [m for index, m in enumerate(messages) if m.role == "system" or index >= first]


def fit_prompt(
    tokenizer: Tokenizer,
    messages: Sequence[ChatMessage],
    limit: int,
    examples: Examples = NO_EXAMPLES,
    *,
    thinking: bool = False,
) -> tuple[list[int], int]:
    """Shorten `messages` until their prompt has at most `limit` tokens.

    Args:
        examples: They stay with the last question.

    Returns:
        The tokens of the prompt, too many if not even the last question fits, and the number of
        messages dropped.

    Raises:
        TuteeError: as `encode_prompt`.
    """
    for kept in shortened(messages):
        prompt = encode_prompt(tokenizer, with_examples(kept, examples), thinking=thinking)
        if len(prompt) <= limit:
            break
    return prompt, len(messages) - len(kept)


def with_examples(messages: Sequence[ChatMessage], examples: Examples) -> Sequence[ChatMessage]:
    if examples == NO_EXAMPLES:
        return messages
    last = max(index for index, message in enumerate(messages) if message.role == "user")
    question = ChatMessage(role="user", content=examples.preface + messages[last].content)
    return (*messages[:last], *examples.turns, question, *messages[last + 1 :])


def fit_samples(
    tokenizer: Tokenizer, messages: Sequence[ChatMessage], replies: Sequence[str], limit: int
) -> list[Sample]:
    """Shorten `messages` until a sample with each of `replies` has at most `limit` tokens.

    Returns:
        One sample for each reply, all with the same prompt; too long if not even the last question
        fits with each of them.

    Raises:
        TuteeError: as `encode`.
    """
    for kept in shortened(messages):
        samples = [encode(tokenizer, kept, reply) for reply in replies]
        if all(len(sample.input_ids) <= limit for sample in samples):
            break
    return samples
