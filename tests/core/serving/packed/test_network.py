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
from tests.core.serving.packed.models import MODELS, expected, make, network, new_text, tokens


@pytest.fixture(params=MODELS, scope="module")
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    model, folder = make(request.param, tmp_path_factory.mktemp("model"))
    return model, network(folder)


def close(scores: torch.Tensor, wanted: torch.Tensor) -> None:
    torch.testing.assert_close(scores, wanted, atol=2e-3, rtol=2e-3)


def greedy(network: Network, prompt: list[int], count: int) -> list[int]:
    text, written = new_text(network), []
    following = prompt
    for _ in range(count):
        following = [int(network.read([(text, following)]).argmax())]
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


def test_scores_are_those_of_transformers_however_a_prompt_is_cut(both: Any) -> None:
    model, mine = both
    prompt = tokens(50)
    wanted = expected(model, prompt)
    close(mine.read([(new_text(mine), prompt)], every=True), wanted)
    for cuts in ([1], [20, 21], [3, 17, 49], range(1, 50)):
        text, start, scores = new_text(mine), 0, []
        for cut in (*cuts, 50):
            scores.append(mine.read([(text, prompt[start:cut])], every=True))
            start = cut
        close(torch.cat(scores), wanted)
        assert text.tokens == prompt


def test_texts_read_together_do_not_see_each_other(both: Any) -> None:
    model, mine = both
    prompts = [tokens(length, seed=length) for length in (5, 30, 1, 18)]
    texts = [new_text(mine) for _ in prompts]
    scores = mine.read(list(zip(texts, prompts, strict=True)))
    close(scores, torch.stack([expected(model, prompt)[-1] for prompt in prompts]))
    scores = mine.read([(text, [9]) for text in texts])
    close(scores, torch.stack([expected(model, [*prompt, 9])[-1] for prompt in prompts]))


@pytest.mark.parametrize("name", ["llama, tied", "llama"])
@pytest.mark.parametrize("kind", ["int8", "bf16"])
def test_the_highest_scores_are_not_rounded_to_bfloat16(
    tmp_path: Path, name: str, kind: Kind
) -> None:
    _, folder = make(name, tmp_path)
    packed = network(folder, kind)
    scores = packed.read([(new_text(packed), tokens(20)), (new_text(packed), tokens(9))])
    coarse = packed.read([(new_text(packed), tokens(20))], every=True)[-1]
    best = scores[0].topk(8)
    assert not torch.equal(best.values, best.values.bfloat16().float())
    torch.testing.assert_close(best.values, coarse[best.indices], atol=0.2, rtol=0.02)
    assert len(set(best.values.tolist())) == 8


def test_a_text_outgrows_its_room(tmp_path: Path) -> None:
    model, folder = make("llama", tmp_path, max_position_embeddings=1024)
    mine, prompt = network(folder), tokens(700)
    text = new_text(mine)
    for start in range(0, 700, 100):
        scores = mine.read([(text, prompt[start : start + 100])])
    close(scores[0], expected(model, prompt)[-1])


@pytest.mark.parametrize(
    "changes",
    [
        {"hidden_act": "gelu"},
        {"rope_parameters": {"rope_theta": 1e4, "rope_type": "dynamic", "factor": 2.0}},
        {"quantization_config": {"quant_method": "gptq", "bits": 4}},
    ],
)
def test_what_it_does_not_know_is_left_to_transformers(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
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
