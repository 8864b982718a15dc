"""The network against transformers' own model of the same weights, in float32."""

from pathlib import Path
from typing import Any

import pytest
import torch

from core.serving.loading import read_config
from core.serving.packed import weights
from core.serving.packed.network import Network
from core.serving.packed.quantized_linear import Kind
from store.errors import TuteeError
from tests.core.serving.packed.models import MODELS, expected, make, network, new_cache, tokens


@pytest.fixture(params=MODELS, scope="module")
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    model, folder = make(request.param, tmp_path_factory.mktemp("model"))
    return model, network(folder)


def close(logits: torch.Tensor, wanted: torch.Tensor) -> None:
    torch.testing.assert_close(logits, wanted, atol=2e-3, rtol=2e-3)


def greedy(network: Network, prompt: list[int], count: int) -> list[int]:
    kv, written = new_cache(network), []
    following = prompt
    for _ in range(count):
        following = [int(network.forward([(kv, following)]).argmax())]
        written += following
    return written


def test_greedy_is_transformers_greedy(both: Any) -> None:
    model, mine = both
    for length in (1, 7, 60):
        prompt = tokens(length)
        output = model.generate(
            torch.tensor([prompt]), do_sample=False, max_new_tokens=40, eos_token_id=None
        )
        assert greedy(mine, prompt, 40) == output[0, length:].tolist()


def test_logits_are_those_of_transformers_however_a_prompt_is_cut(both: Any) -> None:
    model, mine = both
    prompt = tokens(50)
    wanted = expected(model, prompt)
    close(mine.forward([(new_cache(mine), prompt)], all_positions=True), wanted)
    for cuts in ([1], [20, 21], [3, 17, 49], range(1, 50)):
        kv, start, logits = new_cache(mine), 0, []
        for cut in (*cuts, 50):
            logits.append(mine.forward([(kv, prompt[start:cut])], all_positions=True))
            start = cut
        close(torch.cat(logits), wanted)
        assert kv.tokens == prompt


def test_sequences_run_together_do_not_see_each_other(both: Any) -> None:
    model, mine = both
    prompts = [tokens(length, seed=length) for length in (5, 30, 1, 18)]
    caches = [new_cache(mine) for _ in prompts]
    logits = mine.forward(list(zip(caches, prompts, strict=True)))
    close(logits, torch.stack([expected(model, prompt)[-1] for prompt in prompts]))
    logits = mine.forward([(kv, [9]) for kv in caches])
    close(logits, torch.stack([expected(model, [*prompt, 9])[-1] for prompt in prompts]))


@pytest.mark.parametrize("name", ["llama, tied", "llama"])
@pytest.mark.parametrize("kind", ["int8", "bf16"])
def test_the_highest_logits_are_not_rounded_to_bfloat16(
    tmp_path: Path, name: str, kind: Kind
) -> None:
    _, folder = make(name, tmp_path)
    packed = network(folder, kind)
    logits = packed.forward([(new_cache(packed), tokens(20)), (new_cache(packed), tokens(9))])
    coarse = packed.forward([(new_cache(packed), tokens(20))], all_positions=True)[-1]
    best = logits[0].topk(8)
    assert not torch.equal(best.values, best.values.bfloat16().float())
    torch.testing.assert_close(best.values, coarse[best.indices], atol=0.2, rtol=0.02)
    assert len(set(best.values.tolist())) == 8


def test_a_cache_outgrows_its_room(tmp_path: Path) -> None:
    model, folder = make("llama", tmp_path, max_position_embeddings=1024)
    mine, prompt = network(folder), tokens(700)
    kv = new_cache(mine)
    for start in range(0, 700, 100):
        logits = mine.forward([(kv, prompt[start : start + 100])])
    close(logits[0], expected(model, prompt)[-1])


@pytest.mark.parametrize(
    "changes",
    [
        {"hidden_act": "gelu"},
        {"rope_parameters": {"rope_theta": 1e4, "rope_type": "dynamic", "factor": 2.0}},
        {"quantization_config": {"quant_method": "gptq", "bits": 4}},
    ],
)
def test_unknown_settings_are_left_to_transformers(tmp_path: Path, changes: dict[str, Any]) -> None:
    _, folder = make("llama", tmp_path)
    config = read_config(folder)
    assert weights.supports(config)
    for name, value in changes.items():
        setattr(config, name, value)
    assert not weights.supports(config)


def test_other_architectures_are_left_to_transformers() -> None:
    from transformers import GemmaConfig

    assert not weights.supports(GemmaConfig())


def test_a_missing_tensor_is_named(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    _, folder = make("llama", tmp_path)
    path = tmp_path / "model.safetensors"
    tensors = load_file(path)
    del tensors["model.layers.1.mlp.up_proj.weight"]
    save_file(tensors, path)
    with pytest.raises(TuteeError, match=r"mlp\.up_proj\.weight is missing"):
        network(folder)


def test_damaged_files_are_an_error(tmp_path: Path) -> None:
    _, folder = make("llama", tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"half")
    with pytest.raises(TuteeError, match="could not be loaded"):
        network(folder)
