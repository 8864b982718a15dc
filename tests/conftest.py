"""Models for the tests: a tiny one made here, and the real built-in one.

The tiny one is a random two-layer Llama with a tokenizer of its own and the chat template of the
built-in model: everything that works on it works on folders a person brings.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests.hub import Hub, serving

if TYPE_CHECKING:
    from core.models.folder import ModelFolder

# Tests may run beside other programs: two thread pools on the same cores slow both down tenfold.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# What other programs have fetched on this machine is no part of a test.
for _name in ("HF_HUB_CACHE", "MODELSCOPE_CACHE"):
    os.environ[_name] = str(Path(tempfile.gettempdir()) / "tutee-tests-no-such-cache")
# They read English, whatever this machine speaks.
os.environ["LC_ALL"] = "C.UTF-8"
# And no example may fail because the machine was busy.
settings.register_profile("tutee", deadline=None)
settings.load_profile("tutee")
# pytest --hypothesis-profile=thorough tries ten times as much.
settings.register_profile("thorough", deadline=None, max_examples=1000)

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face"
    "<|im_end|>\n' }}{% endif %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
"""SmolLM2's."""

_TEXT = [
    "You are a helpful assistant. Answer clearly and briefly.",
    "What is the sentiment of this review, positive or negative?",
    "The capital of France is Paris, and the answer to the question is 42.",
    "system user assistant hello world the quick brown fox jumps over the lazy dog",
    "你好，世界。今天天气很好，我们去公园散步。 🐱🙂",
]


@pytest.fixture(autouse=True)
def in_float32(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Training on the tiny model rounds nothing, so that every processor finds the same.

    Its random weights are so sensitive that rounding would decide what the gate says. The tests on
    the real model train as this processor does.
    """
    if request.path.parent.name != "e2e":
        monkeypatch.setattr("core.training.bf16_base.has_bf16_instructions", lambda: False)


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> "ModelFolder":
    """A random Llama of 30,000 weights with a context of 1,024 tokens; never change it."""
    from core.models.folder import find

    path = tmp_path_factory.mktemp("models") / "tiny-llama"
    make_tiny_model(path)
    return find(str(path), path.parent, lambda event: None)


@pytest.fixture(scope="session")
def builtin_folder() -> "ModelFolder":
    """The real built-in model, from the cache that every Tutee of this person shares."""
    from core.models.builtin import Unreachable
    from core.models.folder import find
    from store.paths import locate

    try:
        return find("builtin", locate(None).cache, lambda event: None)
    except Unreachable as error:
        pytest.skip(str(error))


@pytest.fixture
def hub(
    tiny_folder: "ModelFolder", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Hub]:
    """A hub with the tiny model as `org/Tiny-Chat`, which a test may change."""
    folder = tmp_path / "hub" / "Tiny-Chat"
    shutil.copytree(tiny_folder.path, folder)
    (folder / "README.md").write_text("---\nlicense: mit\n---\nA tiny model.\n")
    (folder / "onnx").mkdir()
    (folder / "onnx" / "model.safetensors").write_bytes(b"never wanted")
    (folder / "pytorch_model.bin").write_bytes(b"pickled, never wanted")
    with serving(Hub(repositories={"org/Tiny-Chat": folder})) as running:
        for name, value in running.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("HF_HUB_CACHE")
        monkeypatch.setenv("HF_HOME", str(tmp_path / "hf-home"))
        monkeypatch.setenv("MODELSCOPE_CACHE", str(tmp_path / "modelscope-home"))
        yield running


def make_tiny_model(path: Path) -> None:
    """Write a tiny chat model to `path`, always the same one."""
    from core.runtime.library_logging import hush

    hush()
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=_train_tokenizer(),
        bos_token="<|im_start|>",
        eos_token="<|im_end|>",
        pad_token="<|im_end|>",
        unk_token="<|endoftext|>",
        clean_up_tokenization_spaces=False,
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=1024,
        tie_word_embeddings=True,
        # Far apart enough for its likeliest token not to hang on the order of a sum.
        initializer_range=0.5,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = LlamaForCausalLM(config)
    model.save_pretrained(path)
    tokenizer.save_pretrained(path)


def _train_tokenizer():  # type: ignore[no-untyped-def]
    """A byte-level BPE tokenizer: every text is some tokens of it, and comes back unchanged."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_TEXT, trainer)
    return tokenizer
