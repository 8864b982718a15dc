"""Adapters that build on one another, where each was trained on a base with the last one merged in.

TRL's commands cannot go on with an adapter, so a recipe's next pass begins from a whole model: the
base with what the pass before has learned (`MERGE` makes it). What comes back is one adapter of the
base all the same: LoRA adapters add up, and side by side in one of their ranks together they give
exactly their sum.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from store.errors import TuteeError
from store.i18n import _

MERGE = '''"""Add what a pass has learned to the model it began from: what the next one begins from.

python merge.py sft    # out/sft and its base make merged/sft
"""

import json
import shutil
import sys
from pathlib import Path

from peft import PeftModel
from transformers import AutoModelForCausalLM

source, target = Path("out", sys.argv[1]), Path("merged", sys.argv[1])
config = json.loads((source / "adapter_config.json").read_text(encoding="utf-8"))
base = Path(config["base_model_name_or_path"])
model = AutoModelForCausalLM.from_pretrained(base, dtype="auto")
PeftModel.from_pretrained(model, source).merge_and_unload(safe_merge=True).save_pretrained(target)
for path in base.iterdir():  # the tokenizer and its template
    if ".safetensors" not in path.name and not (target / path.name).exists():
        shutil.copy2(path, target / path.name)
'''


def stack(adapters: Sequence[Path], target: Path) -> None:
    """Write the sum of LoRA `adapters` of one base, as peft does, to the folder `target`.

    Raises:
        TuteeError: one of them is more than thin matrices beside each matrix, or they do not lie
            beside the same ones.
        OSError, ValueError: a file cannot be read.
    """
    from safetensors.torch import load_file, save_file

    parts = [_scaled(path, load_file(path / "adapter_model.safetensors")) for path in adapters]
    if any(part.keys() != parts[0].keys() for part in parts):
        raise TuteeError(
            _("The adapters in {first} and {last} lie beside different layers.").format(
                first=adapters[0], last=adapters[-1]
            ),
            _("Write the recipe anew and train again."),
        )
    import torch

    # A (rank, in) and B (out, rank): one below and one beside the other.
    summed = {
        name: torch.cat([part[name] for part in parts], 1 if ".lora_B." in name else 0)
        for name in parts[0]
    }
    rank = sum(_config(path)["r"] for path in adapters)
    config = {**_config(adapters[0]), "r": rank, "lora_alpha": rank, "use_rslora": False}
    target.mkdir(exist_ok=True)
    save_file(summed, target / "adapter_model.safetensors", {"format": "pt"})
    (target / "adapter_config.json").write_text(json.dumps(config), encoding="utf-8")


def _scaled(path: Path, tensors: dict[str, Any]) -> dict[str, Any]:
    """`tensors` with what peft multiplies them by taken into them."""
    from core.adapters.peft_files import is_plain

    if not is_plain(path):
        raise TuteeError(
            _("The adapter in {source} is of a kind that cannot be added to another one.").format(
                source=path
            ),
            _("Train it with the settings of the recipe."),
        )
    config = _config(path)
    scale = config["lora_alpha"] / (config["r"] ** 0.5 if config.get("use_rslora") else config["r"])
    return {
        name: values.float() * (scale if ".lora_B." in name else 1)
        for name, values in tensors.items()
    }


def _config(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((path / "adapter_config.json").read_text(encoding="utf-8"))
    return found
