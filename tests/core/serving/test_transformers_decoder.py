"""The kept cache changes the work, never the result."""

from typing import Any

import pytest
import torch

from core.models.folder import ModelFolder
from core.models.loading import load_model
from core.serving.transformers_decoder import (
    PREFILL_CHUNK,
    TransformersDecoder,
    lay_out_for_decoding,
)


def never() -> bool:
    return False


def tokens(count: int, seed: int = 0) -> list[int]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(3, 400, (count,), generator=generator).tolist()


def check(logits: torch.Tensor | None, model: Any, prompt: list[int]) -> None:
    """Logits as without a cache; sums in another order move them by less than a thousandth."""
    assert logits is not None
    torch.testing.assert_close(logits, fresh(model, prompt), atol=1e-3, rtol=1e-3)


def fresh(model: Any, prompt: list[int]) -> torch.Tensor:
    with torch.inference_mode():
        return model(torch.tensor([prompt], device=model.device)).logits[:, -1]


def test_only_new_tokens_are_run(model: Any, reads: list[int]) -> None:
    decoder = TransformersDecoder(model)
    prompt = tokens(50)
    decoder.prefill(prompt, never)
    decoder.decode_step(7)
    longer = [*prompt, 7, *tokens(5, seed=1)]
    logits = decoder.prefill(longer, never)
    assert reads == [50, 1, 5]
    check(logits, model, longer)


@pytest.mark.parametrize("kept", [0, 1, 20, 49])
def test_an_edited_prompt_is_run_from_the_edit_on(model: Any, reads: list[int], kept: int) -> None:
    decoder = TransformersDecoder(model)
    first = tokens(50)
    decoder.prefill(first, never)
    edited = [*first[:kept], (first[kept] + 1) % 400, *tokens(30, seed=1)]
    logits = decoder.prefill(edited, never)
    assert reads == [50, 31]
    check(logits, model, edited)


@pytest.mark.parametrize("length", [50, 20])
def test_the_last_token_is_always_run(model: Any, reads: list[int], length: int) -> None:
    decoder = TransformersDecoder(model)
    prompt = tokens(50)
    decoder.prefill(prompt, never)
    logits = decoder.prefill(prompt[:length], never)
    assert reads == [50, 1]
    check(logits, model, prompt[:length])


def test_a_stopped_prefill_can_be_continued(model: Any, reads: list[int]) -> None:
    decoder = TransformersDecoder(model)
    prompt = tokens(2 * PREFILL_CHUNK + 10)
    assert decoder.prefill(prompt, lambda: bool(reads)) is None
    assert reads == [PREFILL_CHUNK]
    logits = decoder.prefill(prompt, never)
    assert reads == [PREFILL_CHUNK, PREFILL_CHUNK, 10]
    check(logits, model, prompt)


def test_a_failed_pass_is_forgotten(model: Any) -> None:
    fail_and_go_on(TransformersDecoder(model), model)


def fail_and_go_on(decoder: TransformersDecoder, model: Any) -> None:
    prompt = tokens(20)
    decoder.prefill(prompt, never)

    def fail(*values: object) -> None:
        raise MemoryError

    # After the first layer has taken the token into the cache.
    hook = model.model.layers[1].register_forward_pre_hook(fail)
    with pytest.raises(MemoryError):
        decoder.decode_step(5)
    hook.remove()
    logits = decoder.prefill([*prompt, 5], never)
    check(logits, model, [*prompt, 5])


def test_a_sliding_window_prefills_edited_prompts_anew() -> None:
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
    decoder = TransformersDecoder(model)
    prompt = tokens(50)
    decoder.prefill(prompt, never)
    longer = [*prompt, 7, 8]
    edited = [*prompt[:30], *tokens(10, seed=1)]
    for text in (longer, edited):
        logits = decoder.prefill(text, never)
        check(logits, model, text)


def test_laying_out_for_decoding_changes_no_value(model: Any, tiny_folder: ModelFolder) -> None:
    arranged = load_model(tiny_folder, torch.float32).to("cpu")
    lay_out_for_decoding(arranged)
    for name, weight in model.state_dict().items():
        assert torch.equal(arranged.state_dict()[name], weight.cpu()), name
    assert arranged.model.layers[0].mlp.up_proj.weight.stride(0) == 1
    assert arranged.model.layers[0].mlp.down_proj.weight.stride(1) == 1
    assert arranged.lm_head.weight is arranged.model.embed_tokens.weight
    prompt = tokens(50)
    check(TransformersDecoder(arranged).prefill(prompt, never), model, prompt)
