"""Adapters of other tools: the same logits as where they were trained, or the true reason."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file

from core.adapters import conversion
from core.adapters.manifest import Manifest, write_manifest
from core.adapters.merge import merge_adapter
from core.adapters.peft_files import is_plain
from core.adapters.registry import Adapters
from core.models.folder import ModelFolder, find
from core.models.loading import load_model
from core.serving.engine import Engine
from store.errors import TuteeError
from tests.core.serving.asking import EXACT
from tests.families import FAMILIES, make

PROMPT = list(range(5, 25))
ATTENTION = ["q_proj", "v_proj"]


@pytest.fixture(scope="module")
def untied(tmp_path_factory: pytest.TempPathFactory) -> ModelFolder:
    """A Llama whose head is not its embedding."""
    path = tmp_path_factory.mktemp("models")
    make(next(family for family in FAMILIES if family.name == "llama3"), path / "llama3")
    return find(str(path / "llama3"), path, lambda event: None)


def trained(base: Any, path: Path, **settings: Any) -> torch.Tensor:
    """Save a LoRA that changes much, and return the logits that it had in training."""
    chosen = {"r": 4, "lora_alpha": 8, "target_modules": ATTENTION, **settings}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        model = get_peft_model(base, LoraConfig(task_type="CAUSAL_LM", **chosen))
        for name, weight in model.named_parameters():
            if weight.requires_grad and "lora_magnitude" not in name:
                weight.data += torch.randn_like(weight) * 0.1
    model.save_pretrained(path)
    return logits(model.eval())


def logits(model: Any) -> torch.Tensor:
    with torch.inference_mode():
        found: torch.Tensor = model(torch.tensor([PROMPT])).logits[0, -1]
    return found


def taken(folder: ModelFolder, source: Path, scratch: Path) -> Path:
    """The folder of the adapter in `source` as a version would hold it."""
    config = conversion.read_config(source)
    base = load_model(folder, torch.float32)
    adapter = conversion.in_peft_form(source, config, base, scratch / "peft")
    if config.get("init_lora_weights") in ("pissa", "olora"):
        adapter = conversion.without_moved_weights(adapter, base, scratch / "added")
    return adapter


def served(folder: ModelFolder, adapter: Path) -> torch.Tensor:
    found = Engine(folder, adapter, EXACT).backend.prefill(PROMPT, lambda: False)
    assert found is not None
    return found.flatten()


def in_peft(folder: ModelFolder, adapter: Path) -> torch.Tensor:
    return logits(PeftModel.from_pretrained(load_model(folder, torch.float32), str(adapter)).eval())


def merged(folder: ModelFolder, adapter: Path, home: Path) -> torch.Tensor:
    """The logits of the merged folder, loaded by transformers alone."""
    import shutil

    from transformers import AutoModelForCausalLM

    adapters = Adapters(home, folder)
    with adapters.new_version("adapter") as (version, directory):
        shutil.copytree(adapter, directory, dirs_exist_ok=True)
        manifest = Manifest(
            version=version, kind="adapter", model=folder.id, revision=folder.revision
        )
        write_manifest(directory, manifest)
    path = merge_adapter(adapters, version, home / "merged").path
    return logits(AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32).eval())


KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "all layers": {"target_modules": "all-linear"},
    "rslora": {"use_rslora": True},
    "dora": {"use_dora": True},
    "patterns": {"rank_pattern": {"q_proj": 2}, "alpha_pattern": {"v_proj": 16}},
    "pissa": {"init_lora_weights": "pissa"},
    "olora": {"init_lora_weights": "olora", "use_rslora": True},
    "orthogonal": {"init_lora_weights": "orthogonal"},
    "head": {"target_modules": [*ATTENTION, "lm_head"]},
    "embeddings": {"target_modules": [*ATTENTION, "embed_tokens", "lm_head"]},
    "whole head": {"modules_to_save": ["lm_head"]},
}


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_served_examined_and_merged_as_it_was_trained(
    kind: str, untied: ModelFolder, tmp_path: Path
) -> None:
    wanted = trained(load_model(untied, torch.float32), tmp_path / "given", **KINDS[kind])
    assert (wanted - logits(load_model(untied, torch.float32))).abs().max() > 0.1
    adapter = taken(untied, tmp_path / "given", tmp_path)
    for found in (
        in_peft(untied, adapter),
        served(untied, adapter),
        merged(untied, adapter, tmp_path / "home"),
    ):
        torch.testing.assert_close(found, wanted, atol=2e-3, rtol=1e-3)


@pytest.mark.parametrize(
    "settings",
    [
        {"target_modules": [*ATTENTION, "embed_tokens"]},
        {"target_modules": [*ATTENTION, "lm_head"]},
        {"lora_bias": True},
    ],
)
def test_what_cannot_be_merged_is_served_beside_the_base(
    settings: dict[str, Any], tiny_folder: ModelFolder, tmp_path: Path
) -> None:
    """Its embedding and its head are one matrix, and its layers have no bias."""
    wanted = trained(load_model(tiny_folder, torch.float32), tmp_path / "given", **settings)
    adapter = taken(tiny_folder, tmp_path / "given", tmp_path)
    for found in (in_peft(tiny_folder, adapter), served(tiny_folder, adapter)):
        torch.testing.assert_close(found, wanted, atol=2e-3, rtol=1e-3)
    with pytest.raises(TuteeError, match="cannot be merged"):
        merged(tiny_folder, adapter, tmp_path / "home")


def renamed(change: Callable[[str], str]) -> Callable[[Path], None]:
    def rename(path: Path) -> None:
        file = path / "adapter_model.safetensors"
        save_file({change(name): value for name, value in load_file(file).items()}, file)

    return rename


def as_mlx(path: Path) -> None:
    """Save it again as mlx_lm does."""
    tensors = {}
    for name, value in load_file(path / "adapter_model.safetensors").items():
        layer, _dot, side = name.removeprefix("base_model.model.").partition(".lora_")
        tensors[f"{layer}.lora_{side[0].lower()}"] = value.t().contiguous()
    (path / "adapter_model.safetensors").unlink()
    save_file(tensors, path / "adapters.safetensors")
    config = {
        "fine_tune_type": "lora",
        "num_layers": 2,
        "lora_parameters": {"rank": 4, "scale": 2.0, "dropout": 0.0},
    }
    (path / "adapter_config.json").write_text(json.dumps(config))


@pytest.mark.parametrize(
    "rename",
    [
        renamed(lambda name: name.replace(".weight", ".default.weight")),
        renamed(lambda name: name.removeprefix("base_model.model.")),
        renamed(lambda name: name.replace("base_model.model.", "base_model.model._orig_mod.")),
        renamed(lambda name: name.replace("model.layers", "model.language_model.layers")),
        renamed(lambda name: name.removeprefix("base_model.model.model.")),
        as_mlx,
    ],
)
def test_other_names_are_understood(
    rename: Callable[[Path], None], untied: ModelFolder, tmp_path: Path
) -> None:
    wanted = trained(load_model(untied, torch.float32), tmp_path / "given")
    rename(tmp_path / "given")
    adapter = taken(untied, tmp_path / "given", tmp_path)
    assert is_plain(adapter)
    torch.testing.assert_close(served(untied, adapter), wanted, atol=2e-3, rtol=1e-3)
    torch.testing.assert_close(in_peft(untied, adapter), wanted, atol=2e-3, rtol=1e-3)


def test_a_layer_of_the_eyes_is_not_taken_for_one_of_the_text(
    untied: ModelFolder, tmp_path: Path
) -> None:
    trained(load_model(untied, torch.float32), tmp_path / "given")
    renamed(lambda name: name.replace("model.layers", "vision_tower.layers"))(tmp_path / "given")
    adapter = taken(untied, tmp_path / "given", tmp_path)
    assert all("vision_tower" in name for name in load_file(adapter / "adapter_model.safetensors"))


def grown(name: str, rows: int) -> Callable[[Path], None]:
    def grow(path: Path) -> None:
        file = path / "adapter_model.safetensors"
        tensors = load_file(file)
        tensors[name] = torch.zeros(rows, 32)
        save_file(tensors, file)

    return grow


def other_head(path: Path) -> None:
    embedding = next(family for family in FAMILIES if family.name == "llama3").tokenizer()
    grown("base_model.model.lm_head.base_layer.weight", len(embedding))(path)


def edited(**values: object) -> Callable[[Path], None]:
    def edit(path: Path) -> None:
        file = path / "adapter_config.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | values))

    return edit


@pytest.mark.parametrize(
    ("spoil", "said", "hint"),
    [
        (
            grown("base_model.model.model.embed_tokens.weight", 300),
            r"embed_tokens.weight is 300 x 32, and here it must be \d+ x 32",
            "longer vocabulary",
        ),
        (
            grown("base_model.model.lm_head.base_layer.weight", 300),
            "lm_head.base_layer.weight is 300 x 32",
            "longer vocabulary",
        ),
        (
            other_head,
            "its copy of lm_head differs",
            "Choose the model",
        ),
        (
            grown("base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight", 6),
            "q_proj.lora_A.weight is 6 x 32, and here it must be 4 x 32",
            "Choose the model",
        ),
        (edited(r=2), "is 4 x 32, and here it must be 2 x 32", "Choose the model"),
        (edited(r=0), "`r` must be a number from 1 to 8,192, not 0", "Save it again"),
        (edited(r=10**9), "`r` must be a number from 1 to 8,192, not 1000000000", "Save it again"),
        (edited(r="4"), "`r` must be a number", "Save it again"),
        (edited(lora_alpha=float("nan")), "`lora_alpha` must be a number .* not NaN", "Save"),
        (edited(lora_alpha=1e300), "`lora_alpha` must be a number", "Save it again"),
        (edited(alpha_pattern=[1]), "`alpha_pattern` is not a table", "Save it again"),
        (edited(rank_pattern={"q": -1}), r"`rank_pattern.q` must be", "Save it again"),
        (edited(init_lora_weights="corda"), "init_lora_weights: corda", "Convert it where"),
        (edited(init_lora_weights="pissa_niter_16"), "changed weights of its base", "Convert it"),
        (edited(init_lora_weights="lora_ga"), "changed weights of its base", "Convert it"),
        (edited(init_lora_weights=["x"]), "changed weights of its base", "Convert it"),
        (edited(peft_type="IA3"), "is IA3", ""),
        (edited(peft_type=["LORA"]), "Tutee uses LoRA", ""),
    ],
)
def test_what_does_not_fit_names_what_and_why(
    spoil: Callable[[Path], None], said: str, hint: str, untied: ModelFolder, tmp_path: Path
) -> None:
    trained(load_model(untied, torch.float32), tmp_path / "given")
    spoil(tmp_path / "given")
    with pytest.raises(TuteeError, match=said) as caught:
        taken(untied, tmp_path / "given", tmp_path)
    assert hint in caught.value.hint
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("file", "hint"),
    [
        ("adapter_model.bin", "pickled"),
        ("adapters.npz", "pickled"),
        ("adapter.gguf", "GGUF"),
        ("pytorch_lora_weights.safetensors", "Rename its weights"),
        ("trainer_state.json", "Wait for its training"),
    ],
)
def test_other_forms_of_files_are_refused_by_name(file: str, hint: str, tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text('{"peft_type": "LORA"}')
    (tmp_path / file).write_bytes(b"x")
    with pytest.raises(TuteeError, match=r"has no adapter_model\.safetensors") as caught:
        conversion.read_config(tmp_path)
    assert hint in caught.value.hint


def test_dora_of_mlx_is_refused(tmp_path: Path) -> None:
    config = {"fine_tune_type": "dora", "lora_parameters": {"rank": 4, "scale": 2.0}}
    (tmp_path / "adapter_config.json").write_text(json.dumps(config))
    (tmp_path / "adapters.safetensors").write_bytes(b"x")
    with pytest.raises(TuteeError, match=r"is dora \(mlx\)"):
        conversion.read_config(tmp_path)
