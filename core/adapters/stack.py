"""Sum LoRA adapters that were trained in turn, each on the base with the earlier ones merged in.

TRL's commands cannot continue an adapter, so each pass of a recipe starts from a whole model: the
base with the previous pass merged in (`MERGE_SCRIPT`). The result is a single adapter all the same:
concatenated along the rank, LoRA adapters give exactly the sum of their updates.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core.adapters.peft_files import is_plain, read_config
from store.errors import TuteeError
from store.i18n import _

MERGE_SCRIPT = '''"""Merge a pass's adapter into its model, for the next pass to start from.

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
    """Write the sum of LoRA `adapters` of one base to the folder `target`, in PEFT's format.

    Raises:
        TuteeError: an adapter is not plain LoRA, or they do not target the same layers.
        OSError, ValueError: a file cannot be read.
    """
    import torch
    from safetensors.torch import load_file, save_file

    parts = [_scaled(path, load_file(path / "adapter_model.safetensors")) for path in adapters]
    if any(part.keys() != parts[0].keys() for part in parts):
        raise TuteeError(
            _("The adapters in {first} and {last} target different layers.").format(
                first=adapters[0], last=adapters[-1]
            ),
            _("Write the recipe again and retrain."),
        )
    # A (rank, in) is concatenated along dimension 0, B (out, rank) along 1.
    summed = {
        name: torch.cat([part[name] for part in parts], 1 if ".lora_B." in name else 0)
        for name in parts[0]
    }
    configs = [read_config(path) for path in adapters]
    rank = sum(config["r"] for config in configs)
    config = {**configs[0], "r": rank, "lora_alpha": rank, "use_rslora": False}
    target.mkdir(exist_ok=True)
    save_file(summed, target / "adapter_model.safetensors", {"format": "pt"})
    (target / "adapter_config.json").write_text(json.dumps(config), encoding="utf-8")


def _scaled(path: Path, tensors: dict[str, Any]) -> dict[str, Any]:
    """Return `tensors` with PEFT's scaling factor folded into B; refuse all but plain LoRA."""
    if not is_plain(path):
        raise TuteeError(
            _(
                "The adapter in {source} cannot be combined with others: it is not plain LoRA."
            ).format(source=path),
            _("Train it with the settings of the recipe."),
        )
    config = read_config(path)
    scale = config["lora_alpha"] / (config["r"] ** 0.5 if config.get("use_rslora") else config["r"])
    return {
        name: values.float() * (scale if ".lora_B." in name else 1)
        for name, values in tensors.items()
    }
