"""TRL's own commands run a recipe as it is; what comes back is checked and becomes a version."""

import importlib
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from core.adapters.registry import Adapters
from core.evaluation.report import read
from core.events import PassName
from core.models.folder import ModelFolder, find
from core.models.loading import load_tokenizer
from core.recipes import export
from core.recipes.import_adapter import import_adapter
from core.runs.plan import PASSES, Plan, make_plan
from core.training.learning import DECAY, SCHEDULE
from core.training.run_control import RunControl
from data.tokenization import encode_prompt
from store.errors import TuteeError
from store.records import ChatMessage
from tests.core.recipes.conftest import CONFIG, records
from tests.families import FAMILIES, make

BIN = Path(sys.executable).parent


def run(folder: Path, *command: str) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1"}
    ran = subprocess.run(
        [str(BIN / command[0]), *command[1:]],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert ran.returncode == 0, ran.stderr[-2000:]


def test_it_holds_everything_and_is_private(recipe: Path, tiny_folder: ModelFolder) -> None:
    names = {path.name for path in recipe.iterdir()}
    yamls = {"sft.yaml", "kto.yaml", "dpo.yaml", "reward.yaml", "rloo.yaml"}
    assert names == yamls | {
        "base",
        "data",
        "requirements.txt",
        "recipe.json",
        "README.md",
        "merge.py",
    }
    base = find(str(recipe / "base"), recipe, lambda event: None)
    assert base.revision == tiny_folder.revision
    pins = (recipe / "requirements.txt").read_text().splitlines()
    assert "trl==1.16.0" in pins
    assert all("==" in pin for pin in pins)
    assert recipe.stat().st_mode & 0o777 == 0o700
    assert (recipe / "data" / "sft" / "train.jsonl").stat().st_mode & 0o777 == 0o600
    readme = (recipe / "README.md").read_text()
    for name in yamls:
        assert f"trl {name.removesuffix('.yaml')} --config {name}" in readme


def test_the_rows_are_rendered_as_the_chat_does(recipe: Path, plan: Plan) -> None:
    (row, *_) = map(json.loads, (recipe / "data/sft/train.jsonl").read_text().splitlines())
    assert [message["role"] for message in row["prompt"]] == ["system", "user"]
    tokenizer = load_tokenizer(plan.adapters.folder)
    messages = [ChatMessage(**message) for message in row["prompt"]]
    rendered = tokenizer.apply_chat_template(
        row["prompt"], add_generation_prompt=True, return_dict=False
    )
    assert encode_prompt(tokenizer, messages) == rendered


def test_the_learning_rate_of_sft_falls_as_it_does_here(recipe: Path, plan: Plan) -> None:
    said = dict(line.split(": ", 1) for line in (recipe / "sft.yaml").read_text().splitlines())
    rows, settings = len(plan.sft.train), plan.settings
    steps = int(said["num_train_epochs"]) * -(-rows // settings.batch_size)
    assert json.loads(said["lr_scheduler_type"]) == SCHEDULE
    falling = {"num_decay_steps": int(steps * DECAY), "decay_type": "linear"}
    assert json.loads(said["lr_scheduler_kwargs"]) == falling
    assert json.loads(said["warmup_steps"]) == settings.warmup


def test_a_model_that_can_think_is_asked_not_to(tmp_path: Path) -> None:
    """TRL renders each pass's rows as Tutee does."""
    from trl.data_utils import maybe_apply_chat_template

    qwen3 = next(family for family in FAMILIES if family.name == "qwen3")
    make(qwen3, tmp_path / "qwen3")
    folder = find(str(tmp_path / "qwen3"), tmp_path, lambda event: None)
    adapters = Adapters(tmp_path / "models", folder)
    plan = make_plan(records(12), adapters, CONFIG, frozenset(PASSES), rebuild=True)
    recipe = export.write(plan, tmp_path / "recipe").path
    tokenizer = load_tokenizer(folder)
    for command in ("sft", "kto", "dpo", "reward"):
        (row, *_) = map(json.loads, (recipe / f"data/{command}/train.jsonl").open())
        rendered = maybe_apply_chat_template(row, tokenizer)
        messages = [ChatMessage(**message) for message in row["prompt"]]
        assert rendered["prompt"].endswith("<think>\n\n</think>\n\n")
        assert tokenizer.decode(encode_prompt(tokenizer, messages)) == rendered["prompt"]
    parser = importlib.import_module("trl.scripts.rloo").make_parser()
    arguments = ["--config", str(recipe / "rloo.yaml"), "--use_cpu"]
    parsed = parser.parse_args_and_config(arguments)
    (training,) = (one for one in parsed if hasattr(one, "chat_template_kwargs"))
    assert training.chat_template_kwargs == {"enable_thinking": False}


@pytest.mark.parametrize("command", export.COMMANDS.values())
def test_trl_understands_every_line(command: str, recipe: Path) -> None:
    parser = importlib.import_module(f"trl.scripts.{command}").make_parser()
    arguments = ["--config", str(recipe / f"{command}.yaml"), "--use_cpu"]
    *parsed, rest = parser.parse_args_and_config(arguments, return_remaining_strings=True)
    assert rest == []
    training = next(one for one in parsed if hasattr(one, "learning_rate"))
    assert training.output_dir == f"out/{command}"
    model = next(one for one in parsed if hasattr(one, "lora_r"))
    assert (model.lora_r, model.lora_alpha, model.use_peft) == (4, 8, True)


@pytest.mark.parametrize("name", ["sft", "kto"])
def test_two_processes_of_accelerate_run_it_and_the_adapter_comes_back(
    name: PassName, tiny_folder: ModelFolder, tmp_path: Path
) -> None:
    adapters = Adapters(tmp_path / "models", tiny_folder)
    plan = make_plan(records(12), adapters, CONFIG, frozenset({name}), rebuild=True)
    recipe = export.write(plan, tmp_path / "recipe").path
    launch = ("accelerate", "launch", "--cpu", "--num_processes", "2")
    run(recipe, *launch, "--module", f"trl.scripts.{name}", "--config", f"{name}.yaml", "--use_cpu")
    done = import_adapter(plan, recipe / "out" / name, RunControl())
    manifest = plan.adapters.manifest(done.version)
    assert (done.version, manifest.pass_name, manifest.parent) == ("v1", name, "base")
    learned = plan.sft.unlearned if name == "sft" else plan.kto.unlearned
    assert set(manifest.records) == {record.id for record in learned}
    directory = plan.adapters.path("v1")
    assert directory is not None
    report = read(directory)
    assert report.before.drift == 0
    assert report.after.drift
    asked = [answer.wanted for answer in report.after.taught]
    assert bool(asked) == (name == "sft")
    for file in ("adapter_config.json", "adapter_model.safetensors", "tokenizer.json"):
        assert (directory / file).is_file()


def test_the_commands_of_its_readme_run_in_their_order_and_each_result_comes_back(
    tiny_folder: ModelFolder, tmp_path: Path
) -> None:
    adapters = Adapters(tmp_path / "models", tiny_folder)
    plan = make_plan(records(80), adapters, CONFIG, frozenset(PASSES), rebuild=True)
    recipe = export.write(plan, tmp_path / "recipe").path
    (block, *_) = re.findall(
        r"```sh\npip install.*?\n(.*?)```", (recipe / "README.md").read_text(), re.S
    )
    commands = [shlex.split(line) for line in block.splitlines()]
    assert [command[1] for command in commands] == [
        "sft",
        "merge.py",
        "kto",
        "merge.py",
        "dpo",
        "merge.py",
        "reward",
        "rloo",
    ]
    for command in commands:
        quick = ("--use_cpu", "--max_steps", "2") if command[0] == "trl" else ()
        run(recipe, *command, *quick)

    reward = import_adapter(plan, recipe / "out" / "reward", RunControl())
    held_out = [pair.id for pair in plan.reward.held_out]
    assert reward.version == "r1"
    assert reward.metrics["holdout_pairs"] == len(held_out) > 8
    low, high = reward.metrics["holdout_interval"]
    assert low <= reward.metrics["holdout_accuracy"] <= high
    assert (adapters.trusted_reward_model() is not None) == reward.metrics["passed"]
    assert adapters.manifest("r1").measured == tuple(held_out)

    done = import_adapter(plan, recipe / "out" / "rloo", RunControl())
    manifest = adapters.manifest(done.version)
    learned = {r.id for r in (*plan.sft.unlearned, *plan.kto.unlearned, *plan.dpo.unlearned)}
    assert (manifest.pass_name, manifest.parent, set(manifest.records)) == ("rl", "base", learned)
    assert same_logits(tiny_folder, adapters.path("v1"), recipe / "merged/dpo", recipe / "out/rloo")


def same_logits(base: ModelFolder, adapter: Path | None, begun: Path, last: Path) -> bool:
    """Whether an adapter on the base says what the last one of a line does where it began."""
    import torch
    from peft import PeftModel

    from core.models.loading import load_model

    ids = torch.arange(3, 40)[None]
    there = ModelFolder(begun, "", "", "")
    with torch.inference_mode():
        one = PeftModel.from_pretrained(load_model(base), str(adapter))(ids).logits
        line = PeftModel.from_pretrained(load_model(there), str(last))(ids).logits
    return torch.allclose(one, line, atol=1e-3)


def test_what_is_there_already_is_left_alone(plan: Plan, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").touch()
    with pytest.raises(TuteeError, match="already exists"):
        export.write(plan, tmp_path / "mine")


def test_without_records_there_is_no_recipe(tiny_folder: ModelFolder, tmp_path: Path) -> None:
    plan = make_plan([], Adapters(tmp_path, tiny_folder), CONFIG)
    with pytest.raises(TuteeError, match="nothing to train"):
        export.write(plan, tmp_path / "recipe")
