"""Write a plan as a folder that TRL's own commands can train elsewhere, for example on a cluster.

    recipe/
      README.md            the exact commands
      requirements.txt     pinned
      base/                the model, with its tokenizer and chat template
      data/sft/train.jsonl and, if records are held out, test.jsonl; one folder per pass
      sft.yaml …           one per pass, for `trl sft --config sft.yaml`
      merge.py             run between two passes when the second continues the first
      recipe.json          what `tutee adapters add` needs to know of the adapters that come back

As in a run here, SFT, KTO, DPO and RL each continue the one before: they start from the base with
the earlier adapters merged in (`core.adapters.stack`). The reward model starts from the base, and
RL needs it.

Left out on purpose: packed rows and sharing the processor with a chat, which are for a small
machine, and the gate, which runs when the adapter comes back. TRL's commands cannot do some of what
a pass does here; the recipe's README says what.
"""

import json
import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version as library_version
from pathlib import Path
from typing import Any

from core.adapters.compatibility import hash_template
from core.adapters.new_folder import unused_folder
from core.adapters.stack import MERGE_SCRIPT
from core.config import Tuning
from core.events import PassName
from core.models.folder import ModelFolder, chat_template
from core.runs.pass_duration import with_minimum_steps
from core.runs.plan import RECORD_PASSES, Plan
from core.training.learning import DECAY, SCHEDULE
from core.training.lora import FUSED_TARGETS, TARGETS
from data.export_tables import line
from data.formats.trl import row
from data.tokenization import TEMPLATE_OPTIONS
from data.training_split import with_system
from store.errors import TuteeError
from store.i18n import N_, _
from store.records import ChatMessage, Record

RECIPE_FILE = "recipe.json"
COMMANDS: dict[PassName, str] = {
    "sft": "sft",
    "kto": "kto",
    "dpo": "dpo",
    "reward": "reward",
    "rl": "rloo",
}
"""TRL's name for each pass, after which its files are named too."""
_CHAINED: tuple[PassName, ...] = ("sft", "kto", "dpo", "rl")
"""The passes that continue one another, in order."""
_LIBRARIES = ("torch", "transformers", "trl", "peft", "accelerate", "datasets", "safetensors")


@dataclass(frozen=True)
class Recipe:
    path: Path
    passes: dict[str, int]
    """Number of rows to train on, by TRL's name of the pass."""


def write(plan: Plan, directory: Path) -> Recipe:
    """Write the wanted passes of `plan` to `directory`, which must not exist or be empty.

    Raises:
        TuteeError: no pass is wanted, something is at `directory`, or it cannot be written.
    """
    plan.require_wanted()
    target = unused_folder(directory)
    try:
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write_base(plan.adapters.folder, target / "base")
        passes = {COMMANDS[p.name]: _write_pass(plan, p.name, target) for p in plan.wanted}
        if any(_predecessors(plan).values()):
            _write_file(target / "merge.py", MERGE_SCRIPT)
        pins = [f"{name}=={library_version(name).partition('+')[0]}" for name in _LIBRARIES]
        _write_file(target / "requirements.txt", "\n".join(pins) + "\n")
        _write_file(target / RECIPE_FILE, json.dumps(_facts(plan), indent=2) + "\n")
        _write_file(target / "README.md", _readme(plan, passes))
    except OSError as error:
        raise TuteeError(
            _("The recipe could not be written to {target}: {why}.").format(
                target=target, why=error
            )
        ) from error
    return Recipe(target, passes)


def _write_base(folder: ModelFolder, target: Path) -> None:
    """Put the model's files into `target`, as hard links where possible to save space."""
    target.mkdir(mode=0o700)
    for path in sorted(folder.path.iterdir()):
        if path.is_file() and not path.name.startswith("."):
            try:
                os.link(path.resolve(), target / path.name)  # a hub's cache consists of symlinks
            except OSError:
                shutil.copy2(path, target / path.name)
    template = target / "chat_template.jinja"
    if not template.exists():
        _write_file(template, chat_template(folder) or "")


