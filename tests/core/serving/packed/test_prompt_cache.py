"""What is kept changes the work, never the result."""

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core.serving.packed.decoder import PackedDecoder
from core.serving.packed.network import Network
from core.serving.packed.prompt_cache import PromptCache, shared
from tests.core.serving.packed.models import make, network, tokens


def never() -> bool:
    return False


def cache_for(network: Network, budget: int = 2**24) -> PromptCache:
    return PromptCache(
        network.shape.layers, network.shape.key_heads, network.shape.head_size, budget
    )


@pytest.fixture(scope="module", params=["llama", "mistral, sliding window", "qwen3"])
def mine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Network:
    return network(make(request.param, tmp_path_factory.mktemp("model"))[1])


def fresh(network: Network, prompt: list[int]) -> torch.Tensor:
    scores = PackedDecoder(network, cache_for(network)).read(prompt, never)
    assert scores is not None
    return scores


def check(scores: torch.Tensor | None, network: Network, prompt: list[int]) -> None:
    assert scores is not None
    wanted = fresh(network, prompt)
    assert int(scores.argmax()) == int(wanted.argmax())
    torch.testing.assert_close(scores, wanted, atol=2e-3, rtol=2e-3)


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
def test_any_edits_are_answered_as_if_read_anew(
    mine: Network, edits: list[tuple[int, float, int, int, int]], budget: int
) -> None:
    decoder = PackedDecoder(mine, cache_for(mine, budget))
    system = tokens(70, seed=99)
    chats = {which: list(system) for which in range(3)}
    for which, kept, new, seed, written in edits:
        chat = chats[which]
        chat = [*chat[: int(kept * len(chat))], *tokens(new, seed)][:200]
        scores = decoder.read(chat, never)
        check(scores, mine, chat)
        for _ in range(written):
            assert scores is not None
            chat = [*chat, int(scores.argmax())]
            scores = decoder.advance(chat[-1])
        check(scores, mine, chat)
        chats[which] = chat


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many tokens each forward pass takes in."""
    seen: list[int] = []
    plain = Network.read

    def counting(self: Network, parts: Any, *rest: Any, **named: Any) -> torch.Tensor:
        seen.append(sum(len(new) for _, new in parts))
        return plain(self, parts, *rest, **named)

    monkeypatch.setattr(Network, "read", counting)
    return seen


def test_only_what_is_new_is_read(mine: Network, reads: list[int]) -> None:
    decoder = PackedDecoder(mine, cache_for(mine))
    prompt = tokens(50)
    decoder.read(prompt, never)
    decoder.advance(7)
    decoder.read([*prompt, 7, *tokens(5, seed=1)], never)
    decoder.read(prompt, never)  # its last token is always read
    decoder.read(prompt[:20], never)
    assert reads == [50, 1, 5, 1, 1]


def test_another_chat_copies_the_common_part_and_both_stay(mine: Network, reads: list[int]) -> None:
    cache = cache_for(mine)
    decoder = PackedDecoder(mine, cache)
    system = tokens(40)
    first, second = system + tokens(100, seed=1), system + tokens(100, seed=2)
    decoder.read(first, never)
    decoder.read(second, never)
    decoder.read([*first, 5], never)
    decoder.read([*second, 5], never)
    assert reads == [140, 100, 1, 1]
    assert len(cache.texts) == 2


def test_adapters_do_not_share_what_they_read(mine: Network, reads: list[int]) -> None:
    cache = cache_for(mine)
    prompt = tokens(30)
    cache.find("one", prompt).tokens += prompt
    assert cache.find("two", prompt).tokens == []
    assert cache.find("one", prompt).tokens == prompt[:-1]


def test_the_longest_unused_leave_first(mine: Network) -> None:
    one = cache_for(mine).new(None).store.nbytes
    cache = cache_for(mine, budget=2 * one)
    prompts = [tokens(100, seed) for seed in range(3)]
    for prompt in prompts[:2]:
        cache.find(None, prompt).tokens += prompt
    cache.find(None, prompts[0])
    cache.find(None, prompts[2])
    assert [text.tokens[:5] for text in cache.texts] == [prompts[0][:5], []]
    assert cache.nbytes <= 2 * one


def test_a_budget_of_nothing_still_keeps_the_text_in_use(mine: Network) -> None:
    cache = cache_for(mine, budget=0)
    decoder = PackedDecoder(mine, cache)
    for seed in range(4):
        decoder.read(tokens(100, seed), never)
        decoder.advance(7)
    assert len(cache.texts) == 1


def test_a_long_prompt_can_be_stopped_and_gone_on_with(tmp_path: Path, reads: list[int]) -> None:
    mine = network(make("llama", tmp_path, max_position_embeddings=1024)[1])
    decoder = PackedDecoder(mine, cache_for(mine))
    prompt = tokens(522)
    assert decoder.read(prompt, lambda: bool(reads)) is None
    assert reads == [256]
    scores = decoder.read(prompt, never)
    assert reads == [256, 256, 10]
    check(scores, mine, prompt)


def test_a_failed_pass_leaves_the_text_as_it_was(
    mine: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoder = PackedDecoder(mine, cache_for(mine))
    prompt = tokens(20)
    decoder.read(prompt, never)
    with monkeypatch.context() as patch:

        def fail(*values: object) -> None:
            raise MemoryError

        patch.setattr("core.serving.packed.single_token.functional.silu", fail)
        with pytest.raises(MemoryError):
            decoder.advance(5)
    check(decoder.read([*prompt, 5], never), mine, [*prompt, 5])


def test_five_hundred_turns_do_not_grow(mine: Network) -> None:
    cache = cache_for(mine, budget=2**19)
    decoder = PackedDecoder(mine, cache)
    chat: list[int] = []
    for turn in range(500):
        chat = [*chat, *tokens(6, seed=turn)]
        if len(chat) > 150:
            chat = chat[-40:]
        decoder.read(chat, never)
        chat.append(7)
        decoder.advance(7)
        assert cache.nbytes <= 2**19 or len(cache.texts) == 1
    assert sum(len(text.tokens) for text in cache.texts) < 2000


@given(st.lists(st.integers(0, 2)), st.lists(st.integers(0, 2)))
def test_shared_is_the_longest_common_beginning(first: list[int], second: list[int]) -> None:
    count = shared(first, second)
    assert first[:count] == second[:count]
    assert first[count : count + 1] != second[count : count + 1] or count == len(first)
