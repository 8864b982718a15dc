"""Adapters answer as they do in PEFT, change only their own engine, and come and go."""

import gc
import json
import shutil
from pathlib import Path

import pytest
import torch

from core.models.folder import ModelFolder
from core.models.loading import load_model
from core.serving.engine import Engine
from store.errors import TuteeError
from tests.core.serving.asking import EXACT, GREEDY, HELLO, assistant, generated, reply, user
from tests.lora import make_adapter


@pytest.fixture(scope="module")
def adapter(tiny_folder: ModelFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LoRA adapter that replies differently from the base."""
    return make_adapter(tiny_folder, tmp_path_factory.mktemp("adapter"))


def test_an_adapter_answers_as_it_does_in_peft(
    tiny_folder: ModelFolder, engine: Engine, adapter: Path
) -> None:
    from peft import PeftModel

    beside = PeftModel.from_pretrained(load_model(tiny_folder, torch.float32), str(adapter)).eval()
    for tuned in (Engine(tiny_folder, adapter, EXACT), engine.with_adapter(adapter)):
        for messages in (HELLO, [*HELLO, assistant("the fox"), user("and now?")]):
            answer = reply(tuned, messages)
            assert answer == generated(beside, engine, messages, GREEDY)
            assert answer != reply(engine, messages)
        assert tuned.batch([HELLO], GREEDY, 0) == [reply(tuned, HELLO)]


def test_an_adapter_changes_nothing_but_its_own_engine(engine: Engine, adapter: Path) -> None:
    old = reply(engine, HELLO)
    tuned = engine.with_adapter(adapter)
    new = reply(tuned, HELLO)
    assert reply(engine, HELLO) == old
    assert reply(tuned, HELLO) == new
    assert reply(tuned.with_adapter(None), HELLO) == old


def test_fifty_changes_of_adapter_leave_nothing_behind(
    tiny_folder: ModelFolder, adapter: Path, tmp_path: Path
) -> None:
    other = Path(shutil.copytree(adapter, tmp_path / "v2"))
    engine = Engine(tiny_folder, None, EXACT)
    network = engine.backend.network  # type: ignore[attr-defined]
    alive = []  # how many tensors
    for number in range(50):
        engine = engine.with_adapter((None, adapter, other)[number % 3])
        assert reply(engine, HELLO)
        assert engine.backend.network is network  # type: ignore[attr-defined]
        if number % 3 == 2:
            gc.collect()
            alive.append(sum(type(o) is torch.Tensor for o in gc.get_objects()))
    assert alive[1] == alive[-1]


def test_an_adapter_beyond_plain_lora_is_merged_into_a_plain_model(
    tiny_folder: ModelFolder, adapter: Path, tmp_path: Path
) -> None:
    from core.serving.transformers_decoder import TransformersDecoder

    path = Path(shutil.copytree(adapter, tmp_path / "v2"))
    settings = json.loads((path / "adapter_config.json").read_text(encoding="utf-8"))
    settings["rank_pattern"] = {"q_proj": settings["r"]}
    (path / "adapter_config.json").write_text(json.dumps(settings))
    merged = Engine(tiny_folder, path, EXACT)
    plain = Engine(tiny_folder, adapter, EXACT)
    other = plain.with_adapter(path)
    for engine in (merged, other):
        assert isinstance(engine.backend, TransformersDecoder)
        assert reply(engine, HELLO) == reply(plain, HELLO)
    assert reply(merged.with_adapter(None), HELLO) == reply(plain.with_adapter(None), HELLO)


@pytest.mark.parametrize("spoil", ["absent", "damaged"])
def test_an_adapter_that_cannot_be_loaded_is_named(
    tiny_folder: ModelFolder, adapter: Path, tmp_path: Path, spoil: str
) -> None:
    broken = tmp_path / "v3"
    if spoil == "damaged":
        broken.mkdir()
        (broken / "adapter_config.json").write_text(
            (adapter / "adapter_config.json").read_text(encoding="utf-8")
        )
        (broken / "adapter_model.safetensors").write_bytes(b"half")
    with pytest.raises(TuteeError, match="v3") as caught:
        Engine(tiny_folder, broken, EXACT)
    assert "tutee adapters" in caught.value.hint
