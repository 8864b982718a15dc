"""Merge an adapter into its base, and write the result as a model of its own.

The merge is computed in float32 and stored in the precision of the base's weights, so only that
last rounding is lost. The result is loaded again with plain transformers and must give the same
logits as the base with the adapter; otherwise nothing is kept.

Left out on purpose: merging into a quantized base, whose rounding would swallow part of what the
adapter learned.
"""

import json
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.adapters.manifest import BASE
from core.adapters.new_folder import publish, unused_folder
from core.adapters.peft_files import can_merge
from core.adapters.registry import Adapters
from core.models.folder import ModelFolder
from core.models.loading import load_model, load_tokenizer
from data.tokenization import encode_prompt, stop_ids
from store.errors import TuteeError
from store.i18n import _
from store.records import ChatMessage

_TOLERANCE = {"float32": 1e-3, "float16": 0.02, "bfloat16": 0.06}
"""Largest error of a logit from rounding, as a share of the largest logit."""
_QUESTION = "Say in one sentence why the sky is blue. 天空为什么是蓝色的？"


@dataclass(frozen=True)
class Merged:
    version: str
    path: Path
    precision: str
    """Of the weights: `float32`, `bfloat16` or `float16`."""
    difference: float
    """Largest difference between its logits, loaded again, and those of base and adapter."""


def merge_adapter(adapters: Adapters, version: str, directory: Path) -> Merged:
    """Write the base with `version` merged in to `directory`, which must not exist or be empty.

    Raises:
        TuteeError: there is no such adapter, something is at `directory`, the base is quantized,
            or the merged model does not give the adapter's logits.
    """
    manifest = adapters.manifest(version)
    adapter = adapters.path(manifest.version)
    if adapter is None or manifest.kind != "adapter":
        raise TuteeError(
            _("{version} is not an adapter, so there is nothing to merge.").format(
                version=manifest.version
            ),
            _("`tutee adapters` lists the adapters; {base} can be used as it is.").format(
                base=BASE
            ),
        )
    target = unused_folder(directory)
    _refuse_quantized(adapters.folder)
    partial = target.with_name(f".{target.name}.partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)  # of a process that was killed
        partial.mkdir(parents=True, mode=0o700)
        precision, difference = _write(adapters, adapter, partial)
        publish(partial, target)
    except OSError as error:
        raise TuteeError(
            _("The merged model could not be written to {target}: {why}.").format(
                target=target, why=error
            )
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return Merged(manifest.version, target, precision, difference)


def _refuse_quantized(folder: ModelFolder) -> None:
    config = json.loads((folder.path / "config.json").read_text(encoding="utf-8"))
    if config.get("quantization_config"):
        raise TuteeError(
            _(
                "{model} is quantized, and merging into it would lose much of what the "
                "adapter learned."
            ).format(model=folder.label),
            _("Use the adapter with its base, or train on the 16-bit variant of the model."),
        )


def _write(adapters: Adapters, adapter: Path, partial: Path) -> tuple[str, float]:
    """Fill `partial`, and return the precision and the largest error of its logits."""
    import torch
    from peft import PeftModel

    tokenizer = load_tokenizer(adapters.folder)
    model = load_model(adapters.folder, torch.float32)
    stored = _stored_precision(adapters.folder.path)
    messages = [ChatMessage(role="user", content=_QUESTION)]
    prompt = torch.tensor([encode_prompt(tokenizer, messages)], device=model.device)
    tuned = PeftModel.from_pretrained(model, str(adapter)).eval()
    if not can_merge(tuned):
        raise TuteeError(
            _(
                "{version} cannot be merged: it changes what {model} has no place for, the "
                "embeddings or the head alone where they are one matrix, or a bias of layers "
                "without one."
            ).format(version=adapter.name, model=adapters.folder.label),
            _("Use the adapter with its base, or train it on the other layers, without a bias."),
        )
    expected = _logits(tuned, prompt)
    merged: Any = tuned.merge_and_unload(safe_merge=True)
    _set_stop_tokens(merged, stop_ids(tokenizer))
    merged.to(stored).save_pretrained(partial)
    tokenizer.save_pretrained(partial)
    del model, tuned, merged
    difference = (_reloaded_logits(partial, prompt) - expected).abs().max().item()
    precision = str(stored).removeprefix("torch.")
    if not difference <= _TOLERANCE[precision] * expected.abs().max().item():
        raise TuteeError(
            _(
                "The merged model does not answer as the adapter does: its logits are off "
                "by up to {difference:.3g}. Nothing was kept."
            ).format(difference=difference),
            _("The disk or the memory may be faulty; try again, and report it if it recurs."),
        )
    return precision, difference


def _stored_precision(folder: Path) -> Any:
    """Return the precision of most of the base's weights."""
    import torch
    from safetensors import safe_open

    known = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
    found: Counter[str] = Counter()
    for path in folder.glob("*.safetensors"):
        with safe_open(path, framework="pt") as file:
            found.update(file.get_slice(name).get_dtype() for name in file.keys())  # noqa: SIM118
    return known.get(found.most_common(1)[0][0], torch.float32)


def _set_stop_tokens(model: Any, stops: frozenset[int]) -> None:
    """Let plain `generate` stop where the chat does, with settings that can be saved."""
    settings = model.generation_config
    own = settings.eos_token_id
    ends = sorted(stops.union([own] if isinstance(own, int) else own or []))
    settings.eos_token_id = ends if len(ends) > 1 else ends[0]
    try:
        settings.validate(strict=True)
    except ValueError:
        # Many models come with a temperature but no `do_sample`, which cannot be saved.
        settings.do_sample = True


def _logits(model: Any, prompt: Any) -> Any:
    import torch

    with torch.inference_mode():
        return model(prompt).logits.float().cpu()


def _reloaded_logits(folder: Path, prompt: Any) -> Any:
    """Return the logits that plain transformers computes from the folder."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
    return _logits(model.eval(), prompt.cpu())
