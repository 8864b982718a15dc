"""TRL's own commands run a recipe as it is; what comes back is checked and becomes a version."""

import importlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from core.adapters.registry import Adapters
from core.config import Config, RLTuning, Tuning
from core.evaluation.report import read
from core.events import PassName
from core.models.folder import ModelFolder, find
from core.models.loading import load_tokenizer
from core.recipes import export, import_adapter
from core.runs.plan import PASSES, Plan, make_plan
from core.training.run_control import RunControl
from data.tokenization import encode_prompt
from store.errors import TuteeError
from store.records import ChatMessage, Instruction, Preference, Record, Verdict

BIN = Path(sys.executable).parent
CONFIG = Config(tuning=Tuning(max_length=512, rank=4, alpha=8, rl=RLTuning(steps=2)))


def asked(number: int) -> tuple[ChatMessage, ...]:
    return (ChatMessage(role="user", content=f"hello {number}"),)


def records(count: int) -> list[Record]:
    return [
        record
        for n in range(count)
        for record in (
            Instruction(prompt=asked(n), completion="positive"),
            Preference(prompt=asked(n), chosen="yes yes", rejected="no 42"),
            Verdict(prompt=asked(n), completion="fox", label=n % 3 == 0),
        )
    ]


@pytest.fixture
def plan(tiny_folder: ModelFolder, tmp_path: Path) -> Plan:
    adapters = Adapters(tmp_path / "models", tiny_folder)
    return make_plan(records(12), adapters, CONFIG, frozenset(PASSES), rebuild=True)


@pytest.fixture
def recipe(plan: Plan, tmp_path: Path) -> Path:
    return export.write(plan, tmp_path / "recipe").path


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
    assert [turn["role"] for turn in row["prompt"]] == ["system", "user"]
    tokenizer = load_tokenizer(plan.adapters.folder)
    turns = [ChatMessage(**turn) for turn in row["prompt"]]
    rendered = tokenizer.apply_chat_template(
        row["prompt"], add_generation_prompt=True, return_dict=False
    )
    assert encode_prompt(tokenizer, turns) == rendered


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
    done = import_adapter.add(plan, recipe / "out" / name, RunControl())
    manifest = plan.adapters.manifest(done.version)
    assert (done.version, manifest.pass_name, manifest.parent) == ("v1", name, "base")
    learned = plan.sft.unlearned if name == "sft" else plan.kto.unlearned
    assert set(manifest.records) == {record.id for record in learned}
    directory = plan.adapters.path("v1")
    assert directory is not None
    report = read(directory)
    assert report.before.exam == report.after.exam
    assert report.before.probe_loss != report.after.probe_loss
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

    reward = import_adapter.add(plan, recipe / "out" / "reward", RunControl())
    held_out = [pair.id for pair in plan.reward.held_out]
    assert reward.version == "r1"
    assert reward.metrics["holdout_pairs"] == len(held_out) > 8
    low, high = reward.metrics["holdout_interval"]
    assert low <= reward.metrics["holdout_accuracy"] <= high
    assert (adapters.trusted_reward_model() is not None) == (low > 0.5)
    assert adapters.manifest("r1").measured == tuple(held_out)

    done = import_adapter.add(plan, recipe / "out" / "rloo", RunControl())
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


def test_a_reward_model_that_nobody_can_vouch_for_is_refused(trained: Path, plan: Plan) -> None:
    edit(trained / "adapter_config.json", task_type="SEQ_CLS")
    (trained / "../../recipe.json").unlink()
    with pytest.raises(TuteeError, match="which pairs it has seen"):
        import_adapter.add(plan, trained, RunControl())
    assert plan.adapters.versions("reward") == []


def test_what_is_there_already_is_left_alone(plan: Plan, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").touch()
    with pytest.raises(TuteeError, match="is there already"):
        export.write(plan, tmp_path / "mine")


def test_without_records_there_is_no_recipe(tiny_folder: ModelFolder, tmp_path: Path) -> None:
    plan = make_plan([], Adapters(tmp_path, tiny_folder), CONFIG)
    with pytest.raises(TuteeError, match="nothing to train"):
        export.write(plan, tmp_path / "recipe")


# -- what does not come back -----------------------------------------------------------------------


@pytest.fixture
def trained(recipe: Path, plan: Plan) -> Path:
    """An adapter in the recipe's folder, as if TRL had trained it."""
    from core.models.loading import load_model
    from core.training import lora

    model = lora.policy(load_model(plan.adapters.folder), None, CONFIG.tuning)
    model.save_pretrained(recipe / "out" / "sft")
    return recipe / "out" / "sft"


def edit(path: Path, **values: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def spoil_weights(path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    weights = load_file(path / "adapter_model.safetensors")
    weights[next(iter(weights))][0] = float("nan")
    save_file(weights, path / "adapter_model.safetensors")


def rename_a_tensor(path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    weights = load_file(path / "adapter_model.safetensors")
    name = next(iter(weights))
    weights[name.replace("layers.0", "layers.9")] = weights.pop(name)
    save_file(weights, path / "adapter_model.safetensors")


def on_top_of(path: Path, weights: bytes = b"", **values: object) -> None:
    """Have the adapter lie on top of another one, which is spoiled."""
    below = path.parent / "kto"
    shutil.copytree(path, below)
    edit(path / "../../recipe.json", begins={"sft": "kto"})
    edit(below / "adapter_config.json", **values)
    if weights:
        (below / "adapter_model.safetensors").write_bytes(weights)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda path: (path / "adapter_config.json").unlink(), "has no adapter_config.json"),
        (
            lambda path: (path / "adapter_model.safetensors").rename(path / "adapter_model.bin"),
            "can run code when opened",
        ),
        (lambda path: edit(path / "adapter_config.json", peft_type="IA3"), "is IA3"),
        (lambda path: edit(path / "adapter_config.json", task_type="SEQ_CLS"), "does not fit"),
        (
            lambda path: edit(path / "../../recipe.json", begins={"sft": "kto"}),
            "out/kto, which is not there",
        ),
        (lambda path: on_top_of(path, r=4, bias="all"), "cannot be added to another one"),
        (lambda path: on_top_of(path, weights=b"x" * 99), "do not make one"),
        (lambda path: edit(path / "adapter_config.json", r=2), "does not fit tiny-llama"),
        (lambda path: (path / "adapter_model.safetensors").write_bytes(b"x" * 99), "does not fit"),
        (rename_a_tensor, "no counterpart"),
        (spoil_weights, "no numbers (NaN)"),
        (
            lambda path: edit(path / "../../recipe.json", revision="r9", model="other-1"),
            "for other",
        ),
        (lambda path: edit(path / "../../recipe.json", template="0"), "another chat template"),
    ],
)
def test_what_does_not_fit_is_refused_and_leaves_nothing(
    trained: Path, plan: Plan, spoil: Callable[[Path], object], said: str
) -> None:
    spoil(trained)
    with pytest.raises(TuteeError) as caught:
        import_adapter.add(plan, trained, RunControl())
    assert said in str(caught.value)
    assert plan.adapters.versions() == []


def test_an_adapter_without_a_recipe_is_taken_as_it_is(
    trained: Path, plan: Plan, tmp_path: Path
) -> None:
    shutil.move(trained, tmp_path / "elsewhere")
    done = import_adapter.add(plan, tmp_path / "elsewhere", RunControl())
    manifest = plan.adapters.manifest(done.version)
    assert manifest.records == ()
    assert manifest.metrics["added_from"] == "elsewhere"
    assert done.adoptable  # it has not learned anything yet, so nothing got worse
