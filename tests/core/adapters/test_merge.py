"""A merged model is one that plain transformers loads, and it answers as base and adapter do."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer

from core.adapters import merge
from core.adapters.compatibility import tokenizer_template_hash
from core.adapters.manifest import Kind, Manifest, write_manifest
from core.adapters.merge import merge_adapter
from core.adapters.registry import Adapters
from core.config import Serving
from core.models.folder import ModelFolder, find
from core.models.loading import load_model, load_tokenizer
from core.serving.engine import Engine
from store.errors import TuteeError
from store.records import ChatMessage, Sampling

HELLO = (ChatMessage(role="user", content="hello world"),)
GREEDY = Sampling(temperature=0, repetition_penalty=1, max_new_tokens=24)
EXACT = Serving(precision="fp32")


def trained(models: Path, folder: ModelFolder, kind: Kind = "adapter") -> Adapters:
    """The versions of `folder`, with one that says something else than the base."""
    adapters = Adapters(models, folder)
    with torch.random.fork_rng(devices=[]), adapters.new_version(kind) as (version, directory):
        torch.manual_seed(1)
        config = LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM")
        model = get_peft_model(load_model(folder), config)
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(weight, std=0.3)
        model.save_pretrained(directory)
        manifest = Manifest(
            version=version,
            kind=kind,
            model=folder.id,
            revision=folder.revision,
            template=tokenizer_template_hash(load_tokenizer(folder)),
        )
        write_manifest(directory, manifest)
    return adapters


@pytest.fixture
def adapters(tmp_path: Path, tiny_folder: ModelFolder) -> Adapters:
    return trained(tmp_path / "models", tiny_folder)


def logits(model: Any) -> torch.Tensor:
    with torch.inference_mode():
        return model(torch.tensor([[5, 6, 7, 8]])).logits.float()


def test_plain_transformers_loads_it_and_answers_as_the_adapter_does(
    adapters: Adapters, tmp_path: Path
) -> None:
    merged = merge_adapter(adapters, "v1", tmp_path / "out")
    assert (merged.version, merged.precision) == ("v1", "float32")
    plain = AutoModelForCausalLM.from_pretrained(merged.path).eval()
    base = load_model(adapters.folder)
    assert not torch.allclose(logits(plain), logits(base), atol=0.1)
    beside = PeftModel.from_pretrained(base, str(adapters.dir / "v1")).eval()
    torch.testing.assert_close(logits(plain), logits(beside), atol=1e-4, rtol=1e-4)

    tokenizer = AutoTokenizer.from_pretrained(merged.path)
    asked = tokenizer.apply_chat_template(
        [message.model_dump() for message in HELLO],
        add_generation_prompt=True,
        return_dict=True,
        return_tensors="pt",
    )
    written = plain.generate(**asked, max_new_tokens=24, do_sample=False)
    reply = tokenizer.decode(written[0, asked["input_ids"].shape[1] :], skip_special_tokens=True)
    engine = Engine(adapters.folder, adapters.path("v1"), EXACT)
    assert reply == "".join(engine.stream(HELLO, GREEDY, 0))


def test_it_is_a_base_of_its_own(adapters: Adapters, tmp_path: Path) -> None:
    merged = merge_adapter(adapters, "v1", tmp_path / "out")
    found = find(str(merged.path), tmp_path, lambda event: None)
    assert found.id != adapters.folder.id
    beside = Engine(adapters.folder, adapters.path("v1"), EXACT)
    mine = "".join(Engine(found, None, EXACT).stream(HELLO, GREEDY, 0))
    assert mine == "".join(beside.stream(HELLO, GREEDY, 0))


def test_it_is_private_and_holds_no_pickle(adapters: Adapters, tmp_path: Path) -> None:
    merge_adapter(adapters, "v1", tmp_path / "out")
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o700
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"model.safetensors", "tokenizer.json", "generation_config.json"} <= names
    assert "chat_template.jinja" in names
    assert not any(name.endswith((".bin", ".pt", ".pth")) for name in names)
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in (tmp_path / "out").iterdir())
    assert {path.name for path in tmp_path.iterdir()} == {"models", "out"}


@pytest.fixture
def own_base(tiny_folder: ModelFolder, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_folder.path, tmp_path / "base"))


def look(path: Path) -> ModelFolder:
    return find(str(path), path.parent, lambda event: None)


def test_the_precision_of_the_base_is_kept(own_base: Path, tmp_path: Path) -> None:
    AutoModelForCausalLM.from_pretrained(own_base, dtype=torch.bfloat16).save_pretrained(own_base)
    adapters = trained(tmp_path / "models", look(own_base))
    merged = merge_adapter(adapters, "v1", tmp_path / "out")
    assert merged.precision == "bfloat16"
    assert AutoModelForCausalLM.from_pretrained(merged.path).dtype == torch.bfloat16


def test_it_stops_where_the_chat_does_whatever_the_base_said(
    own_base: Path, tmp_path: Path
) -> None:
    settings = {"temperature": 0.6, "top_p": 0.9, "eos_token_id": 0}  # and no do_sample
    (own_base / "generation_config.json").write_text(json.dumps(settings))
    adapters = trained(tmp_path / "models", look(own_base))
    merged = merge_adapter(adapters, "v1", tmp_path / "out")
    written = json.loads((merged.path / "generation_config.json").read_text())
    end = load_tokenizer(adapters.folder).convert_tokens_to_ids("<|im_end|>")
    assert written["eos_token_id"] == [0, end]
    assert written["temperature"] == 0.6


def test_a_quantized_base_is_refused(own_base: Path, tmp_path: Path) -> None:
    adapters = trained(tmp_path / "models", look(own_base))
    config = json.loads((own_base / "config.json").read_text())
    (own_base / "config.json").write_text(json.dumps(config | {"quantization_config": {"bits": 4}}))
    with pytest.raises(TuteeError, match="is quantized"):
        merge_adapter(adapters, "v1", tmp_path / "out")


def test_nothing_is_overwritten(adapters: Adapters, tmp_path: Path) -> None:
    file, full, empty = tmp_path / "file", tmp_path / "full", tmp_path / "empty"
    file.write_text("mine")
    for folder in (full, empty):
        folder.mkdir()
    (full / "mine").write_text("mine")
    for taken in (file, full):
        with pytest.raises(TuteeError, match="already exists"):
            merge_adapter(adapters, "v1", taken)
    assert (full / "mine").read_text() == file.read_text() == "mine"
    assert merge_adapter(adapters, "v1", empty).path == empty


def test_only_an_adapter_can_be_merged(
    adapters: Adapters, tiny_folder: ModelFolder, tmp_path: Path
) -> None:
    trained(tmp_path / "models", tiny_folder, "reward")
    for version in ("base", "r1"):
        with pytest.raises(TuteeError, match="not an adapter, so there is nothing to merge"):
            merge_adapter(adapters, version, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_merged_model_that_answers_otherwise_is_not_kept(
    adapters: Adapters, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_stop_tokens = merge._set_stop_tokens

    def spoil(model: Any, stops: frozenset[int]) -> None:
        set_stop_tokens(model, stops)
        model.lm_head.weight.data[0, 0] += 3

    monkeypatch.setattr(merge, "_set_stop_tokens", spoil)
    with pytest.raises(TuteeError, match="does not answer as the adapter does"):
        merge_adapter(adapters, "v1", tmp_path / "out")
    assert {path.name for path in tmp_path.iterdir()} == {"models"}


def test_a_full_disk_leaves_nothing(
    adapters: Adapters, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(merge, "publish", full)
    with pytest.raises(TuteeError, match="could not be written"):
        merge_adapter(adapters, "v1", tmp_path / "out")
    assert {path.name for path in tmp_path.iterdir()} == {"models"}
