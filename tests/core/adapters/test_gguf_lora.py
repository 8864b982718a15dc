"""llama.cpp itself loads the file beside the base, and gives the same probabilities."""

from pathlib import Path
from typing import Any

import pytest

from core.adapters import gguf_lora
from core.adapters.registry import Adapters
from core.models import gguf_export
from core.models.folder import find
from core.models.loading import load_model, load_tokenizer
from data.tokenization import encode_prompt
from store.errors import TuteeError
from tests.core.models.test_gguf_export import SAID, family, pin_splitting
from tests.lora import taught_version


def likeliest(base: Path, adapter: Path, ids: list[int]) -> dict[int, float]:
    """llama.cpp's likeliest next tokens after `ids`, in nats."""
    llama = pytest.importorskip("xllamacpp")
    parameters = llama.CommonParams()
    parameters.model.path = str(base)
    info = llama.CommonAdapterLoraInfo()
    info.path, info.scale = str(adapter), 1.0
    parameters.lora_adapters = [info]
    parameters.n_ctx = 512
    parameters.cpuparams.n_threads = 1
    parameters.verbosity = 0
    server = llama.Server(parameters)
    wanted = {"prompt": ids, "max_tokens": 1, "temperature": 0.0, "logprobs": 5}
    (first,) = server.handle_completions(wanted)["choices"][0]["logprobs"]["content"]
    return {token["id"]: token["logprob"] for token in first["top_logprobs"]}


@pytest.mark.parametrize(
    ("name", "use_rslora"),
    [("llama3", False), ("llama3", True), ("qwen2.5", False), ("qwen3", False), ("qwen3", True)],
)
def test_each_family_says_the_same(name: str, use_rslora: bool, tmp_path: Path) -> None:
    import torch
    from peft import PeftModel

    folder = family(name, tmp_path, hidden_size=64, head_dim=16)
    pin_splitting(folder.path / "tokenizer.json", name)
    folder = find(str(folder.path), tmp_path, lambda event: None)
    adapters = Adapters(tmp_path / "models", folder)
    version = taught_version(adapters, std=0.05, use_rslora=use_rslora, lora_alpha=12)
    gguf_export.write(folder, tmp_path / "base.gguf", "f16")
    gguf_lora.write(adapters, version, tmp_path / "lora.gguf")
    assert (tmp_path / "lora.gguf").stat().st_mode & 0o777 == 0o600

    tokenizer = load_tokenizer(folder)
    tuned: Any = PeftModel.from_pretrained(
        load_model(folder, torch.float32), str(adapters.path(version))
    )
    ids = encode_prompt(tokenizer, SAID)
    with torch.inference_mode():
        logps = tuned(torch.tensor([ids])).logits[0, -1].log_softmax(-1)
    found = likeliest(tmp_path / "base.gguf", tmp_path / "lora.gguf", ids)
    assert found == pytest.approx({token: logps[token].item() for token in found}, abs=0.1)
    before = load_model(folder, torch.float32)(torch.tensor([ids])).logits[0, -1].log_softmax(-1)
    assert found != pytest.approx({token: before[token].item() for token in found}, abs=0.2)


def test_what_is_no_adapter_for_it_is_refused(tmp_path: Path) -> None:
    folder = family("llama3", tmp_path)
    adapters = Adapters(tmp_path / "models", folder)
    file = tmp_path / "lora.gguf"
    with pytest.raises(TuteeError, match="not a trained version"):
        gguf_lora.write(adapters, "base", file)
    unusual = taught_version(adapters, use_dora=True)
    with pytest.raises(TuteeError, match="no plain LoRA"):
        gguf_lora.write(adapters, unusual, file)
    assert not file.exists()
    plain = taught_version(adapters)
    file.write_text("mine")
    with pytest.raises(TuteeError, match="exists already"):
        gguf_lora.write(adapters, plain, file)
    assert file.read_text() == "mine"


def test_another_family_is_refused(tmp_path: Path) -> None:
    adapters = Adapters(tmp_path / "models", family("gemma", tmp_path))
    with pytest.raises(TuteeError, match="family gemma"):
        gguf_lora.write(adapters, taught_version(adapters), tmp_path / "lora.gguf")
