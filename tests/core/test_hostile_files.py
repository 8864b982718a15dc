"""Files that a person brings, or that something has changed, work or are refused: no other error.

Each example changes one value somewhere in one of the JSON files to something odd.
"""

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.adapters import conversion
from core.adapters.registry import Adapters
from core.evaluation import report
from core.evaluation.report_card import build_report_card
from core.models.folder import ModelFolder, find
from core.models.loading import load_model, notice
from core.recipes.import_adapter import _provenance
from core.runs.plan import Plan
from core.serving.engine import Engine
from store.errors import TuteeError
from store.records import ChatMessage, Sampling
from tests.core.recipes.conftest import plan, recipe  # noqa: F401  # fixtures
from tests.core.serving.asking import EXACT
from tests.versions import examined_version

ODD: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    0.5,
    10**9,
    10**30,
    1e300,
    float("nan"),
    float("inf"),
    "",
    "../../etc",
    "\x1b]0;x\x07",
    [],
    [1],
    {},
    {"a": 1},
    [[[[[[]]]]]],
)
EXAMPLES = 60


def changed(value: Any, chance: random.Random) -> Any:
    """`value` with an odd value in one place, or without it."""
    if not isinstance(value, dict | list) or not value or chance.random() < 0.1:
        return chance.choice(ODD)
    copy: Any = value.copy()
    key = chance.choice(list(value)) if isinstance(value, dict) else chance.randrange(len(value))
    if chance.random() < 0.15:
        del copy[key]
    else:
        copy[key] = changed(value[key], chance)
    return copy


def spoil(files: list[Path], seed: int) -> str:
    """Change one of `files`, and return what it was changed to."""
    chance = random.Random(seed)
    file = chance.choice(files)
    odd = changed(json.loads(file.read_text(encoding="utf-8")), chance)
    text = json.dumps(odd)
    if chance.random() < 0.1:
        text = chance.choice((text[: len(text) // 2], "[" * 100_000, "", "\xff" * 9))
    file.write_text(text, encoding="utf-8")
    return f"{file.name}: {text[:2000]}"


def works_or_is_refused(work: Callable[[], object], what: str) -> None:
    said = ""
    try:
        work()
    except TuteeError as error:
        said = str(error)
    except BaseException as error:
        raise AssertionError(f"{type(error).__name__} on {what}") from error
    assert "\n" not in said, what


@pytest.mark.parametrize("seed", range(EXAMPLES))
def test_a_model_folder(seed: int, tiny_folder: ModelFolder, tmp_path: Path) -> None:
    path = Path(shutil.copytree(tiny_folder.path, tmp_path / "model"))
    names = ("config.json", "tokenizer_config.json", "generation_config.json")
    what = spoil([path / name for name in names], seed)

    def use() -> None:
        folder = find(str(path), tmp_path, lambda event: None)
        notice(folder)
        engine = Engine(folder, None, EXACT)
        asked = (ChatMessage(role="user", content="hello"),)
        list(engine.stream(asked, Sampling(max_new_tokens=2, temperature=0), 0))

    works_or_is_refused(use, what)


@pytest.mark.parametrize("seed", range(EXAMPLES))
def test_a_tokenizer(seed: int, tiny_folder: ModelFolder, tmp_path: Path) -> None:
    path = Path(shutil.copytree(tiny_folder.path, tmp_path / "model"))
    what = spoil([path / "tokenizer.json"], seed)

    def use() -> None:
        engine = Engine(find(str(path), tmp_path, lambda event: None), None, EXACT)
        asked = (ChatMessage(role="user", content="hello"),)
        list(engine.stream(asked, Sampling(max_new_tokens=2, temperature=0), 0))

    works_or_is_refused(use, what)


@pytest.fixture(scope="module")
def adapter(tiny_folder: ModelFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from peft import LoraConfig, get_peft_model

    path = tmp_path_factory.mktemp("adapter")
    settings = LoraConfig(r=4, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM")
    get_peft_model(load_model(tiny_folder), settings).save_pretrained(path)
    return path


@pytest.mark.parametrize("seed", range(EXAMPLES))
def test_an_adapter(seed: int, adapter: Path, tiny_folder: ModelFolder, tmp_path: Path) -> None:
    path = Path(shutil.copytree(adapter, tmp_path / "v1"))
    what = spoil([path / "adapter_config.json"], seed)
    base = load_model(tiny_folder)

    def add() -> None:
        config = conversion.read_config(path)
        conversion.in_peft_form(path, config, base, tmp_path / "peft")

    works_or_is_refused(add, what)
    works_or_is_refused(lambda: Engine(tiny_folder, path, EXACT), what)


@pytest.mark.parametrize("seed", range(EXAMPLES))
def test_the_files_of_a_home(seed: int, tiny_folder: ModelFolder, tmp_path: Path) -> None:
    adapters = Adapters(tmp_path, tiny_folder)
    version = examined_version(adapters)
    adapters.use(version)
    names = (f"{version}/manifest.json", f"{version}/report.json", "active.json", "labels.json")
    what = spoil([adapters.dir / name for name in names], seed)
    for work in (
        adapters.versions,
        adapters.damaged,
        adapters.active,
        adapters.remarks,
        lambda: adapters.learned("v1"),
        lambda: adapters.path("v1"),
        lambda: report.read(adapters.dir / version),
        lambda: build_report_card(adapters, version),
    ):
        works_or_is_refused(work, what)


@pytest.mark.parametrize("seed", range(EXAMPLES))
def test_a_recipe(seed: int, plan: Plan, recipe: Path) -> None:  # noqa: F811
    source = recipe / "out" / "sft"
    source.mkdir(parents=True)
    what = spoil([recipe / "recipe.json"], seed)
    works_or_is_refused(lambda: _provenance(plan, source), what)
