"""Samples as transformers does, with its own random numbers."""

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from transformers import (
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from core.serving.sampling import Sampler, truncate
from store.records import Sampling

GREEDY = Sampling(temperature=0, repetition_penalty=1.0)


def random_logits(
    rows: int = 1, vocabulary: int = 1000, spread: float = 3.0, seed: int = 0
) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(rows, vocabulary, generator=generator) * spread


def test_greedy_is_the_likeliest() -> None:
    logits = random_logits(3)
    assert Sampler(GREEDY, 0, logits).pick(logits) == logits.argmax(-1).tolist()


def share(logits: torch.Tensor, sampling: Sampling) -> torch.Tensor:
    """The probability of each token to be drawn, (rows, vocabulary)."""
    probabilities = logits.softmax(-1)
    kept, candidates = truncate(probabilities, sampling)
    if candidates is not None:
        kept = torch.zeros_like(probabilities).scatter(-1, candidates, kept)
    return kept / kept.sum(-1, keepdim=True)


@example(1.0, 300, 0.0, 5.0, 0)
@given(
    # Nearer to 1, the border lies among hundreds of tokens whose sums float32 cannot tell apart.
    st.one_of(st.floats(0.01, 0.999), st.just(1.0)),
    st.sampled_from([0, 1, 5, 300, 1000, 5000]),
    st.sampled_from([0.0, 0.01, 0.3, 1.0]),
    st.sampled_from([0.1, 1.0, 5.0]),
    st.integers(0, 1000),
)
def test_the_candidates_are_those_of_transformers(
    top_p: float, top_k: int, min_p: float, spread: float, seed: int
) -> None:
    logits = random_logits(2, spread=spread, seed=seed)
    theirs = logits
    if top_k:
        theirs = TopKLogitsWarper(top_k)(None, theirs)
    if top_p < 1:  # as `generate` does
        theirs = TopPLogitsWarper(top_p)(None, theirs)
    if min_p:
        theirs = MinPLogitsWarper(min_p)(None, theirs)
    ours = share(logits, Sampling(top_p=top_p, top_k=top_k, min_p=min_p))
    # Sums in another order may differ on a token at the very border: of no weight where there are
    # many, and with its weight where there are few.
    differ = (ours > 0) != (theirs.softmax(-1) > 0)
    assert int(differ.sum(-1).max()) <= 1
    border = (ours - theirs.softmax(-1)).abs().sum(-1)
    assert float(border.max()) < 2e-3 or bool(differ.any())


def test_a_flat_distribution_keeps_more_than_the_usual_candidates() -> None:
    kept = share(torch.zeros(1, 1000), Sampling(top_p=0.9)) > 0
    assert kept.sum() == pytest.approx(900, abs=1)


def test_all_of_the_probability_is_everything() -> None:
    for sampling in (Sampling(top_p=1.0), Sampling(top_p=1.0, top_k=1000)):
        assert (share(random_logits(1, spread=0.1), sampling) > 0).sum() >= 999


def test_repetition_in_the_reply_is_penalized_as_in_transformers() -> None:
    penalised = Sampling(temperature=0, repetition_penalty=1.7)
    sampler = Sampler(penalised, 0, random_logits(1))
    reply: list[int] = []
    for step in range(30):
        logits = random_logits(1, vocabulary=1000, seed=step % 3)
        theirs = RepetitionPenaltyLogitsProcessor(1.7)(
            torch.tensor([reply], dtype=torch.long), logits.clone()
        )
        reply += sampler.pick(logits)
        assert reply[-1] == theirs.argmax()
    assert len(set(reply)) > 3


def test_draws_follow_the_distribution() -> None:
    wanted = torch.tensor([[0.5, 0.3, 0.15, 0.05]])
    logits = wanted.log().expand(20_000, 4)
    sampler = Sampler(Sampling(temperature=1, top_p=0.9, repetition_penalty=1.0), 0, logits)
    shares = torch.bincount(torch.tensor(sampler.pick(logits)), minlength=4) / len(logits)
    expected = torch.tensor([0.5, 0.3, 0.15, 0.0]) / 0.95
    torch.testing.assert_close(shares, expected, atol=0.02, rtol=0)


def test_a_seed_fixes_every_draw_and_nothing_else() -> None:
    logits = random_logits(1, spread=0.5)
    before = torch.get_rng_state()

    def draws(seed: int) -> list[list[int]]:
        sampler = Sampler(Sampling(temperature=1, top_p=1), seed, logits)
        return [sampler.pick(logits) for _ in range(20)]

    assert draws(1) == draws(1) != draws(2)
    assert torch.equal(torch.get_rng_state(), before)


def test_replies_that_have_ended_are_forgotten() -> None:
    first = torch.tensor([[2.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 2.0]])
    sampler = Sampler(Sampling(temperature=0, repetition_penalty=1.1), 0, first)
    assert sampler.pick(first) == [0, 1, 2]
    sampler.keep([1, 2])
    nearly = torch.tensor([[1.9, 2.0, 0.0], [0.0, 1.9, 2.0]])
    assert sampler.pick(nearly) == [0, 1]
