"""Import an adapter that was trained elsewhere as a version.

It must be LoRA in safetensors, and each of its tensors must match one of this base. If it lies in a
recipe (`core.recipes.export`), the recipe must be for this base's revision and chat template; the
version then counts the recipe's records as learned, and the adapters it was trained on top of are
summed with it. It takes the same exam as a version trained here, and the gate decides whether it is
activated automatically.

A reward model is only accepted from a recipe, which names the pairs it was trained on: its gate is
its accuracy on other pairs, held out here.
"""

import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from core import json_file
from core.adapters.compatibility import hash_template
from core.adapters.manifest import BASE
from core.adapters.stack import stack
from core.evaluation import report
from core.events import PassDone, PassName
from core.models.folder import chat_template
from core.models.loading import load_model
from core.recipes.export import COMMANDS, RECIPE_FILE
from core.runs.plan import Plan
from core.runs.samples import RunSamples
from core.runs.save_version import LearnedRecords, save_version
from core.training.bf16_base import use_bf16_base
from core.training.exam import Examiner
from core.training.result import Trained
from core.training.run_control import RunControl
from data.training_split import group_numbers
from store.errors import TuteeError
from store.i18n import _

_WEIGHTS = "adapter_model.safetensors"
_PICKLED = "adapter_model.bin"


@dataclass(frozen=True)
class _Provenance:
    """What the recipe says about an adapter; the defaults hold without a recipe."""

    name: PassName = "sft"
    """The pass that made it."""
    adapters: tuple[Path, ...] = ()
    """Folders of the adapters it was trained on top of, oldest first, and its own."""
    records: tuple[str, ...] = ()
    """Ids of the records they have learned."""
    pairs: frozenset[str] | None = None
    """Ids of the pairs that the reward model was trained on; None if unknown."""


def import_adapter(plan: Plan, directory: Path, run_control: RunControl) -> PassDone:
    """Make a version of the adapter or reward model in `directory`.

    Args:
        plan: Gives the base, the settings and the exam; none of its passes is run.

    Raises:
        TuteeError: it does not fit this base, or is damaged.
        Cancelled: `run_control` was cancelled.
    """
    source = directory.expanduser().absolute()
    config = _checked_config(source)
    origin = _provenance(plan, source)
    samples = RunSamples(plan)
    metrics = {"added_from": source.name}
    if config.get("task_type") == "SEQ_CLS":
        return _import_reward_model(plan, source, origin, samples, run_control, metrics)
    with tempfile.TemporaryDirectory() as scratch:
        adapter = _stacked(source, origin.adapters, Path(scratch))
        model = _fitting(plan, source, adapter, load_model(plan.adapters.folder))
    taught = [record for record in plan.sft.train if record.id in origin.records]
    examiner = Examiner(
        replace(samples.exam, taught=samples.taught(taught)),
        run_control,
        report.base_figures(plan.adapters.dir),
        keep=partial(report.write_base_figures, plan.adapters.dir),
    )
    before = examiner.before(model)
    trained = replace(
        _imported(model, samples), before=before, after=examiner.after(model), base=before
    )
    learned = LearnedRecords(origin.records)
    return save_version(plan, BASE, origin.name, trained, learned, metrics)


def _import_reward_model(
    plan: Plan,
    source: Path,
    origin: _Provenance,
    samples: RunSamples,
    run_control: RunControl,
    metrics: dict[str, Any],
) -> PassDone:
    from core.training import reward

    if origin.pairs is None:
        raise TuteeError(
            _(
                "The adapter in {source} is a reward model without a recipe, so it is unknown "
                "which pairs it has seen, and its accuracy on others cannot be measured."
            ).format(source=source),
            _("Train it with `tutee recipe`, and add it from the recipe's folder."),
        )
    model = _fitting(plan, source, source, reward.load_base(plan.adapters.folder, seed=0))
    held_out = [pair for pair in plan.reward.held_out if pair.id not in origin.pairs]
    pairs = samples.pairs(held_out)
    groups = group_numbers(held_out)
    measured = reward.measure(
        model, list(pairs.values()), run_control, [groups[name] for name in pairs]
    )
    trained = replace(_imported(model, samples), metrics=measured)
    learned = LearnedRecords(tuple(sorted(origin.pairs)), measured=tuple(pairs))
    return save_version(plan, BASE, "reward", trained, learned, metrics)


def _imported(model: Any, samples: RunSamples) -> Trained:
    """Return the result of a training that was not measured."""
    return Trained(
        model, samples.tokenizer, steps=0, losses=(), seconds=0.0, tokens=0, trained_tokens=0
    )


