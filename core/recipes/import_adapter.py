"""Take an adapter that was trained elsewhere as a version, after the checks a pass goes through.

It must be LoRA in safetensors whose every tensor has its place in this base; where a recipe lies
beside it (`core.recipes.export`), it must be of this base's revision and chat template, and the
version counts the recipe's records as learned. Where it was trained on top of others of the recipe,
they are added to it. Then it sits the exam, and the gate decides whether it may answer by itself.

A reward model is taken from a recipe only, which says which pairs it was trained on: its gate is
its accuracy on others, that were held out here.
"""

import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from core import json_file
from core.adapters.registry import BASE, hashed
from core.adapters.stack import stack
from core.evaluation import report
from core.events import PassDone, PassName
from core.models.folder import chat_template
from core.models.loading import load_model
from core.recipes.export import COMMANDS, FILE
from core.runs.plan import Plan
from core.runs.samples import Lessons
from core.runs.save_version import Learned, save
from core.training.exam import Examiner
from core.training.result import Trained
from core.training.run_control import RunControl
from store.errors import TuteeError
from store.i18n import _

_WEIGHTS = "adapter_model.safetensors"
_PICKLED = "adapter_model.bin"


@dataclass(frozen=True)
class _Provenance:
    """Where an adapter comes from, by the recipe it lies in."""

    name: PassName = "sft"
    """The pass that made it."""
    adapters: tuple[Path, ...] = ()
    """Those it was trained on top of, the first one first, and itself."""
    records: tuple[str, ...] = ()
    """Ids of what they have learned."""
    pairs: frozenset[str] | None = None
    """Ids of the pairs that the reward model was trained on; None where nobody can tell."""


def add(plan: Plan, directory: Path, run_control: RunControl) -> PassDone:
    """Make a version of the adapter or reward model in `directory`.

    Args:
        plan: For the base, the settings and what the exam asks; none of its passes is run.

    Raises:
        TuteeError: it is none of this base; the hint says what it is.
        Cancelled: `run_control` was cancelled.
    """
    source = directory.expanduser().absolute()
    config = _refuse(source)
    origin = _provenance(plan, source)
    lessons = Lessons(plan)
    figures = {"added_from": source.name}
    if config.get("task_type") == "SEQ_CLS":
        return _add_reward_model(plan, source, origin, lessons, run_control, figures)
    with tempfile.TemporaryDirectory() as scratch:
        model = _on_base(plan, source, _stacked(source, origin.adapters, Path(scratch)))
    examiner = Examiner(lessons.exam, run_control, report.known(plan.adapters.dir))
    with model.disable_adapter():
        before = examiner.before(model)
    trained = replace(_elsewhere(model, lessons), before=before, after=examiner.after(model))
    return save(plan, BASE, origin.name, trained, Learned(origin.records), figures)


def _add_reward_model(
    plan: Plan,
    source: Path,
    origin: _Provenance,
    lessons: Lessons,
    run_control: RunControl,
    figures: dict[str, Any],
) -> PassDone:
    from core.training import reward

    if origin.pairs is None:
        raise TuteeError(
            _(
                "The adapter in {source} is a reward model without a recipe, so nobody can "
                "tell which pairs it has seen, and its accuracy on others cannot be "
                "measured."
            ).format(source=source),
            _("Train it with `tutee recipe`, and add it from the recipe's own folder."),
        )
    model = _fitting(plan, source, source, reward.load_base(plan.adapters.folder, seed=0))
    held_out = [pair for pair in plan.reward.held_out if pair.id not in origin.pairs]
    pairs = lessons.pairs(held_out)
    measured = reward.measure(model, list(pairs.values()), run_control)
    trained = replace(_elsewhere(model, lessons), metrics=measured)
    lessons_of = Learned(tuple(sorted(origin.pairs)), measured=tuple(pairs))
    return save(plan, BASE, "reward", trained, lessons_of, figures)


def _elsewhere(model: Any, lessons: Lessons) -> Trained:
    """What was trained where nobody measured how."""
    return Trained(
        model=model,
        tokenizer=lessons.tokenizer,
        steps=0,
        losses=(),
        seconds=0.0,
        tokens=0,
        trained_tokens=0,
    )


def _refuse(source: Path) -> Mapping[str, Any]:
    """Refuse what is no LoRA adapter; its settings."""
    config = json_file.read(source / "adapter_config.json")
    if config is None:
        raise TuteeError(
            _("{source} holds no adapter: it has no adapter_config.json.").format(source=source),
            _("Give the folder that PEFT or TRL saved the adapter to, such as `out/sft`."),
        )
    if not (source / _WEIGHTS).is_file():
        pickled = (source / _PICKLED).exists()
        raise TuteeError(
            _("The adapter in {source} has no {file}.").format(source=source, file=_WEIGHTS),
            _(
                "Its weights are pickled, which can run code when opened: save it anew in "
                "safetensors form."
            )
            if pickled
            else _("Let its training end first."),
        )
    if config.get("peft_type") != "LORA":
        raise TuteeError(
            _("The adapter in {source} is {kind}; Tutee uses LoRA.").format(
                source=source, kind=config.get("peft_type") or _("of an unknown kind")
            ),
        )
    return config


