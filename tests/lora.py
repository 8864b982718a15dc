"""A random LoRA adapter that replies differently from its base."""

from pathlib import Path
from typing import Any

from core.adapters.manifest import Manifest, write_manifest
from core.adapters.registry import Adapters
from core.models.folder import ModelFolder


def make_adapter(folder: ModelFolder, path: Path, std: float = 0.3, **settings: Any) -> Path:
    """Write an adapter on `folder` to `path`, always the same one, and return the path.

    Args:
        std: Of the weights that are zero in a new adapter.
        settings: Of its config.
    """
    import torch
    from peft import LoraConfig, get_peft_model

    from core.models.loading import load_model

    given = {"r": 4, "target_modules": "all-linear", "task_type": "CAUSAL_LM", **settings}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        model = get_peft_model(load_model(folder, torch.float32), LoraConfig(**given))
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(weight, std=std)
    model.save_pretrained(path)
    return path


def taught_version(adapters: Adapters, **settings: Any) -> str:
    """Save such an adapter as a version, and return its name."""
    folder = adapters.folder
    with adapters.new_version("adapter") as (version, directory):
        make_adapter(folder, directory, **settings)
        write_manifest(
            directory,
            Manifest(version=version, kind="adapter", model=folder.id, revision=folder.revision),
        )
    return version