def _checked_config(source: Path) -> Mapping[str, Any]:
    """Return the PEFT config in `source`; refuse all but LoRA with weights in safetensors."""
    config = json_file.read(source / "adapter_config.json")
    if config is None:
        raise TuteeError(
            _("{source} contains no adapter: it has no adapter_config.json.").format(source=source),
            _("Give the folder that PEFT or TRL saved the adapter to, such as `out/sft`."),
        )
    if not (source / _WEIGHTS).is_file():
        pickled = (source / _PICKLED).exists()
        raise TuteeError(
            _("The adapter in {source} has no {file}.").format(source=source, file=_WEIGHTS),
            _(
                "Its weights are pickled, which can run code when opened: save it again as "
                "safetensors."
            )
            if pickled
            else _("Wait for its training to finish."),
        )
    if config.get("peft_type") != "LORA":
        raise TuteeError(
            _("The adapter in {source} is {kind}; Tutee uses LoRA.").format(
                source=source, kind=config.get("peft_type") or _("of an unknown kind")
            )
        )
    return config


def _provenance(plan: Plan, source: Path) -> _Provenance:
    """Return what the recipe that `source` lies in, if any, says about it.

    Raises:
        TuteeError: the recipe is for another base or template, or lacks an adapter below this one.
    """
    parents = (source, *source.parents[:3])
    root = next((parent for parent in parents if (parent / RECIPE_FILE).is_file()), None)
    recipe = json_file.read(root / RECIPE_FILE) if root else None
    if root is None or recipe is None:
        return _Provenance(adapters=(source,))
    folder = plan.adapters.folder
    if recipe.get("revision") != folder.revision:
        raise TuteeError(
            _("The recipe of {source} is for {other}, not for {model}.").format(
                source=source, other=recipe.get("model"), model=folder.id
            ),
            _("Choose that model (Ctrl+O, or `tutee --model`) and add it again."),
        )
    if recipe.get("template") != hash_template(chat_template(folder) or ""):
        raise TuteeError(
            _(
                "The recipe of {source} was written for a different chat template than the one "
                "{model} has now, so the adapter would misread every prompt."
            ).format(source=source, model=folder.label),
            _("Write the recipe again and retrain."),
        )
    names = {command: name for name, command in COMMANDS.items()}
    command = next((part for part in reversed(source.parts) if part in names), "sft")
    chain = [command]
    while before := recipe.get("begins", {}).get(chain[0]):
        chain.insert(0, before)
    earlier = [root / "out" / one for one in chain[:-1]]
    for adapter in earlier:
        if json_file.read(adapter / "adapter_config.json") is None:
            raise TuteeError(
                _(
                    "The adapter in {source} was trained on top of the one in {other}, which is "
                    "missing."
                ).format(source=source, other=adapter),
                _("Copy back the whole recipe folder, then add it again."),
            )
        _checked_config(adapter)
    learned = [record for one in chain for record in recipe.get("passes", {}).get(one, ())]
    pairs = recipe.get("reward_pairs")
    return _Provenance(
        name=names[command],
        adapters=(*earlier, source),
        records=tuple(dict.fromkeys(learned)),
        pairs=None if pairs is None else frozenset(pairs),
    )


def _stacked(source: Path, adapters: Sequence[Path], scratch: Path) -> Path:
    """Return the folder with the sum of `adapters`: `scratch`, or that of the only one."""
    if len(adapters) == 1:
        return adapters[0]
    try:
        stack(adapters, scratch)
    except TuteeError:
        raise
    except Exception as error:  # damaged files fail in too many ways to list
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise TuteeError(
            _("The adapter in {source} does not fit those it was trained on: {said}").format(
                source=source, said=said
            ),
            _("Copy back the whole recipe folder, then add it again."),
        ) from error
    return scratch


def _fitting(plan: Plan, source: Path, adapter: Path, base: Any) -> Any:
    """Return `base` with the adapter in `adapter`, each of whose tensors was loaded.

    PEFT skips tensors that do not match the model, with no more than a warning.

    Args:
        source: The folder that the user gave, for errors.

    Raises:
        TuteeError: the adapter does not fit the base, or holds NaN or infinity.
    """
    import torch
    from peft import PeftModel, get_peft_model_state_dict
    from safetensors.torch import load_file

    folder = plan.adapters.folder
    try:
        given = load_file(adapter / _WEIGHTS)
        with warnings.catch_warnings(action="ignore"):
            model = PeftModel.from_pretrained(base, str(adapter))
    except Exception as error:  # damaged files fail in too many ways to list
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise TuteeError(
            _("The adapter in {source} does not fit {model}: {said}").format(
                source=source, model=folder.label, said=said
            ),
            _("Choose the model it was trained on, then add it again."),
        ) from error
    loaded = get_peft_model_state_dict(model, save_embedding_layers=False)
    unmatched = sorted(given.keys() ^ loaded.keys())
    if unmatched:
        raise TuteeError(
            _(
                "The adapter in {source} does not fit {model}: {count} of its tensors have "
                "no counterpart, among them {tensor}."
            ).format(source=source, model=folder.label, count=len(unmatched), tensor=unmatched[0]),
            _("Choose the model it was trained on, then add it again."),
        )
    broken = [name for name, values in given.items() if not torch.isfinite(values).all()]
    if broken:
        raise TuteeError(
            _(
                "The adapter in {source} contains invalid values (NaN or infinity), in {tensor}."
            ).format(source=source, tensor=broken[0]),
            _("Its training diverged; train again with a lower learning rate."),
        )
    use_bf16_base(model)  # as in training here, whose figures of the base it is compared with
    return model.eval()
