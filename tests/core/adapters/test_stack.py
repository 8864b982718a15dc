"""Adapters that were trained one on top of another make one adapter that says the same."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model

from core.adapters.stack import MERGE_SCRIPT, stack
from core.models.folder import ModelFolder
from core.models.loading import load_model
from store.errors import TuteeError

IDS = torch.arange(3, 40)[None]


def trained(base: Any, directory: Path, seed: int, **settings: Any) -> Path:
    """An adapter of `base` that changes what it says."""
    config = LoraConfig(
        target_modules=settings.pop("layers", ["q_proj", "down_proj"]),
        task_type="CAUSAL_LM",
        **settings,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = get_peft_model(base, config)
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(weight, std=0.1)
    model.save_pretrained(directory)
    model.unload()
    return directory


def logits(model: Any) -> torch.Tensor:
    with torch.inference_mode():
        return model.eval()(IDS).logits


def test_the_sum_says_what_the_last_of_the_line_says(
    tiny_folder: ModelFolder, tmp_path: Path
) -> None:
    whole: Any = load_model(tiny_folder)
    adapters = []
    for seed, settings in enumerate(
        ({"r": 8, "use_rslora": True}, {"r": 4, "lora_alpha": 8}, {"r": 2, "lora_alpha": 16})
    ):
        adapters.append(trained(whole, tmp_path / str(seed), seed, **settings))
        whole = PeftModel.from_pretrained(whole, str(adapters[-1])).merge_and_unload()
    stack(adapters, tmp_path / "sum")
    config = json.loads((tmp_path / "sum" / "adapter_config.json").read_text())
    assert (config["r"], config["lora_alpha"], config["use_rslora"]) == (14, 14, False)
    beside = PeftModel.from_pretrained(load_model(tiny_folder), str(tmp_path / "sum"))
    torch.testing.assert_close(logits(beside), logits(whole), atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize(
    ("last", "said"),
    [
        ({"r": 4, "layers": ["q_proj"]}, "target different layers"),
        ({"r": 4, "use_dora": True}, "cannot be combined"),
    ],
)
def test_what_does_not_add_up_is_refused(
    tiny_folder: ModelFolder, tmp_path: Path, last: dict[str, Any], said: str
) -> None:
    first = trained(load_model(tiny_folder), tmp_path / "first", 0, r=4)
    other = trained(load_model(tiny_folder), tmp_path / "other", 1, **last)
    with pytest.raises(TuteeError, match=said):
        stack([first, other], tmp_path / "sum")
    assert not (tmp_path / "sum").exists()


def test_the_script_of_a_recipe_adds_an_adapter_to_its_base(
    tiny_folder: ModelFolder, tmp_path: Path
) -> None:
    (tmp_path / "base").symlink_to(tiny_folder.path)
    adapter = trained(load_model(tiny_folder), tmp_path / "out" / "sft", 0, r=4)
    config = adapter / "adapter_config.json"
    told = json.loads(config.read_text()) | {"base_model_name_or_path": "base"}
    config.write_text(json.dumps(told))
    (tmp_path / "merge.py").write_text(MERGE_SCRIPT)
    subprocess.run([sys.executable, "merge.py", "sft"], cwd=tmp_path, check=True)
    merged = ModelFolder(tmp_path / "merged" / "sft", "", "", "")
    beside = PeftModel.from_pretrained(load_model(tiny_folder), str(adapter))
    torch.testing.assert_close(logits(load_model(merged)), logits(beside), atol=1e-3, rtol=1e-3)
    assert (merged.path / "chat_template.jinja").is_file()
