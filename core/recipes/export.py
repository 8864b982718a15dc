"""A folder that trains elsewhere what would be trained here, on a cluster too, by TRL's commands.

    recipe/
      README.md            the exact commands
      requirements.txt     pinned
      base/                the model, with its tokenizer and chat template
      data/sft/train.jsonl and test.jsonl, where something is held out; one folder a pass
      sft.yaml …           one a pass, for `trl sft --config sft.yaml`
      merge.py             between two passes, where one goes on from the other
      recipe.json          what `tutee adapters add` asks of what comes back

As here, each pass that makes the model write goes on from the one before: it begins from the base
with that one's adapter merged in (`core.adapters.stack`). The reward model begins from the base,
and RL needs it.

Left out on purpose: packed rows, turns beside a chat, and the gate. The first two are for a small
machine; the gate is asked when the adapter comes back.
"""

import json
import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version as library_version
from pathlib import Path
from typing import Any

from core.adapters.registry import hashed
from core.adapters.stack import MERGE
from core.config import Tuning
from core.events import PassName
from core.models.folder import ModelFolder, chat_template
from core.runs.plan import Plan, Selection, repeated
from core.training.lora import FUSED_TARGETS, TARGETS
from data.export_tables import line
from data.formats.trl import row
from data.training_split import with_system
from store.errors import TuteeError
from store.i18n import N_, _
from store.records import ChatMessage, Record

FILE = "recipe.json"
COMMANDS: dict[PassName, str] = {
    "sft": "sft",
    "kto": "kto",
    "dpo": "dpo",
    "reward": "reward",
    "rl": "rloo",
}
"""TRL's name for each pass, which is that of its files here, too."""
_WRITING: tuple[PassName, ...] = ("sft", "kto", "dpo", "rl")
"""Passes whose adapter writes, in the order in which one goes on from another."""
_LIBRARIES = ("torch", "transformers", "trl", "peft", "accelerate", "datasets", "safetensors")


@dataclass(frozen=True)
class Recipe:
    """What was written."""

    path: Path
    passes: dict[str, int]
    """Rows to train on, by TRL's name of the pass."""


def write(plan: Plan, directory: Path) -> Recipe:
    """Write the wanted passes of `plan` to `directory`, which must not exist or be empty.

    Raises:
        TuteeError: no pass is wanted, something is at `directory`, or it cannot be written.
    """
    if not plan.wanted:
        missing = _("; ").join(f"{p.name}: {p.missing}" for p in plan.passes if p.missing)
        raise TuteeError(
            _("There is nothing to train yet."), _("So far: {missing}.").format(missing=missing)
        )
    target = directory.expanduser().absolute()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise TuteeError(
            _("{target} is there already.").format(target=target), _("Name a new folder.")
        )
    try:
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        _give_base(plan.adapters.folder, target / "base")
        passes = {COMMANDS[p.name]: _write_pass(plan, p.name, target) for p in plan.wanted}
        if any(_begins(plan).values()):
            _text(target / "merge.py", MERGE)
        pins = [f"{name}=={library_version(name).partition('+')[0]}" for name in _LIBRARIES]
        _text(target / "requirements.txt", "\n".join(pins) + "\n")
        _text(target / FILE, json.dumps(_facts(plan), indent=2) + "\n")
        _text(target / "README.md", _readme(plan, passes))
    except OSError as error:
        raise TuteeError(
            _("The recipe could not be written to {target}: {why}.").format(
                target=target, why=error
            )
        ) from error
    return Recipe(target, passes)


def _give_base(folder: ModelFolder, target: Path) -> None:
    """The model's files, which take no room where they can be the same ones on the disk."""
    target.mkdir(mode=0o700)
    for path in sorted(folder.path.iterdir()):
        if path.is_file() and not path.name.startswith("."):
            try:
                os.link(path.resolve(), target / path.name)  # a hub's cache is full of links
            except OSError:
                shutil.copy2(path, target / path.name)
    template = target / "chat_template.jinja"
    if not template.exists():
        _text(template, chat_template(folder) or "")


