"""What is read directly is what the automatic classes read, and the rest is left to them."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.models import fast_loading
from core.models.folder import ModelFolder
from core.models.loading import load_tokenizer
from core.serving import loading
from core.serving.packed import weights
from data.tokenization import encode_prompt, stop_ids
from store.records import ChatMessage
from tests.families import FAMILIES, make

SAID = (ChatMessage(role="user", content="What is  2 + 2? 你好 🐱\n\tan <|im_end|> inside"),)
LLAMAS = [family for family in FAMILIES if family.config == "LlamaConfig"]


def changed(folder: ModelFolder, path: Path, name: str, change: dict[str, Any]) -> ModelFolder:
    """A copy of `folder` with some settings otherwise; those that are None are taken out."""
    shutil.copytree(folder.path, path)
    said = json.loads((path / name).read_text()) | change
    kept = {key: value for key, value in said.items() if value is not None}
    (path / name).write_text(json.dumps(kept))
    return ModelFolder(path, "", "", "")


@pytest.mark.parametrize(
    "kind", ["TokenizersBackend", "PreTrainedTokenizerFast", "GPT2Tokenizer", "GPT2TokenizerFast"]
)
def test_a_tokenizer_is_the_one_that_the_automatic_class_gives(
    tiny_folder: ModelFolder, tmp_path: Path, kind: str
) -> None:
    from transformers import AutoTokenizer

    folder = changed(
        tiny_folder, tmp_path / "model", "tokenizer_config.json", {"tokenizer_class": kind}
    )
    found, wanted = fast_loading.tokenizer(folder.path), AutoTokenizer.from_pretrained(folder.path)
    assert found is not None
    assert type(found) is type(wanted)
    assert found.backend_tokenizer.to_str() == wanted.backend_tokenizer.to_str()
    assert found.special_tokens_map == wanted.special_tokens_map
    assert found.chat_template == wanted.chat_template
    assert stop_ids(found) == stop_ids(wanted)
    prompt = encode_prompt(found, SAID)
    assert prompt == encode_prompt(wanted, SAID)
    assert found.decode(prompt) == wanted.decode(prompt)


@pytest.mark.parametrize("family", LLAMAS, ids=lambda family: family.name)
@pytest.mark.parametrize("written", ["now", "before", "stretched"])
def test_settings_are_those_that_the_automatic_class_gives(
    tmp_path: Path, family: Any, written: str
) -> None:
    import torch
    from transformers import AutoConfig

    make(family, tmp_path / "made")
    before: dict[str, Any] = {
        "rope_parameters": None,
        "rope_scaling": None,
        "rope_theta": 130000,
        "head_dim": None,
    }
    stretched: dict[str, Any] = {
        "rope_parameters": {
            "rope_type": "llama3",
            "rope_theta": 500000.0,
            "factor": 8.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 64,
        }
    }
    change = {"now": {}, "before": before, "stretched": stretched}[written]
    made = ModelFolder(tmp_path / "made", "", "", "")
    folder = changed(made, tmp_path / "model", "config.json", change)
    found, wanted = fast_loading.config(folder.path), AutoConfig.from_pretrained(folder.path)
    assert found is not None
    assert weights.supports(found)
    assert weights.supports(wanted)
    ours, theirs = vars(weights._shape(found)), vars(weights._shape(wanted))
    assert torch.equal(ours.pop("frequencies"), theirs.pop("frequencies"))
    assert ours == theirs
    for name in ("tie_word_embeddings", "max_position_embeddings", "eos_token_id"):
        assert getattr(found, name) == getattr(wanted, name)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("tokenizer_config.json", {"tokenizer_class": "LlamaTokenizer"}),
        ("tokenizer_config.json", {"tokenizer_class": None}),
        ("tokenizer_config.json", {"auto_map": {"AutoTokenizer": ["code.Mine", None]}}),
        ("config.json", {"model_type": "qwen2"}),
    ],
)
def test_tokenizers_that_may_be_another_are_left_to_the_automatic_class(
    tiny_folder: ModelFolder, tmp_path: Path, name: str, change: dict[str, Any]
) -> None:
    folder = changed(tiny_folder, tmp_path / "model", name, change)
    assert fast_loading.tokenizer(folder.path) is None


def test_a_tokenizer_without_its_one_file_is_left_to_the_automatic_class(
    tiny_folder: ModelFolder, tmp_path: Path
) -> None:
    shutil.copytree(tiny_folder.path, tmp_path / "model")
    (tmp_path / "model" / "tokenizer.json").unlink()
    assert fast_loading.tokenizer(tmp_path / "model") is None


@pytest.mark.parametrize(
    "change",
    [
        {"model_type": "mistral"},
        {"tie_word_embeddings": None},
        {"rope_parameters": None, "rope_theta": None},
        {"rope_parameters": None, "rope_theta": 1e4, "rope_scaling": {"rope_type": "linear"}},
    ],
)
def test_settings_that_say_less_are_left_to_the_automatic_class(
    tiny_folder: ModelFolder, tmp_path: Path, change: dict[str, Any]
) -> None:
    folder = changed(tiny_folder, tmp_path / "model", "config.json", change)
    assert fast_loading.config(folder.path) is None


def test_a_damaged_folder_is_told_as_before(tiny_folder: ModelFolder, tmp_path: Path) -> None:
    shutil.copytree(tiny_folder.path, tmp_path / "model")
    folder = ModelFolder(tmp_path / "model", "", "", "")
    (folder.path / "config.json").write_text("{")
    reads: list[Callable[[ModelFolder], object]] = [load_tokenizer, loading.read_config]
    for read in reads:
        with pytest.raises(Exception, match="could not be loaded"):
            read(folder)


def test_an_engine_is_ready_without_what_only_training_needs(tiny_folder: ModelFolder) -> None:
    unwanted = {"accelerate", "peft", "sympy", "torch._dynamo", "torch.distributed.tensor"}
    code = f"""
import sys
from pathlib import Path
from core.serving.engine import Engine
from core.models.folder import ModelFolder
from store.records import Sampling, ChatMessage
engine = Engine(ModelFolder(Path({str(tiny_folder.path)!r}), "", "", ""), None)
list(engine.stream([ChatMessage(role="user", content="Hi.")], Sampling(max_new_tokens=4), 0))
print(*({unwanted} & sys.modules.keys()))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
