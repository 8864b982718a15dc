"""Whatever a pass does, the serving model replies token for token as before."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from core.adapters.registry import Adapters
from core.events import Event, PassName, StepReport
from core.models.folder import ModelFolder
from core.runs import run
from core.runs.plan import make_plan
from core.runtime.scheduler import Cancelled
from core.serving.engine import Engine
from core.training.run_control import RunControl
from core.training.trainer import PassProgress
from store.errors import TuteeError
from store.records import ChatMessage, Record, Sampling
from tests.core import killed
from tests.core.runs.test_run import instructions, pairs, thumbs

GREEDY = Sampling(temperature=0, repetition_penalty=1.0, max_new_tokens=24)
ASKED = ["hello 1", "the quick fox", "你好"]
Ending = AbstractContextManager[Any]
RECORDS: list[Record] = [*instructions(8), *thumbs(4, 4), *pairs(40)]


@pytest.fixture(scope="module")
def taught(tiny_folder: ModelFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Versions to start from: an adapter, and a reward model that passed its gate."""
    models = tmp_path_factory.mktemp("taught")
    adapters = Adapters(models, tiny_folder)
    with killed.conditions():
        plan = make_plan(
            RECORDS[4:], adapters, killed.CONFIG, frozenset[PassName]({"sft", "reward"})
        )
        run.run(plan, RunControl())
    adapters.use("v1")
    return models


@pytest.fixture
def adapters(taught: Path, tiny_folder: ModelFolder, tmp_path: Path) -> Adapters:
    shutil.copytree(taught, tmp_path / "models")
    return Adapters(tmp_path / "models", tiny_folder)


@pytest.fixture(autouse=True)
def conditions() -> Iterator[None]:
    with killed.conditions():
        yield


def cancel(run_control: RunControl, monkeypatch: pytest.MonkeyPatch) -> Ending:
    def emit(event: Event) -> None:
        if isinstance(event, StepReport):
            run_control.cancel()

    run_control.emit = emit
    return pytest.raises(Cancelled)


def fail(run_control: RunControl, monkeypatch: pytest.MonkeyPatch) -> Ending:
    real = PassProgress.micro_batch

    def spoilt(self: PassProgress, loss: float, accumulation: int, steps: int) -> None:
        real(self, float("nan") if len(self.losses) == 1 else loss, accumulation, steps)

    monkeypatch.setattr(PassProgress, "micro_batch", spoilt)
    return pytest.raises(TuteeError, match="pass became nan")


def finish(run_control: RunControl, monkeypatch: pytest.MonkeyPatch) -> Ending:
    return nullcontext()


def hashes(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("end", [finish, fail, cancel])
@pytest.mark.parametrize("name", killed.PASSES)
def test_a_pass_leaves_the_serving_model_untouched(
    name: PassName,
    end: Callable[[RunControl, pytest.MonkeyPatch], Ending],
    adapters: Adapters,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    engine = Engine(adapters.folder, adapters.path("v1"))

    def replies() -> list[str]:
        asked = [(ChatMessage(role="user", content=text),) for text in ASKED]
        return [
            *engine.batch(asked, GREEDY, 0),
            *("".join(engine.stream(a, GREEDY, 0)) for a in asked),
        ]

    before, tokenizer = (
        replies(),
        engine.tokenizer.init_kwargs | engine.tokenizer.special_tokens_map,
    )
    on_disk, base = hashes(adapters.dir), hashes(adapters.folder.path)
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    plan = make_plan(RECORDS, adapters, killed.CONFIG, frozenset([name]), rebuild=name == "reward")
    run_control = RunControl()
    ending = end(run_control, monkeypatch)
    capfd.readouterr()
    with ending:
        run.run(plan, run_control)
    assert capfd.readouterr() == ("", "")
    assert replies() == before
    assert engine.tokenizer.init_kwargs | engine.tokenizer.special_tokens_map == tokenizer
    assert hashes(adapters.folder.path) == base
    assert adapters.active() == "v1"
    assert list(Path.cwd().iterdir()) == []
    # What an earlier version answered in the exam is kept beside it.
    new = {path for path in hashes(adapters.dir) if path not in on_disk} - {"v1/exam.json"}
    assert {path: hashes(adapters.dir)[path] for path in on_disk} == on_disk
    made = {Path(path).parts[0] for path in new}
    assert made == (set() if end is not finish else {"r2" if name == "reward" else "v2"})
    assert not [path for path in new if "ref" in Path(path).parts]