def _provenance(plan: Plan, source: Path) -> _Provenance:
    """What the recipe says that `source` lies in, if it does.

    Raises:
        TuteeError: it is of another base or template, or what it was trained on top of is missing.
    """
    parents = (source, *source.parents[:3])
    place = next((parent for parent in parents if (parent / FILE).is_file()), None)
    recipe = json_file.read(place / FILE) if place else None
    if place is None or recipe is None:
        return _Provenance(adapters=(source,))
    folder = plan.adapters.folder
    if recipe.get("revision") != folder.revision:
        raise TuteeError(
            _("The recipe of {source} is for {other}, not for {model}.").format(
                source=source, other=recipe.get("model"), model=folder.id
            ),
            _("Choose that model (Ctrl+O, or `tutee --model`) and add it again."),
        )
    if recipe.get("template") != hashed(chat_template(folder) or ""):
        raise TuteeError(
            _(
                "The recipe of {source} was written for another chat template than the one "
                "{model} has now, so the adapter would read every prompt wrongly."
            ).format(source=source, model=folder.label),
            _("Write the recipe anew and train again."),
        )
    names = {command: name for name, command in COMMANDS.items()}
    command = next((part for part in reversed(source.parts) if part in names), "sft")
    line = [command]
    while before := recipe.get("begins", {}).get(line[0]):
        line.insert(0, before)
    beneath = [place / "out" / one for one in line[:-1]]
    for one in beneath:
        if json_file.read(one / "adapter_config.json") is None:
            raise TuteeError(
                _(
                    "The adapter in {source} was trained on top of that in {other}, which is not "
                    "there."
                ).format(source=source, other=one),
                _("Bring the whole folder of the recipe back, then add it again."),
            )
        _refuse(one)
    learned = [record for one in line for record in recipe.get("passes", {}).get(one, ())]
    pairs = recipe.get("reward_pairs")
    return _Provenance(
        name=names[command],
        adapters=(*beneath, source),
        records=tuple(dict.fromkeys(learned)),
        pairs=None if pairs is None else frozenset(pairs),
    )


def _stacked(source: Path, adapters: Sequence[Path], scratch: Path) -> Path:
    """The folder with the sum of `adapters`: that of the only one, or `scratch`."""
    if len(adapters) == 1:
        return adapters[0]
    try:
        stack(adapters, scratch)
    except TuteeError:
        raise
    except Exception as error:  # a damaged file fails in more ways than can be listed
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise TuteeError(
            _("The adapter in {source} and what it was trained on do not make one: {said}").format(
                source=source, said=said
            ),
            _("Bring the whole folder of the recipe back, then add it again."),
        ) from error
    return scratch


def _on_base(plan: Plan, source: Path, adapter: Path) -> Any:
    return _fitting(plan, source, adapter, load_model(plan.adapters.folder))


def _fitting(plan: Plan, source: Path, adapter: Path, base: Any) -> Any:
    """`base` with the adapter in `adapter` beside it, every tensor of which was taken up.

    PEFT leaves out what has no place in the model, and says so in a warning only.

    Args:
        source: What a person knows it as.
    """
    import torch
    from peft import PeftModel, get_peft_model_state_dict
    from safetensors.torch import load_file

    folder = plan.adapters.folder
    try:
        given = load_file(adapter / _WEIGHTS)
        with warnings.catch_warnings(action="ignore"):
            model = PeftModel.from_pretrained(base, str(adapter))
    except Exception as error:  # a damaged folder fails in peft in more ways than can be listed
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise TuteeError(
            _("The adapter in {source} does not fit {model}: {said}").format(
                source=source, model=folder.label, said=said
            ),
            _("Choose the model it was trained on, then add it again."),
        ) from error
    taken = get_peft_model_state_dict(model, save_embedding_layers=False)
    strange = sorted(given.keys() ^ taken.keys())
    if strange:
        raise TuteeError(
            _(
                "The adapter in {source} does not fit {model}: {count} of its tensors have "
                "no counterpart, among them {tensor}."
            ).format(source=source, model=folder.label, count=len(strange), tensor=strange[0]),
            _("Choose the model it was trained on, then add it again."),
        )
    broken = [name for name, values in given.items() if not torch.isfinite(values).all()]
    if broken:
        raise TuteeError(
            _(
                "The adapter in {source} holds values that are no numbers (NaN), in {tensor}."
            ).format(source=source, tensor=broken[0]),
            _("Its training went wrong; train again at a lower learning rate."),
        )
    return model.eval()