def _predecessors(plan: Plan) -> dict[str, str]:
    """Return the pass that each pass continues, both by TRL's names; empty for the base."""
    chained = [COMMANDS[p.name] for p in plan.wanted if p.name in _CHAINED]
    return {COMMANDS[p.name]: "" for p in plan.wanted} | dict(
        zip(chained[1:], chained, strict=False)
    )


# -- the passes ------------------------------------------------------------------------------------


def _write_pass(plan: Plan, name: PassName, target: Path) -> int:
    """Write the rows and the settings of one pass, and return the number of rows it trains on."""
    command = COMMANDS[name]
    data = target / "data" / command
    data.mkdir(mode=0o700, parents=True)
    train, test = _rows(plan, name)
    _write_file(data / "train.jsonl", "".join(map(line, train)))
    if test:
        _write_file(data / "test.jsonl", "".join(map(line, test)))
    settings = _settings(plan, name, len(train), tested=bool(test))
    lines = (f"{key}: {json.dumps(value)}\n" for key, value in settings.items())  # JSON is YAML
    _write_file(target / f"{command}.yaml", "".join(lines))
    return len(train)


def _rows(plan: Plan, name: PassName) -> tuple[list[Any], list[Any]]:
    """Return the rows to train on and the held-out rows."""
    if name == "rl":
        return _prompt_rows(plan.rl.train, plan), _prompt_rows(plan.rl.held_out, plan)
    records = plan.records(name)
    return _record_rows(records.train, plan), _record_rows(records.held_out, plan)


def _record_rows(records: Iterable[Record], plan: Plan) -> list[Any]:
    options = _template_options(plan)
    prompts = [(record, with_system(record.prompt, plan.system_prompt)) for record in records]
    return [
        row(record.model_copy(update={"prompt": prompt})) | options for record, prompt in prompts
    ]


def _prompt_rows(prompts: Iterable[Sequence[ChatMessage]], plan: Plan) -> list[Any]:
    return [
        {"prompt": [message.model_dump() for message in with_system(prompt, plan.system_prompt)]}
        for prompt in prompts
    ]


def _template_options(plan: Plan) -> dict[str, Any]:
    """Return the column, and RLOO's setting, with the variables that the chat template reads."""
    template = chat_template(plan.adapters.folder) or ""
    options = {name: value for name, value in TEMPLATE_OPTIONS.items() if name in template}
    return {"chat_template_kwargs": options} if options else {}


def _settings(plan: Plan, name: PassName, rows: int, *, tested: bool) -> dict[str, Any]:
    """Return the content of a pass's YAML, under TRL's names."""
    settings, command = plan.settings, COMMANDS[name]
    minimum_steps = (
        settings.sft.minimum_steps if name == "sft" else settings.preference.minimum_steps
    )
    rates = {
        "sft": settings.sft.learning_rate,
        "reward": settings.reward.learning_rate,
        "rl": settings.rl.learning_rate,
    }
    before = _predecessors(plan)[command]
    epochs = with_minimum_steps(settings, rows, minimum_steps).epochs
    batch = max(settings.batch_size, 2)
    schedule: dict[str, Any] = {"lr_scheduler_type": "constant_with_warmup"}
    if name == "sft":
        steps = epochs * -(-rows // batch)
        falling = {"num_decay_steps": int(steps * DECAY), "decay_type": "linear"}
        schedule = {"lr_scheduler_type": SCHEDULE, "lr_scheduler_kwargs": falling}
    return {
        "model_name_or_path": f"merged/{before}" if before else "base",
        "dataset_name": f"data/{command}",
        "output_dir": f"out/{command}",
        "learning_rate": rates.get(name, settings.preference.learning_rate),
        **schedule,
        "warmup_steps": settings.warmup,
        "num_train_epochs": epochs,
        "per_device_train_batch_size": batch,
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
        **_pass_settings(plan, name),
    }


def _pass_settings(plan: Plan, name: PassName) -> dict[str, Any]:
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
                **_template_options(plan),
            }
    return {"max_length": settings.max_length}


