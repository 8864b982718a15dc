"""What is kept from one prompt to the next changes the work, never the result."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
import torch

from core.models.folder import ModelFolder
from core.models.loading import load_model
from core.serving.sampling import Sampler
from core.serving.transformers_decoder import (
    PREFILL,
    Decoder,
    arrange,
    decode_together,
    forward,
)
from store.records import Sampling

GREEDY = Sampling(temperature=0, repetition_penalty=1.0)


def never() -> bool:
    return False


@pytest.fixture(scope="module")
def model(tiny_folder: ModelFolder) -> Any:
    return load_model(tiny_folder, torch.float32)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many tokens each forward pass takes in."""
    seen: list[int] = []

    def counting(model: Any, rows: Any, *values: Any) -> torch.Tensor:
        seen.append(len(rows[0]))
        return forward(model, rows, *values)

    monkeypatch.setattr("core.serving.transformers_decoder.forward", counting)
    return seen


def tokens(count: int, seed: int = 0) -> list[int]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(3, 400, (count,), generator=generator).tolist()


def check(scores: torch.Tensor | None, model: Any, prompt: list[int]) -> None:
    """Scores as without a cache; sums in another order move them by less than a thousandth."""
    assert scores is not None
    torch.testing.assert_close(scores, fresh(model, prompt), atol=1e-3, rtol=1e-3)


def fresh(model: Any, prompt: list[int]) -> torch.Tensor:
    with torch.inference_mode():
        return model(torch.tensor([prompt], device=model.device)).logits[:, -1]


def test_only_what_is_new_is_read(model: Any, reads: list[int]) -> None:
    decoder = Decoder(model)
    prompt = tokens(50)
    decoder.read(prompt, never)
    decoder.advance(7)
    longer = [*prompt, 7, *tokens(5, seed=1)]
    scores = decoder.read(longer, never)
    assert reads == [50, 1, 5]
    check(scores, model, longer)


@pytest.mark.parametrize("kept", [0, 1, 20, 49])
def test_an_edited_prompt_is_read_from_the_edit_on(model: Any, reads: list[int], kept: int) -> None:
    decoder = Decoder(model)
    first = tokens(50)
    decoder.read(first, never)
    edited = [*first[:kept], (first[kept] + 1) % 400, *tokens(30, seed=1)]
    scores = decoder.read(edited, never)
    assert reads == [50, 31]
    check(scores, model, edited)


@pytest.mark.parametrize("length", [50, 20])
def test_the_last_token_is_always_read(model: Any, reads: list[int], length: int) -> None:
    decoder = Decoder(model)
    prompt = tokens(50)
    decoder.read(prompt, never)
    scores = decoder.read(prompt[:length], never)
    assert reads == [50, 1]
    check(scores, model, prompt[:length])


def test_a_long_prompt_can_be_stopped_and_gone_on_with(model: Any, reads: list[int]) -> None:
    decoder = Decoder(model)
    prompt = tokens(2 * PREFILL + 10)
    assert decoder.read(prompt, lambda: bool(reads)) is None
    assert reads == [PREFILL]
    scores = decoder.read(prompt, never)
    assert reads == [PREFILL, PREFILL, 10]
    check(scores, model, prompt)


def test_a_failed_pass_is_forgotten(model: Any) -> None:
    fail_and_go_on(Decoder(model), model)


def fail_and_go_on(decoder: Decoder, model: Any) -> None:
    prompt = tokens(20)
    decoder.read(prompt, never)

    def fail(*values: object) -> None:
        raise MemoryError

    # After the first layer has taken the token into the cache.
    hook = model.model.layers[1].register_forward_pre_hook(fail)
    with pytest.raises(MemoryError):
        decoder.advance(5)
    hook.remove()
    scores = decoder.read([*prompt, 5], never)
    check(scores, model, [*prompt, 5])


def test_a_model_with_a_sliding_window_reads_edited_prompts_again() -> None:
    from transformers import MistralConfig, MistralForCausalLM

    config = MistralConfig(
        vocab_size=400,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        sliding_window=16,
    )
    model = MistralForCausalLM(config).eval()
    decoder = Decoder(model)
    prompt = tokens(50)
    decoder.read(prompt, never)
    longer = [*prompt, 7, 8]
    edited = [*prompt[:30], *tokens(10, seed=1)]
    for text in (longer, edited):
        scores = decoder.read(text, never)
        check(scores, model, text)


def test_arranging_changes_the_layout_and_no_value(model: Any, tiny_folder: ModelFolder) -> None:
    arranged = load_model(tiny_folder, torch.float32).to("cpu")
    arrange(arranged)
    for name, weight in model.state_dict().items():
        assert torch.equal(arranged.state_dict()[name], weight.cpu()), name
    assert arranged.model.layers[0].mlp.up_proj.weight.stride(0) == 1
    assert arranged.model.layers[0].mlp.down_proj.weight.stride(1) == 1
    assert arranged.lm_head.weight is arranged.model.embed_tokens.weight
    prompt = tokens(50)
    check(Decoder(arranged).read(prompt, never), model, prompt)


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
def test_together_is_as_one_by_one(model: Any, penalty: float) -> None:
    sampling = Sampling(temperature=0, repetition_penalty=penalty)
    prompts = [tokens(length, seed=length) for length in (3, 40, 17, 25)]
    alone = [one_by_one(model, prompt, sampling, frozenset(), 12) for prompt in prompts]
    # Ends that fall in the middle of some replies and outside of others.
    stop = frozenset({alone[0][4], alone[2][0]})
    together = decode_together(model, prompts, partial(Sampler, sampling, 0), stop, 12)
    assert together == [one_by_one(model, prompt, sampling, stop, 12) for prompt in prompts]
    assert len({len(reply) for reply in together}) > 1


def test_copies_are_drawn_each_for_itself_and_the_prompts_read_once(
    model: Any, reads: list[int]
) -> None:
    prompts = [tokens(5), tokens(9)]
    sampling = Sampling(temperature=2, top_p=1)
    none = frozenset[int]()
    turns: list[int] = []

    @contextmanager
    def turn() -> Iterator[None]:
        turns.append(len(reads))
        yield

    replies = decode_together(
        model, prompts, partial(Sampler, sampling, 0), none, 3, copies=4, turn=turn
    )
    assert reads == [9, 1, 1]
    assert turns == [0, 1, 2, 3]
    assert [len(reply) for reply in replies] == [3] * 8
    assert len({tuple(reply) for reply in replies}) > 4


def test_copies_continue_their_own_prompt(model: Any) -> None:
    prompts = [tokens(3), tokens(20), tokens(11)]
    sampler = partial(Sampler, GREEDY, 0)
    once = decode_together(model, prompts, sampler, frozenset(), 5)
    twice = decode_together(model, prompts, sampler, frozenset(), 5, copies=2)
    assert twice == [reply for reply in once for _ in range(2)]


def test_a_batch_makes_no_pass_too_many(model: Any, reads: list[int]) -> None:
    prompts = [tokens(5), tokens(9)]
    none = frozenset[int]()
    decode_together(model, prompts, partial(Sampler, GREEDY, 0), none, 3)
    assert reads == [9, 1, 1]
