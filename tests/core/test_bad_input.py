"""Whatever goes wrong in a pass: it ends, says what to do, and what was there is untouched."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from core.adapters.manifest import Manifest, write_manifest
from core.adapters.registry import Adapters
from core.config import Config, PreferenceTuning, SFTTuning, Tuning
from core.events import PassName, TuningDone, TuningFailed
from core.models.folder import ModelFolder, find
from core.runs import run, saved_run
from core.runs.plan import Plan, make_plan
from core.runs.samples import RunSamples
from core.runtime.scheduler import Scheduler
from core.training import memory_budget
from core.training.memory_budget import ModelShape, TooLittleMemory
from core.training.result import Trained
from core.training.run_control import RunControl
from core.training.trainer import ControlledTrainer
from core.workers.tuning import TuningWorker
from store.errors import TuteeError
from store.records import Instruction, Preference, Record, Verdict
from tests.conftest import make_tiny_model
from tests.core import killed
from tests.core.ears import PATIENCE, Ears
from tests.core.runs.test_run import instructions, pairs, prompt, thumbs
from tests.core.runs.test_saved_run import made

SETTINGS = Tuning(
    epochs=2,
    sft=SFTTuning(minimum_steps=4),
    preference=PreferenceTuning(minimum_steps=4),
    max_length=256,
)


@pytest.fixture(autouse=True)
def conditions() -> Iterator[None]:
    with killed.conditions():
        yield


@pytest.fixture
def adapters(tmp_path: Path, tiny_folder: ModelFolder) -> Adapters:
    """With a version to go on from."""
    found = Adapters(tmp_path / "models", tiny_folder)
    run.run(plan_for(found, instructions(4, "negative")), RunControl())
    found.use("v1")
    return found


def plan_for(
    adapters: Adapters, records: list[Any], *names: PassName, settings: Tuning = SETTINGS
) -> Plan:
    config = Config(tuning=settings)
    return make_plan(records, adapters, config, frozenset(names) or None)


def refused(plan: Plan, match: str) -> TuteeError:
    """Run `plan`, see that it fails as it should, and that it left nothing."""
    versions, active = plan.adapters.versions(), plan.adapters.active()
    with pytest.raises(TuteeError, match=match) as caught:
        run.run(plan, RunControl())
    assert caught.value.hint
    assert plan.adapters.versions() == versions
    assert plan.adapters.active() == active
    return caught.value


def test_a_disk_that_fills_at_save_time_costs_nothing_but_the_time_to_resume(
    adapters: Adapters, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    records: list[Record] = [*instructions(6)]

    def full(self: Trained, directory: Path) -> None:
        (directory / "adapter_model.safetensors").write_bytes(b"half")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Trained, "save", full)
        error = refused(plan_for(adapters, records), "No space left on device")
    assert "Make room" in error.hint
    assert not list(adapters.dir.glob("*.partial"))
    found = saved_run.unfinished(adapters, records)
    assert found is not None
    assert (found.under_way() or ())[:2] == ("sft", 4)  # all of it: only the exam is left
    run.resume(found, RunControl())

    import shutil

    shutil.copytree(adapters.dir / "v2", tmp_path / "kept")
    shutil.rmtree(adapters.dir / "v2")
    run.run(plan_for(adapters, records), RunControl())
    weights = "adapter_model.safetensors"
    assert (tmp_path / "kept" / weights).read_bytes() == made(adapters, "v2")["weights"]


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    ],
)
def test_out_of_memory_says_so_and_can_be_resumed(
    adapters: Adapters, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    real: Callable[..., Any] = ControlledTrainer.training_step

    def exhausted(self: Any, *arguments: Any) -> Any:
        if self.state.global_step == 3:
            raise error
        return real(self, *arguments)

    records: list[Record] = [*instructions(6)]
    with monkeypatch.context() as patched:
        patched.setattr(ControlledTrainer, "training_step", exhausted)
        assert "smaller model" in refused(plan_for(adapters, records), "ran out of memory").hint
    found = saved_run.unfinished(adapters, records)
    assert found is not None
    assert (found.under_way() or ())[:2] == ("sft", 2)


def test_another_defect_is_not_taken_for_a_lack_of_memory(
    adapters: Adapters, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Any, *arguments: Any) -> Any:
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(ControlledTrainer, "training_step", broken)
    with pytest.raises(RuntimeError, match="shapes do not match"):
        run.run(plan_for(adapters, instructions(6)), RunControl())


def test_what_the_data_refuses_is_not_offered_again(
    adapters: Adapters, monkeypatch: pytest.MonkeyPatch
) -> None:
    records: list[Record] = [*thumbs(5, 0)]
    refused(plan_for(adapters, records, "kto"), "same way")
    assert saved_run.unfinished(adapters, records) is None


def test_a_pass_without_a_single_record_is_not_begun(adapters: Adapters) -> None:
    refused(plan_for(adapters, instructions(6), "dpo", "reward", "kto"), "too little new")


# -- too long --------------------------------------------------------------------------------------


@pytest.fixture
def short_context(tmp_path: Path) -> Adapters:
    """Versions of a model whose context is shorter than the settings would have a sample."""
    path = tmp_path / "short"
    make_tiny_model(path)
    config = path / "config.json"
    text = config.read_text()
    assert '"max_position_embeddings": 1024' in text
    config.write_text(text.replace("1024", "128"))
    return Adapters(tmp_path / "models", find(str(path), tmp_path, lambda event: None))


def test_what_is_longer_than_the_context_is_left_out(short_context: Adapters) -> None:
    long = "fox " * 60
    fits = [*instructions(1), *thumbs(1, 0), *pairs(1)]
    too_long = [
        Instruction(prompt=prompt("hi"), completion=long),
        Verdict(prompt=prompt("hi"), completion=long, label=True),
        Preference(prompt=prompt("hi"), chosen="yes", rejected=long),
    ]
    run_samples = RunSamples(plan_for(short_context, [*fits, *too_long]))
    assert run_samples.limit == 128
    found = run_samples.replies([fits[0], too_long[0], fits[1], too_long[1]])  # type: ignore[list-item]
    assert set(found) == {fits[0].id, fits[1].id}
    assert set(run_samples.pairs([fits[2], too_long[2]])) == {fits[2].id}  # type: ignore[list-item]
    assert len(run_samples.prompts([prompt("hi"), prompt(long)])) == 1


def test_only_replies_longer_than_the_context_are_refused(short_context: Adapters) -> None:
    too_long = [Instruction(prompt=prompt(f"hi {n}"), completion="fox " * 60) for n in range(4)]
    error = refused(plan_for(short_context, too_long), "longer than 128 tokens")
    assert "context" in error.hint


# -- RL --------------------------------------------------------------------------------------------


@pytest.fixture
def judged(adapters: Adapters, monkeypatch: pytest.MonkeyPatch) -> Adapters:
    """With a reward model that finds every reply as good as any other."""
    with adapters.new_version("reward") as (version, directory):
        write_manifest(
            directory,
            Manifest(
                version=version,
                kind="reward",
                model=adapters.folder.id,
                revision=adapters.folder.revision,
                metrics={"passed": True},
            ),
        )
    monkeypatch.setattr(
        "core.training.reward.Scorer", lambda *_: lambda samples: [1.0 for _ in samples]
    )
    return adapters


def test_rewards_that_are_all_alike_end_rl(judged: Adapters) -> None:
    plan = plan_for(judged, instructions(8), "rl", settings=killed.CONFIG.tuning)
    assert "varied pairs" in refused(plan, "same reward").hint


def test_only_prompts_that_leave_no_room_for_a_reply_are_refused(judged: Adapters) -> None:
    settings = killed.CONFIG.tuning.model_copy(
        update={"rl": killed.CONFIG.tuning.rl.model_copy(update={"max_new_tokens": 250})}
    )
    refused(plan_for(judged, instructions(8), "rl", settings=settings), "longer than 256 tokens")


def test_fewer_prompts_than_a_step_takes_make_smaller_steps(
    judged: Adapters, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "core.training.reward.Scorer", lambda *_: lambda samples: list(range(len(samples)))
    )
    settings = killed.CONFIG.tuning.model_copy(
        update={"rl": killed.CONFIG.tuning.rl.model_copy(update={"prompts": 8})}
    )
    run.run(plan_for(judged, instructions(3), "rl", settings=settings), RunControl())
    assert judged.versions()[-1].pass_name == "rl"
    assert judged.versions()[-1].metrics["steps"] == settings.rl.steps


# -- memory ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sft", "kto", "dpo", "reward", "rl"])
def test_a_pass_that_would_not_fit_is_refused_and_can_be_resumed(
    name: PassName, judged: Adapters, monkeypatch: pytest.MonkeyPatch
) -> None:
    records: list[Record] = [*instructions(8), *thumbs(4, 4), *pairs(20)]
    monkeypatch.setattr(memory_budget, "_free", lambda: 300_000_000)
    error = refused(plan_for(judged, records, name), rf"The {name} pass needs about 0\.3 GB")
    assert isinstance(error, TooLittleMemory)
    assert "smaller model" in error.hint
    found = saved_run.unfinished(judged, records)
    assert found is not None
    assert found.under_way() == (name, 0, 0)


SMOLLM2 = ModelShape(134_515_008, 305_280, 30, 576, 1536, 9, 49_152)
"""Of the built-in model."""


@pytest.mark.parametrize(
    ("name", "tokens", "trained", "measured"),
    [
        ("sft", 215, 93, 1321),
        ("sft", 455, 213, 1914),
        ("sft", 935, 453, 3487),
        ("kto", 270, 106, 1341),
        ("dpo", 263, 156, 1493),
        ("reward", 488, 0, 1911),
        ("rl", 234, 133, 1861),
    ],
)
def test_the_estimate_is_what_was_measured(
    name: PassName, tokens: int, trained: int, measured: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Peak resident memory in MiB, on a CPU."""
    monkeypatch.setattr(memory_budget, "_cuda", lambda: False)
    need = memory_budget.needed(name, SMOLLM2, Tuning(), tokens, trained)
    assert need / 2**20 == pytest.approx(measured, rel=0.1)


