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
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from core import json_file
from core.adapters import conversion
from core.adapters.compatibility import hash_template
from core.adapters.manifest import BASE
from core.adapters.peft_files import WEIGHTS, keeps_base
from core.adapters.stack import stack
from core.evaluation import report
from core.events import PassDone, PassName
from core.models.folder import ModelFolder, chat_template
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
from store.error_messages import validation_message
from store.errors import TuteeError
from store.i18n import _


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


class _Recipe(BaseModel):
    """What `recipe.json` says (`core.recipes.export`); other keys are not needed here."""

    model: str = ""
    revision: str = ""
    template: str = ""
    begins: dict[str, str | None] = {}
    """The pass that each pass starts from, by command."""
    passes: dict[str, tuple[str, ...]] = {}
    """Ids of the records of each pass, by command."""
    reward_pairs: tuple[str, ...] | None = None


def import_adapter(plan: Plan, directory: Path, run_control: RunControl) -> PassDone:
    """Make a version of the adapter or reward model in `directory`.

    Args:
        plan: Gives the base, the settings and the exam; none of its passes is run.

    Raises:
        TuteeError: it does not fit this base, or is damaged.
        Cancelled: `run_control` was cancelled.
    """
    source = directory.expanduser().absolute()
    config = conversion.read_config(source)
    origin = _provenance(plan, source)
    samples = RunSamples(plan)
    metrics = {"added_from": source.name}
    if config.get("task_type") == "SEQ_CLS":
        return _import_reward_model(plan, source, origin, samples, run_control, metrics)
    with tempfile.TemporaryDirectory() as scratch:
        model = _adapted(plan, source, config, origin.adapters, Path(scratch))
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
    model = _fitting(
        plan.adapters.folder, source, source, reward.load_base(plan.adapters.folder, seed=0)
    )
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


def _read_recipe(path: Path) -> _Recipe:
    try:
        return _Recipe.model_validate(json_file.read(path))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise _damaged(path, f"`{key}`: {validation_message(first)}") from error


def _damaged(recipe: Path, why: str) -> TuteeError:
    return TuteeError(
        _("The recipe {path} is damaged: {why}.").format(path=recipe, why=why),
        _("Write the recipe again, or move the adapter's folder out of it to add it without."),
    )


def _adapted(
    plan: Plan,
    source: Path,
    config: Mapping[str, Any],
    adapters: Sequence[Path],
    scratch: Path,
) -> Any:
    """Return the base with the adapter in `source`, and with those it was trained on top of.

    Raises:
        TuteeError: it does not fit this base, or is damaged.
    """
    folder = plan.adapters.folder
    if len(adapters) > 1:
        stacked = scratch / "stacked"
        with _misfit(
            _("The adapter in {source} does not fit those it was trained on: {said}"),
            _("Copy back the whole recipe folder, then add it again."),
            source=source,
        ):
            stack(adapters, stacked)
        return _fitting(folder, source, stacked, load_model(folder))
    base = load_model(folder)
    title, hint = _other_base()
    with _misfit(title, hint, source=source, model=folder.label):
        adapter = conversion.in_peft_form(source, config, base, scratch / "peft")
        if not keeps_base(config):
            adapter = conversion.without_moved_weights(adapter, base, scratch / "added")
            base = load_model(folder)
    return _fitting(folder, source, adapter, base)


def _provenance(plan: Plan, source: Path) -> _Provenance:
    """Return what the recipe that `source` lies in, if any, says about it.

    Raises:
        TuteeError: the recipe is for another base or template, or lacks an adapter below this one.
    """
    parents = (source, *source.parents[:3])
    root = next((parent for parent in parents if (parent / RECIPE_FILE).is_file()), None)
    if root is None:
        return _Provenance(adapters=(source,))
    recipe = _read_recipe(root / RECIPE_FILE)
    folder = plan.adapters.folder
    if recipe.revision != folder.revision:
        raise TuteeError(
            _("The recipe of {source} is for {other}, not for {model}.").format(
                source=source, other=recipe.model, model=folder.id
            ),
            _("Choose that model (Ctrl+O, or `tutee --model`) and add it again."),
        )
    if recipe.template != hash_template(chat_template(folder) or ""):
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
    while before := recipe.begins.get(chain[0]):
        if before in chain or before not in names:
            raise _damaged(root / RECIPE_FILE, _("`begins` names {other}").format(other=before))
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
        conversion.read_config(adapter)
    learned = [record for one in chain for record in recipe.passes.get(one, ())]
    pairs = recipe.reward_pairs
    return _Provenance(
        name=names[command],
        adapters=(*earlier, source),
        records=tuple(dict.fromkeys(learned)),
        pairs=None if pairs is None else frozenset(pairs),
    )


def _other_base() -> tuple[str, str]:
    return (
        _("The adapter in {source} does not fit {model}: {said}"),
        _("Choose the model it was trained on, then add it again."),
    )


@contextmanager
def _misfit(title: str, hint: str, **names: object) -> Iterator[None]:
    """Raise what goes wrong in the block as an error with this title, which has a field `said`."""
    try:
        yield
    except TuteeError:
        raise
    except Exception as error:  # damaged files fail in too many ways to list
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise TuteeError(title.format(said=said, **names), hint) from error


def _fitting(folder: ModelFolder, source: Path, adapter: Path, base: Any) -> Any:
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

    title, hint = _other_base()
    with _misfit(title, hint, source=source, model=folder.label):
        given = load_file(adapter / WEIGHTS)
        with warnings.catch_warnings(action="ignore"):
            model = PeftModel.from_pretrained(base, str(adapter))
    loaded = get_peft_model_state_dict(model, save_embedding_layers=False)
    unmatched = sorted(given.keys() ^ loaded.keys())
    if unmatched:
        raise TuteeError(
            _(
                "The adapter in {source} does not fit {model}: {count} of its tensors have "
                "no counterpart, among them {tensor}."
            ).format(source=source, model=folder.label, count=len(unmatched), tensor=unmatched[0]),
            hint,
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
