"""A batch gives each reply as it would be alone."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest

from core.serving.batch_generation import generate_batch
from core.serving.sampling import Sampler
from core.serving.transformers_decoder import prefill_batch
from store.records import Sampling
from tests.core.serving.test_transformers_decoder import fresh, tokens

GREEDY = Sampling(temperature=0, repetition_penalty=1.0)


def one_by_one(
    model: Any, prompt: list[int], sampling: Sampling, stop: frozenset[int], most: int
) -> list[int]:
    reply: list[int] = []
    sampler = Sampler(sampling, 0, fresh(model, prompt))
    while len(reply) < most:
        (token,) = sampler.pick(fresh(model, prompt + reply))
        reply.append(token)
        if token in stop:
            break
    return reply


@pytest.mark.parametrize("penalty", [1.0, 1.5])
def test_a_batch_is_as_one_by_one(model: Any, penalty: float) -> None:
    sampling = Sampling(temperature=0, repetition_penalty=penalty)
    prompts = [tokens(length, seed=length) for length in (3, 40, 17, 25)]
    alone = [one_by_one(model, prompt, sampling, frozenset(), 12) for prompt in prompts]
    # Ends that fall in the middle of some replies and outside of others.
    stop = frozenset({alone[0][4], alone[2][0]})
    together = generate_batch(
        partial(prefill_batch, model), prompts, partial(Sampler, sampling, 0), stop, 12
    )
    assert together == [one_by_one(model, prompt, sampling, stop, 12) for prompt in prompts]
    assert len({len(reply) for reply in together}) > 1


def test_copies_differ_and_share_one_prefill(model: Any, reads: list[int]) -> None:
    prompts = [tokens(5), tokens(9)]
    sampling = Sampling(temperature=2, top_p=1)
    none = frozenset[int]()
    slots: list[int] = []

    @contextmanager
    def slot() -> Iterator[None]:
        slots.append(len(reads))
        yield

    replies = generate_batch(
        partial(prefill_batch, model),
        prompts,
        partial(Sampler, sampling, 0),
        none,
        3,
        copies=4,
        slot=slot,
    )
    assert reads == [9, 1, 1]
    assert slots == [0, 1, 2, 3]
    assert [len(reply) for reply in replies] == [3] * 8
    assert len({tuple(reply) for reply in replies}) > 4


def test_copies_continue_their_own_prompt(model: Any) -> None:
    prompts = [tokens(3), tokens(20), tokens(11)]
    sampler = partial(Sampler, GREEDY, 0)
    once = generate_batch(partial(prefill_batch, model), prompts, sampler, frozenset(), 5)
    twice = generate_batch(
        partial(prefill_batch, model), prompts, sampler, frozenset(), 5, copies=2
    )
    assert twice == [reply for reply in once for _ in range(2)]


def test_a_batch_makes_no_pass_too_many(model: Any, reads: list[int]) -> None:
    prompts = [tokens(5), tokens(9)]
    none = frozenset[int]()
    generate_batch(partial(prefill_batch, model), prompts, partial(Sampler, GREEDY, 0), none, 3)
    assert reads == [9, 1, 1]


def test_each_prompt_may_have_a_limit_of_its_own_and_ends_are_counted(model: Any) -> None:
    prompts = [tokens(length, seed=length) for length in (3, 40, 17)]
    limits = [2, 5, 3]
    ended: list[int] = []
    together = generate_batch(
        partial(prefill_batch, model),
        prompts,
        partial(Sampler, GREEDY, 0),
        frozenset(),
        limits,
        on_ended=ended.append,
    )
    assert together == [
        one_by_one(model, prompt, GREEDY, frozenset(), limit)
        for prompt, limit in zip(prompts, limits, strict=True)
    ]
    assert ended == [1, 1, 1]