def _begins(plan: Plan) -> dict[str, str]:
    """The pass that each one goes on from, both by TRL's names; empty for the base."""
    writing = [COMMANDS[p.name] for p in plan.wanted if p.name in _WRITING]
    begins = {COMMANDS[p.name]: "" for p in plan.wanted}
    return begins | dict(zip(writing[1:], writing, strict=False))


# -- the passes ------------------------------------------------------------------------------------


def _write_pass(plan: Plan, name: PassName, target: Path) -> int:
    """The rows and the settings of one pass; how many rows it trains on."""
    command = COMMANDS[name]
    data = target / "data" / command
    data.mkdir(mode=0o700, parents=True)
    train, test = _rows(plan, name)
    _text(data / "train.jsonl", "".join(map(line, train)))
    if test:
        _text(data / "test.jsonl", "".join(map(line, test)))
    settings = _settings(plan, name, len(train), tested=bool(test))
    lines = (f"{key}: {json.dumps(value)}\n" for key, value in settings.items())  # JSON is YAML
    _text(target / f"{command}.yaml", "".join(lines))
    return len(train)


def _rows(plan: Plan, name: PassName) -> tuple[list[Any], list[Any]]:
    """What is trained on, and what is held out."""
    if name == "rl":
        return _asked(plan.rl.train, plan), _asked(plan.rl.held_out, plan)
    selections: dict[str, Selection[Any]] = {
        "sft": plan.sft,
        "kto": plan.kto,
        "dpo": plan.dpo,
        "reward": plan.reward,
    }
    chosen = selections[name]
    return _written(chosen.train, plan), _written(chosen.held_out, plan)


def _written(records: Iterable[Record], plan: Plan) -> list[Any]:
    found = []
    for record in records:
        prompt = with_system(record.prompt, plan.system_prompt)
        found.append(row(record.model_copy(update={"prompt": prompt})))
    return found


def _asked(prompts: Iterable[Sequence[ChatMessage]], plan: Plan) -> list[Any]:
    return [
        {"prompt": [turn.model_dump() for turn in with_system(prompt, plan.system_prompt)]}
        for prompt in prompts
    ]


def _settings(plan: Plan, name: PassName, rows: int, *, tested: bool) -> dict[str, Any]:
    """What the YAML of a pass says, in TRL's words."""
    settings, command = plan.settings, COMMANDS[name]
    least = settings.sft.minimum_steps if name == "sft" else settings.preference.minimum_steps
    rates = {
        "sft": settings.sft.learning_rate,
        "reward": settings.reward.learning_rate,
        "rl": settings.rl.learning_rate,
    }
    before = _begins(plan)[command]
    return {
        "model_name_or_path": f"merged/{before}" if before else "base",
        "dataset_name": f"data/{command}",
        "output_dir": f"out/{command}",
        "learning_rate": rates.get(name, settings.preference.learning_rate),
        "lr_scheduler_type": "constant_with_warmup",
        "warmup_steps": 0.1,
        "num_train_epochs": repeated(settings, rows, least).epochs,
        "per_device_train_batch_size": max(settings.batch_size, 2),
        "gradient_accumulation_steps": 1,
        "seed": settings.seed,
        "logging_steps": 1,
        "save_strategy": "epoch",
        "save_total_limit": 1,
        "eval_strategy": "epoch" if tested and name != "rl" else "no",
        "report_to": "none",
        "use_peft": True,
        "lora_r": settings.rank,
        "lora_alpha": settings.alpha,
        "lora_dropout": settings.dropout,
        "lora_target_modules": _targets(plan.adapters.folder),
        **_own(plan, name),
    }


def _own(plan: Plan, name: PassName) -> dict[str, Any]:
    """What only this pass has."""
    settings: Tuning = plan.settings
    match name:
        case "dpo":
            return {
                "max_length": settings.max_length,
                "beta": settings.preference.beta,
                "loss_type": ["sigmoid", "sft"],
                "loss_weights": [1.0, settings.preference.sft_weight],
            }
        case "kto":
            likes = sum(verdict.label for verdict in plan.kto.train)
            dislikes = len(plan.kto.train) - likes
            return {
                "max_length": settings.max_length,
                "beta": settings.preference.beta,
                "desirable_weight": max(1.0, dislikes / max(likes, 1)),
                "undesirable_weight": max(1.0, likes / max(dislikes, 1)),
            }
        case "reward":
            return {"max_length": settings.max_length, "lora_task_type": "SEQ_CLS"}
        case "rl":
            return {
                "reward_model_name_or_path": "out/reward",
                "max_steps": settings.rl.steps,
                "num_generations": settings.rl.generations,
                "per_device_train_batch_size": settings.rl.prompts * settings.rl.generations,
                "max_completion_length": settings.rl.max_new_tokens,
                "beta": settings.rl.beta,
                "mask_truncated_completions": True,
                "disable_dropout": True,
            }
    return {"max_length": settings.max_length}