def test_the_shape_is_read_from_the_model(
    builtin_folder: ModelFolder, tiny_folder: ModelFolder
) -> None:
    from core.models.loading import load_model

    assert memory_budget.read_shape(builtin_folder) == SMOLLM2
    tiny = memory_budget.read_shape(tiny_folder)
    assert tiny is not None
    assert tiny.weights == sum(p.numel() for p in load_model(tiny_folder).parameters())


def test_a_model_of_unknown_shape_is_not_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    folder = ModelFolder(tmp_path, "x", "x", "x")
    assert memory_budget.read_shape(folder) is None
    memory_budget.require_memory("sft", folder, Tuning(), 10**9, 10**9)


# -- in the worker ---------------------------------------------------------------------------------


def test_the_app_is_told_and_can_resume(
    adapters: Adapters, monkeypatch: pytest.MonkeyPatch
) -> None:
    ears = Ears()
    worker = TuningWorker(ears, Scheduler())
    records: list[Record] = [*instructions(6)]
    with monkeypatch.context() as patched:
        patched.setattr(memory_budget, "_free", lambda: 0)
        worker.start(plan_for(adapters, records))
        assert "sft pass needs" in ears.wait_for(TuningFailed).error.title
    found = saved_run.unfinished(adapters, records)
    assert found is not None
    worker.resume(found)
    assert [done.version for done in ears.wait_for(TuningDone).passes] == ["v2"]
    assert worker.close(PATIENCE)
