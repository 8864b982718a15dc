"""Take an adapter that was trained elsewhere as a version, after the checks a pass goes through.

It must be LoRA in safetensors whose every tensor has its place in this base; where a recipe lies
beside it (`core.recipes`), it must be of this base's revision and chat template, and the version
counts the recipe's records as learned. Then it sits the exam, and the gate decides whether it may
answer by itself.

Left out on purpose: reward models, whose scores nothing here could vouch for.
"""

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from core import report
from core.adapters import BASE, hashed
from core.evaluate import Examiner
from core.events import PassDone, PassName
from core.lessons import Lessons
from core.models import chat_template, load_model
from core.passes.result import Trained
from core.passes.watch import Watch
from core.planning import Plan
from core.recipes import COMMANDS, FILE
from core.saving import Learned, save
from store.errors import TuteeError

_WEIGHTS = "adapter_model.safetensors"
_PICKLED = "adapter_model.bin"


def add(plan: Plan, directory: Path, watch: Watch) -> PassDone:
    """Make a version of the adapter in `directory`.

    Args:
        plan: For the base, the settings and what the exam asks; none of its passes is run.

    Raises:
        TuteeError: it is no adapter of this base; the hint says what it is.
        Cancelled: `watch` was cancelled.
    """
    source = directory.expanduser().absolute()
    _refuse(source)
    name, records = _provenance(plan, source)
    lessons = Lessons(plan)
    model = _on_base(plan, source)
    examiner = Examiner(lessons.exam, watch, report.known(plan.adapters.dir))
    with model.disable_adapter():
        before = examiner.before(model)
    after = examiner.after(model)
    trained = Trained(
        model=model,
        tokenizer=lessons.tokenizer,
        steps=0,
        losses=(),
        seconds=0.0,
        tokens=0,
        trained_tokens=0,
        before=before,
        after=after,
    )
    figures = {"added_from": source.name}
    return save(plan, BASE, name, trained, Learned(records), figures)


def _refuse(source: Path) -> None:
    """Refuse what is no LoRA adapter of a model that writes."""
    config = _read(source / "adapter_config.json")
    if config is None:
        raise TuteeError(
            f"{source} holds no adapter: it has no adapter_config.json.",
            "Give the folder that PEFT or TRL saved the adapter to, such as `out/sft`.",
        )
    if not (source / _WEIGHTS).is_file():
        pickled = (source / _PICKLED).exists()
        raise TuteeError(
            f"The adapter in {source} has no {_WEIGHTS}.",
            "Its weights are pickled, which can run code when opened: save it anew in safetensors"
            " form."
            if pickled
            else "Let its training end first.",
        )
    if config.get("peft_type") != "LORA":
        raise TuteeError(
            f"The adapter in {source} is {config.get('peft_type') or 'of an unknown kind'};"
            " Tutee uses LoRA.",
        )
    if config.get("task_type") == "SEQ_CLS":
        raise TuteeError(
            f"The adapter in {source} is a reward model: it scores replies and writes none.",
            "Train reward models here, where they are checked on pairs that were held out.",
        )


def _provenance(plan: Plan, source: Path) -> tuple[PassName, tuple[str, ...]]:
    """The pass that made it and the records it learned, by the recipe it lies in, if it does."""
    parents = (source, *source.parents[:3])
    recipe = next((found for parent in parents if (found := _read(parent / FILE))), None)
    if recipe is None:
        return "sft", ()
    folder = plan.adapters.folder
    if recipe.get("revision") != folder.revision:
        raise TuteeError(
            f"The recipe of {source} is for {recipe.get('model')}, not for {folder.id}.",
            "Choose that model (Ctrl+O, or `tutee --model`) and add it again.",
        )
    if recipe.get("template") != hashed(chat_template(folder) or ""):
        raise TuteeError(
            f"The recipe of {source} was written for another chat template than the one"
            f" {folder.label} has now, so the adapter would read every prompt wrongly.",
            "Write the recipe anew and train again.",
        )
    names = {command: name for name, command in COMMANDS.items()}
    command = next((part for part in reversed(source.parts) if part in names), "sft")
    return names[command], tuple(recipe.get("passes", {}).get(command, ()))


def _on_base(plan: Plan, source: Path) -> Any:
    """The base with the adapter beside it, every tensor of which was taken up.

    PEFT leaves out what has no place in the model, and says so in a warning only.
    """
    import torch
    from peft import PeftModel, get_peft_model_state_dict
    from safetensors.torch import load_file

    folder = plan.adapters.folder
    try:
        given = load_file(source / _WEIGHTS)
        with warnings.catch_warnings(action="ignore"):
            model = PeftModel.from_pretrained(load_model(folder), str(source))
    except Exception as error:  # a damaged folder fails in peft in more ways than can be listed
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise TuteeError(
            f"The adapter in {source} does not fit {folder.label}: {said}",
            "Choose the model it was trained on, then add it again.",
        ) from error
    taken = get_peft_model_state_dict(model, save_embedding_layers=False)
    strange = sorted(given.keys() ^ taken.keys())
    if strange:
        raise TuteeError(
            f"The adapter in {source} does not fit {folder.label}: {len(strange)} of its tensors"
            f" have no counterpart, among them {strange[0]}.",
            "Choose the model it was trained on, then add it again.",
        )
    broken = [name for name, values in given.items() if not torch.isfinite(values).all()]
    if broken:
        raise TuteeError(
            f"The adapter in {source} has numbers that are none, in {broken[0]}.",
            "Its training went wrong; train again at a lower learning rate.",
        )
    return model.eval()


def _read(path: Path) -> Mapping[str, Any] | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise TuteeError(f"Cannot read {path}: {error}.") from error
    if not isinstance(found, dict):
        raise TuteeError(f"Cannot read {path}: it holds no JSON object.")
    return cast(Mapping[str, Any], found)