def _targets(folder: ModelFolder) -> list[str]:
    """Return the names of the model's layers that get a LoRA adapter."""
    from safetensors import safe_open

    layers: set[str] = set()
    for path in folder.path.glob("*.safetensors"):
        with safe_open(path, framework="numpy") as file:
            layers.update(key.split(".")[-2] for key in file.keys() if "." in key)  # noqa: SIM118
    return [name for name in (*TARGETS, *FUSED_TARGETS) if name in layers]


# -- recipe.json and README ------------------------------------------------------------------------


def _facts(plan: Plan) -> dict[str, Any]:
    folder = plan.adapters.folder
    learned: dict[PassName, list[str]] = {
        name: [record.id for record in plan.records(name).unlearned]
        for name in RECORD_PASSES
        if name != "reward"
    }
    return {
        "model": folder.id,
        "revision": folder.revision,
        "template": hash_template(chat_template(folder) or ""),
        "settings": plan.settings.model_dump(),
        "passes": {COMMANDS[p.name]: learned.get(p.name, []) for p in plan.wanted},
        "begins": _predecessors(plan),
        "reward_pairs": [record.id for record in plan.reward.train],
    }


_README = N_(
    """# Train {model} with TRL

Written by Tutee. This folder holds everything needed; copy it to the machine that will train.

| pass | rows |
|---|---|
{rows}

```sh
pip install -r requirements.txt
{commands}
```

Run these commands in this folder. They write LoRA adapters to `out/`. On a machine without a
graphics card, add `--use_cpu` to the `trl` commands.
{onward}
On several graphics cards or machines, use the same files with TRL's own launcher settings (`fsdp2`,
`zero2`, `zero3`, …) or with accelerate:

```sh
trl {first} --config {first}.yaml --accelerate_config fsdp2 --num_processes 8
accelerate launch --num_processes 8 --module trl.scripts.{first} --config {first}.yaml
```

The batch size is per process: with 8 processes an epoch has an eighth of the steps, and
`num_decay_steps` in `sft.yaml` must be an eighth, too. If the base is too large for the card, add
`--load_in_4bit` (QLoRA; needs `pip install bitsandbytes`).

## What TRL's commands do not do

The same rows and settings, but not the very training that Tutee does itself:

- Tutee rehearses short replies of the base, to keep what it knows. Without that, an adapter changes
  more than it was taught.
- Tutee's SFT ends when every reply is learned, and counts a short reply as much as a long one. TRL
  takes all the steps, and averages over tokens.
- Tutee reads control tokens that people typed (`<|im_end|>`) letter by letter. TRL takes them for
  the end of a turn, so delete such rows before you train.

## Back home

Bring the whole folder home and add the results. They become versions after the same checks,
exam and gate as versions trained there:

```sh
{added}
```

An adapter includes what the passes before it have learned.
"""
)


def _readme(plan: Plan, passes: dict[str, int]) -> str:
    predecessors = _predecessors(plan)
    order = [COMMANDS[p.name] for p in plan.wanted]
    lines = []
    for name in order:
        lines.append(f"trl {name} --config {name}.yaml")
        if name in predecessors.values():
            lines.append(f"python merge.py {name}")
    commands, first = "\n".join(lines), order[0]
    notes = ""
    if any(predecessors.values()):
        notes = _(
            "\n`merge.py` merges a pass's adapter into the model it was trained on; the next pass"
            " starts from the\nresult, so keep the order.\n"
        )
    if "rloo" in passes:
        notes += _(
            "\n`rloo.yaml` samples replies that the reward model in `out/reward` scores: train that"
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
        onward=notes,
        first=first,
        added=added,
    )


def _write_file(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
