"""Draws as transformers does, with randomness of its own."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import RepetitionPenaltyLogitsProcessor, TopPLogitsWarper

from core.sampling import Sampler, nucleus
from store.records import Sampling

GREEDY = Sampling(temperature=0, repetition_penalty=1.0)


def scores(
    rows: int = 1, vocabulary: int = 1000, spread: float = 3.0, seed: int = 0
) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(rows, vocabulary, generator=generator) * spread


def sampler(
    sampling: Sampling, like: torch.Tensor, seed: int = 0, prompt: tuple[int, ...] = (1,)
) -> Sampler:
    return Sampler(sampling, seed, [prompt] * len(like), stop={0}, like=like)


def test_greedy_is_the_likeliest() -> None:
    logits = scores(3)
    assert sampler(GREEDY, logits).pick(logits) == logits.argmax(-1).tolist()


@given(st.floats(0.01, 1.0), st.sampled_from([0.1, 1.0, 5.0]), st.integers(0, 1000))
def test_the_nucleus_is_that_of_transformers(top_p: float, spread: float, seed: int) -> None:
    logits = scores(2, spread=spread, seed=seed)
    probabilities = logits.softmax(-1)
    kept, candidates = nucleus(probabilities, top_p)
    theirs = TopPLogitsWarper(top_p)(None, logits).softmax(-1)
    ours = torch.zeros_like(probabilities).scatter(-1, candidates, kept)
    # Sums in another order may differ on a token of no weight at the very border.
    torch.testing.assert_close(ours / ours.sum(-1, keepdim=True), theirs, atol=2e-3, rtol=0)


def test_a_flat_distribution_keeps_more_than_the_usual_candidates() -> None:
    kept, candidates = nucleus(torch.full((1, 1000), 1 / 1000), 0.9)
    assert (kept > 0).sum() == pytest.approx(900, abs=1)
    assert len(set(candidates[0, kept[0] > 0].tolist())) == (kept > 0).sum()


def test_all_of_the_probability_is_everything() -> None:
    kept, _ = nucleus(scores(1, spread=0.1).softmax(-1), 1.0)
    assert (kept > 0).sum() >= 999


def test_penalties_are_those_of_transformers_but_for_the_end() -> None:
    logits = scores(1)
    prompt = (0, 5, 7, 5, 999)
    drawn = sampler(Sampling(temperature=0, repetition_penalty=1.7), logits, prompt=prompt)
    ours = drawn._penalised(logits)
    theirs = RepetitionPenaltyLogitsProcessor(1.7)(torch.tensor([prompt]), logits.clone())
    assert torch.equal(ours[:, 1:], theirs[:, 1:])
    assert ours[0, 0] == logits[0, 0] != theirs[0, 0]


def test_what_was_drawn_counts_as_repeated() -> None:
    logits = torch.zeros(1, 10)
    logits[0, 3], logits[0, 4] = 2.0, 1.9
    drawn = sampler(Sampling(temperature=0, repetition_penalty=1.1), logits)
    assert [drawn.pick(logits) for _ in range(2)] == [[3], [4]]


def test_draws_follow_the_distribution() -> None:
    wanted = torch.tensor([[0.5, 0.3, 0.15, 0.05]])
    logits = wanted.log().expand(20_000, 4)
    drawn = sampler(Sampling(temperature=1, top_p=0.9, repetition_penalty=1.0), logits)
    shares = torch.bincount(torch.tensor(drawn.pick(logits)), minlength=4) / len(logits)
    expected = torch.tensor([0.5, 0.3, 0.15, 0.0]) / 0.95
    torch.testing.assert_close(shares, expected, atol=0.02, rtol=0)


def test_a_seed_fixes_every_draw_and_nothing_else() -> None:
    logits = scores(1, spread=0.5)
    before = torch.get_rng_state()

    def draws(seed: int) -> list[list[int]]:
        drawn = sampler(Sampling(temperature=1, top_p=1), logits, seed)
        return [drawn.pick(logits) for _ in range(20)]

    assert draws(1) == draws(1) != draws(2)
    assert torch.equal(torch.get_rng_state(), before)


def test_replies_that_have_ended_are_forgotten() -> None:
    logits = torch.zeros(3, 10)
    logits[:, 3], logits[:, 4] = 2.0, 1.9
    drawn = Sampler(
        Sampling(temperature=0, repetition_penalty=1.1), 0, [(1,), (3,), (1,)], {0}, logits
    )
    assert drawn.pick(logits) == [3, 4, 3]
    drawn.keep([1])
    assert drawn.pick(logits[:1]) == [3 if logits[0, 3] / 1.1 > logits[0, 4] / 1.1 else 4]
    assert drawn._seen.shape == (1, 10)
