"""What was trained elsewhere is checked before it becomes a version."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from core.evaluation import report
from core.models.loading import load_model
from core.recipes.import_adapter import import_adapter
from core.runs.plan import Plan
from core.runs.samples import RunSamples
from core.training import bf16_base, exam, lora
from core.training.exam import Examiner
from core.training.run_control import RunControl
from store.errors import TuteeError
from tests.core.recipes.conftest import CONFIG


@pytest.fixture
def trained(recipe: Path, plan: Plan) -> Path:
    """An adapter in the recipe's folder, as if TRL had trained it."""
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
            "out/kto, which is missing",
        ),
        (lambda path: on_top_of(path, r=4, bias="all"), "cannot be combined with others"),
        (lambda path: on_top_of(path, weights=b"x" * 99), "does not fit those it was trained on"),
        (lambda path: edit(path / "adapter_config.json", r=2), "here it must be 2 x 64"),
        (lambda path: (path / "adapter_model.safetensors").write_bytes(b"x" * 99), "does not fit"),
        (rename_a_tensor, "no counterpart"),
        (spoil_weights, "invalid values (NaN"),
        (
            lambda path: edit(path / "../../recipe.json", revision="r9", model="other-1"),
            "for other",
        ),
        (lambda path: edit(path / "../../recipe.json", template="0"), "different chat template"),
        (
            lambda path: edit(path / "../../recipe.json", begins={"sft": "kto", "kto": "sft"}),
            "recipe.json is damaged: `begins` names sft",
        ),
        (
            lambda path: edit(path / "../../recipe.json", begins={"sft": "../../../etc"}),
            "recipe.json is damaged: `begins` names ../../../etc",
        ),
        (lambda path: edit(path / "../../recipe.json", begins=[1]), "damaged: `begins`"),
        (lambda path: edit(path / "../../recipe.json", passes={"sft": 5}), "damaged: `passes.sft`"),
        (lambda path: edit(path / "../../recipe.json", reward_pairs=7), "damaged: `reward_pairs`"),
        (lambda path: edit(path / "../../recipe.json", model=["x"]), "damaged: `model`"),
    ],
)
def test_what_does_not_fit_is_refused_and_leaves_nothing(
    trained: Path, plan: Plan, spoil: Callable[[Path], object], said: str
) -> None:
    spoil(trained)
    with pytest.raises(TuteeError) as caught:
        import_adapter(plan, trained, RunControl())
    assert said in str(caught.value)
    assert plan.adapters.versions() == []


def test_an_adapter_without_a_recipe_is_taken_as_it_is(
    trained: Path, plan: Plan, tmp_path: Path
) -> None:
    shutil.move(trained, tmp_path / "elsewhere")
    done = import_adapter(plan, tmp_path / "elsewhere", RunControl())
    manifest = plan.adapters.manifest(done.version)
    assert manifest.records == ()
    assert manifest.metrics["added_from"] == "elsewhere"
    assert done.activatable  # it has not learned anything yet, so nothing got worse


def test_it_is_examined_as_the_base_was(
    trained: Path, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a base in bfloat16, where training here has that: an adapter that changes nothing has
    the very loss that is kept of the base."""
    monkeypatch.setattr(bf16_base, "has_bf16_instructions", lambda: True)
    monkeypatch.setattr(exam, "PROBE_TOKENS", 2)
    base = lora.policy(load_model(plan.adapters.folder), None, CONFIG.tuning)
    examiner = Examiner(RunSamples(plan).exam, RunControl())
    plan.adapters.dir.mkdir(parents=True)
    report.write_base_figures(plan.adapters.dir, examiner.before(base))
    done = import_adapter(plan, trained, RunControl())
    directory = plan.adapters.path(done.version)
    assert directory is not None
    found = report.read(directory)
    assert found.after.probe_loss == found.before.probe_loss


def test_a_reward_model_that_nobody_can_vouch_for_is_refused(trained: Path, plan: Plan) -> None:
    edit(trained / "adapter_config.json", task_type="SEQ_CLS")
    (trained / "../../recipe.json").unlink()
    with pytest.raises(TuteeError, match="which pairs it has seen"):
        import_adapter(plan, trained, RunControl())
    assert plan.adapters.versions("reward") == []
