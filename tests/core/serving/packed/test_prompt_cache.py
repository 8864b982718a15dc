"""The kept caches change the work, never the result."""

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core.serving.packed.decoder import PackedDecoder
from core.serving.packed.network import Network
from core.serving.packed.prompt_cache import PromptCache, common_prefix
from tests.core.serving.packed.models import make, network, tokens


def never() -> bool:
    return False


def cache_for(network: Network, budget: int = 2**24) -> PromptCache:
    return PromptCache(
        network.shape.layers, network.shape.kv_heads, network.shape.head_size, budget
    )


@pytest.fixture(scope="module", params=["llama", "mistral, sliding window", "qwen3"])
def mine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Network:
    return network(make(request.param, tmp_path_factory.mktemp("model"))[1])


def fresh(network: Network, prompt: list[int]) -> torch.Tensor:
    logits = PackedDecoder(network, cache_for(network)).prefill(prompt, never)
    assert logits is not None
    return logits


def check(logits: torch.Tensor | None, network: Network, prompt: list[int]) -> None:
    assert logits is not None
    wanted = fresh(network, prompt)
    assert int(logits.argmax()) == int(wanted.argmax())
    torch.testing.assert_close(logits, wanted, atol=2e-3, rtol=2e-3)


edits = st.lists(
    st.tuples(
        st.integers(0, 2),  # which conversation
        st.floats(0, 1),  # how much of it is kept
        st.integers(1, 120),  # how much is new
        st.integers(0, 3),  # of what
        st.integers(0, 4),  # how much is written in reply
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=25)
@given(edits=edits, budget=st.sampled_from([0, 2**18, 2**24]))
def test_any_edits_give_the_logits_of_a_fresh_prefill(
    mine: Network, edits: list[tuple[int, float, int, int, int]], budget: int
) -> None:
    decoder = PackedDecoder(mine, cache_for(mine, budget))
    system = tokens(70, seed=99)
    chats = {which: list(system) for which in range(3)}
    for which, kept, new, seed, written in edits:
        chat = chats[which]
        chat = [*chat[: int(kept * len(chat))], *tokens(new, seed)][:200]
        logits = decoder.prefill(chat, never)
        check(logits, mine, chat)
        for _ in range(written):
            assert logits is not None
            chat = [*chat, int(logits.argmax())]
            logits = decoder.decode_step(chat[-1])
        check(logits, mine, chat)
        chats[which] = chat


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of tokens of each forward pass."""
    seen: list[int] = []
    plain = Network.forward

    def counting(self: Network, inputs: Any, *rest: Any, **named: Any) -> torch.Tensor:
        seen.append(sum(len(new) for _, new in inputs))
        return plain(self, inputs, *rest, **named)

    monkeypatch.setattr(Network, "forward", counting)
    return seen


def test_only_new_tokens_are_run(mine: Network, reads: list[int]) -> None:
    decoder = PackedDecoder(mine, cache_for(mine))
    prompt = tokens(50)
    decoder.prefill(prompt, never)
    decoder.decode_step(7)
    decoder.prefill([*prompt, 7, *tokens(5, seed=1)], never)
    decoder.prefill(prompt, never)  # its last token is always run
    decoder.prefill(prompt[:20], never)
    assert reads == [50, 1, 5, 1, 1]


def test_another_chat_copies_the_common_part_and_both_stay(mine: Network, reads: list[int]) -> None:
    cache = cache_for(mine)
    decoder = PackedDecoder(mine, cache)
    system = tokens(40)
    first, second = system + tokens(100, seed=1), system + tokens(100, seed=2)
    decoder.prefill(first, never)
    decoder.prefill(second, never)
    decoder.prefill([*first, 5], never)
    decoder.prefill([*second, 5], never)
    assert reads == [140, 100, 1, 1]
    assert len(cache.entries) == 2


def test_adapters_do_not_share_caches(mine: Network, reads: list[int]) -> None:
    cache = cache_for(mine)
    prompt = tokens(30)
    cache.find("one", prompt).tokens += prompt
    assert cache.find("two", prompt).tokens == []
    assert cache.find("one", prompt).tokens == prompt[:-1]


def test_the_least_recently_used_leave_first(mine: Network) -> None:
    one = cache_for(mine).new(None).store.nbytes
    cache = cache_for(mine, budget=2 * one)
    prompts = [tokens(100, seed) for seed in range(3)]
    for prompt in prompts[:2]:
        cache.find(None, prompt).tokens += prompt
    cache.find(None, prompts[0])
    cache.find(None, prompts[2])
    assert [kv.tokens[:5] for kv in cache.entries] == [prompts[0][:5], []]
    assert cache.nbytes <= 2 * one


def test_a_budget_of_nothing_still_keeps_the_cache_in_use(mine: Network) -> None:
    cache = cache_for(mine, budget=0)
    decoder = PackedDecoder(mine, cache)
    for seed in range(4):
        decoder.prefill(tokens(100, seed), never)
        decoder.decode_step(7)
    assert len(cache.entries) == 1


def test_a_stopped_prefill_can_be_continued(tmp_path: Path, reads: list[int]) -> None:
    mine = network(make("llama", tmp_path, max_position_embeddings=1024)[1])
    decoder = PackedDecoder(mine, cache_for(mine))
    prompt = tokens(522)
    assert decoder.prefill(prompt, lambda: bool(reads)) is None
    assert reads == [256]
    logits = decoder.prefill(prompt, never)
    assert reads == [256, 256, 10]
    check(logits, mine, prompt)


def test_a_failed_pass_leaves_the_cache_as_it_was(
    mine: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoder = PackedDecoder(mine, cache_for(mine))
    prompt = tokens(20)
    decoder.prefill(prompt, never)
    with monkeypatch.context() as patch:

        def fail(*values: object) -> None:
            raise MemoryError

        patch.setattr("core.serving.packed.single_token.functional.silu", fail)
        with pytest.raises(MemoryError):
            decoder.decode_step(5)
    check(decoder.prefill([*prompt, 5], never), mine, [*prompt, 5])


def test_five_hundred_messages_do_not_grow(mine: Network) -> None:
    cache = cache_for(mine, budget=2**19)
    decoder = PackedDecoder(mine, cache)
    chat: list[int] = []
    for number in range(500):
        chat = [*chat, *tokens(6, seed=number)]
        if len(chat) > 150:
            chat = chat[-40:]
        decoder.prefill(chat, never)
        chat.append(7)
        decoder.decode_step(7)
        assert cache.nbytes <= 2**19 or len(cache.entries) == 1
    assert sum(len(kv.tokens) for kv in cache.entries) < 2000


@given(st.lists(st.integers(0, 2)), st.lists(st.integers(0, 2)))
def test_the_common_prefix_is_the_longest(first: list[int], second: list[int]) -> None:
    count = common_prefix(first, second)
    assert first[:count] == second[:count]
    assert first[count : count + 1] != second[count : count + 1] or count == len(first)