def _targets(folder: ModelFolder) -> list[str]:
    """The layers that LoRA is put on, of those that the model has."""
    from safetensors import safe_open

    there: set[str] = set()
    for path in folder.path.glob("*.safetensors"):
        with safe_open(path, framework="numpy") as file:
            there.update(key.split(".")[-2] for key in file.keys() if "." in key)  # noqa: SIM118
    return [name for name in (*TARGETS, *FUSED_TARGETS) if name in there]


# -- what goes with them ---------------------------------------------------------------------------


def _facts(plan: Plan) -> dict[str, Any]:
    folder = plan.adapters.folder
    learned: dict[str, list[str]] = {
        "sft": [record.id for record in plan.sft.unlearned],
        "kto": [record.id for record in plan.kto.unlearned],
        "dpo": [record.id for record in plan.dpo.unlearned],
    }
    return {
        "model": folder.id,
        "revision": folder.revision,
        "template": hashed(chat_template(folder) or ""),
        "settings": plan.settings.model_dump(),
        "passes": {COMMANDS[p.name]: learned.get(p.name, []) for p in plan.wanted},
        "begins": _begins(plan),
        "reward_pairs": [record.id for record in plan.reward.train],
    }


_README = N_(
    """# Train {model} with TRL

Written by Tutee. Everything needed is in this folder; copy it to where it is to be trained.

| pass | rows |
|---|---|
{rows}

```sh
pip install -r requirements.txt
{commands}
```

Run them in this folder. They write LoRA adapters to `out/`. On a machine without a graphics card,
add `--use_cpu` to the commands of `trl`.
{onward}
On several graphics cards or machines, the same files with TRL's own launcher settings (`fsdp2`,
`zero2`, `zero3`, …) or with accelerate's:

```sh
trl {first} --config {first}.yaml --accelerate_config fsdp2 --num_processes 8
accelerate launch --num_processes 8 --module trl.scripts.{first} --config {first}.yaml
```

The batch is per process: with 8 of them, an eighth of `num_train_epochs` makes as many steps. For a
base that is too large for the card, add `--load_in_4bit` (QLoRA; needs `pip install bitsandbytes`).

Back home, with the whole folder, what was trained becomes a version again after the same checks,
exam and gate as one that was trained there:

```sh
{added}
```

An adapter brings along what the passes before it have learned.
"""
)


def _readme(plan: Plan, passes: dict[str, int]) -> str:
    begins = _begins(plan)
    order = [COMMANDS[p.name] for p in plan.wanted]
    lines = []
    for name in order:
        lines.append(f"trl {name} --config {name}.yaml")
        if name in begins.values():
            lines.append(f"python merge.py {name}")
    commands, first = "\n".join(lines), order[0]
    onward = ""
    if any(begins.values()):
        onward = _(
            "\n`merge.py` adds what a pass has learned to the model it began from; the next pass"
            " begins from the\nsum, so keep the order.\n"
        )
    if "rloo" in passes:
        onward += _(
            "\n`rloo.yaml` draws replies that the reward model in `out/reward` scores: train that"
            " first.\n"
        )
    rows = "\n".join(f"| {name} | {count:,} |" for name, count in passes.items())
    last = [name for name in order if name != "reward"][-1:]
    back = [*(["reward"] if "reward" in order else []), *last]
    added = "\n".join(f"tutee adapters add out/{name}" for name in back)
    return _(_README).format(
        model=plan.adapters.folder.label,
        rows=rows,
        commands=commands,
        onward=onward,
        first=first,
        added=added,
    )


def _text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
