"""Many replies at once: each as it would be alone, in their order, in batches that fit."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from core.serving.engine import MAX_BATCH, Engine, _groups
from tests.core.serving.asking import GREEDY, HELLO, RANDOM, reply, user


def test_a_batch_answers_as_one_would_and_in_order(engine: Engine) -> None:
    prompts = [[user("word " * (number * 7 % 23))] for number in range(2 * MAX_BATCH + 3)]
    assert engine.batch(prompts, GREEDY, seed=0) == [
        reply(engine, messages) for messages in prompts
    ]


def test_a_drawn_batch_is_fixed_by_its_seed(engine: Engine) -> None:
    before = torch.get_rng_state()
    prompts = [HELLO] * (MAX_BATCH + 4)
    first = engine.batch(prompts, RANDOM, seed=1)
    assert len(set(first)) > MAX_BATCH
    assert engine.batch(prompts, RANDOM, seed=1) == first
    assert engine.batch(prompts, RANDOM, seed=2) != first
    assert torch.equal(torch.get_rng_state(), before)


def test_a_batch_of_nothing_is_nothing(engine: Engine) -> None:
    assert engine.batch([], GREEDY, seed=0) == []


@given(st.lists(st.integers(1, 9000), max_size=60))
def test_batches_are_small_enough_and_hold_every_prompt_once(lengths: list[int]) -> None:
    groups = list(_groups(lengths))
    assert sorted(index for group in groups for index in group) == list(range(len(lengths)))
    for group in groups:
        assert len(group) <= MAX_BATCH
        assert len(group) == 1 or len(group) * max(lengths[index] for index in group) <= 8192
