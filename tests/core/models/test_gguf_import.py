"""A GGUF file of the tiny model becomes a folder that says the same."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tokenizers import normalizers

from core.models import gguf_import
from core.models.folder import ModelFolder, find, named
from core.models.loading import load_model, load_tokenizer
from data.tokenization import encode_prompt
from store.errors import TuteeError
from store.records import ChatMessage
from tests import gguf_files
from tests.conftest import CHAT_TEMPLATE
from tests.core.models.test_builtin import ignore, write_gguf
from tests.core.models.test_gguf_export import asked
from tests.data import tiny
from tests.families import FAMILIES, PHI3, make


@pytest.fixture
def file(tiny_folder: ModelFolder, tmp_path: Path) -> Path:
    path = tmp_path / "Tiny-Chat.F32.gguf"
    write_gguf(path, tiny_folder)
    return path


def test_it_is_converted_once_and_says_the_same(
    file: Path, tiny_folder: ModelFolder, tmp_path: Path
) -> None:
    import torch

    cache = tmp_path / "cache"
    with pytest.raises(TuteeError, match="not been converted yet"):
        named(str(file), cache)
    found = find(str(file), cache, ignore)
    assert found == named(str(file), cache) == find(str(file), cache, ignore)
    assert found.label == "Tiny-Chat.F32"
    tokenizer = load_tokenizer(found)
    assert tokenizer.chat_template == CHAT_TEMPLATE
    ids = tokenizer("The capital of France 你好", return_tensors="pt")["input_ids"]
    with torch.inference_mode():
        ours = load_model(found, torch.float32)(ids).logits
        theirs = load_model(tiny_folder, torch.float32)(ids).logits
    assert (ours - theirs).abs().max() < 0.02 * theirs.abs().max()  # 16 bits
    assert {path.stat().st_mode & 0o777 for path in found.path.iterdir()} == {0o600}


LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 500000.0,
    "factor": 32.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}
SAID = "The year 2026,  and\n\n你好 (x). <|im_end|><end_of_turn>"


def phi3() -> Any:
    """Phi-3's way: a space goes before the text."""
    special = ("<|endoftext|>", "<|user|>", "<|assistant|>", "<|system|>", "<|end|>")
    tokenizer = tiny.sentencepiece.__wrapped__(PHI3, special, strips=True)
    tokenizer.backend_tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    return tokenizer


@pytest.mark.parametrize(
    ("name", "architecture", "splitting", "settings"),
    [
        ("qwen2.5", "qwen2", "qwen2", {}),
        ("qwen3", "qwen3", "qwen2", {"head_dim": 128}),
        ("gemma2", "gemma2", "default", {"sliding_window": 4096}),
        ("phi3", "phi3", "default", {}),
        ("llama3", "llama", "llama-bpe", {"hidden_size": 64, "rope_parameters": LLAMA3}),
    ],
)
def test_each_family_says_the_same(
    name: str, architecture: str, splitting: str, settings: dict[str, Any], tmp_path: Path
) -> None:
    import torch

    family = next(family for family in FAMILIES if family.name == name)
    if name == "phi3":
        family = replace(family, tokenizer=phi3)
    make(family, tmp_path / name, tie_word_embeddings=name == "gemma2", **settings)
    folder = find(str(tmp_path / name), tmp_path, ignore)
    stretched = settings.get("rope_parameters")
    gguf_files.write(
        tmp_path / f"{name}.gguf",
        folder,
        architecture,
        splitting=splitting,
        more=lambda writer: (
            writer.add_tensor("rope_freqs.weight", factors()) if stretched else None
        ),
    )
    found = find(str(tmp_path / f"{name}.gguf"), tmp_path / "cache", ignore)
    ours, theirs = load_tokenizer(found), load_tokenizer(folder)
    if not name.startswith(("qwen", "llama")):  # theirs do not split before they look for tokens
        assert ours.encode(SAID, add_special_tokens=False) == theirs.encode(
            SAID, add_special_tokens=False
        )
    turns = (ChatMessage(role="user", content="Hi"),)
    assert encode_prompt(ours, turns) == encode_prompt(theirs, turns)
    ids = torch.arange(3, 200)[None]
    with torch.inference_mode():
        one = load_model(found, torch.float32)(ids).logits
        other = load_model(folder, torch.float32)(ids).logits
    assert (one - other).abs().max() < 0.01 * other.abs().max()  # 16 bits


LAST_BYTE = 261
"""In the vocabulary of `tiny.gemma`."""
WINDOWS = ["sliding_attention"] * 5 + ["full_attention"]
STRETCHED = {
    "full_attention": {"rope_type": "linear", "rope_theta": 1e6, "factor": 8.0},
    "sliding_attention": {"rope_type": "default", "rope_theta": 1e4},
}


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("gemma2", {"num_hidden_layers": 2, "attn_logit_softcapping": 5.0}),
        ("gemma2", {"num_hidden_layers": 46, "query_pre_attn_scalar": 8}),
        ("gemma3", {"num_hidden_layers": 6, "rope_parameters": STRETCHED}),
        ("gemma3", {"num_hidden_layers": 62, "query_pre_attn_scalar": 8}),
    ],
    ids=["small 2", "27B's 2", "small 3", "27B's 3"],
)
def test_what_no_gemma_file_says_is_taken_as_llama_cpp_takes_it(
    name: str, settings: dict[str, Any], tmp_path: Path
) -> None:
    import torch

    family = next(family for family in FAMILIES if family.name == name)
    layers = settings["num_hidden_layers"]
    if name == "gemma3":
        settings = {**settings, "layer_types": (WINDOWS * 11)[:layers]}
    shape = {"sliding_window": 128, "tie_word_embeddings": True, "initializer_range": 0.1}
    make(family, tmp_path / name, **shape, **settings)
    folder = find(str(tmp_path / name), tmp_path, ignore)
    file = tmp_path / f"{name}.gguf"
    gguf_files.write(file, folder, name)
    found = find(str(file), tmp_path / "cache", ignore)
    ids = list(range(3, 203))  # more than the window
    with torch.inference_mode():
        ours = load_model(found, torch.float32)(torch.tensor([ids])).logits
        wanted = load_model(folder, torch.float32)(torch.tensor([ids])).logits
    assert (ours - wanted).abs().max() < 0.03 * wanted.abs().max()  # 16 bits, through 62 layers
    # llama.cpp's server says nothing of a token that is a part of a letter only.
    whole = next(n for n in range(200, 128, -1) if wanted[0, n - 1].argmax() > LAST_BYTE)
    _count, likeliest = asked(file, ids[:whole])
    logps = wanted[0, whole - 1].log_softmax(-1)
    assert likeliest == pytest.approx({t: logps[t].item() for t in likeliest}, abs=0.02)


def factors() -> Any:
    """What llama.cpp's converter writes of `LLAMA3`: by how much each frequency is divided."""
    import torch
    from transformers import LlamaConfig
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    config = LlamaConfig(head_dim=16, rope_parameters=LLAMA3)
    plain = 500000.0 ** -(torch.arange(0, 16, 2).float() / 16)
    return (plain / ROPE_INIT_FUNCTIONS["llama3"](config, torch.device("cpu"))[0]).numpy()


def test_digits_are_split_as_the_file_says(
    file: Path, tiny_folder: ModelFolder, tmp_path: Path
) -> None:
    ours = load_tokenizer(find(str(file), tmp_path / "cache", ignore))
    theirs = load_tokenizer(tiny_folder)
    for text in ("In 2026, 12345 + 42.", "a  1  b", SAID):
        assert ours.encode(text) == theirs.encode(text)


@pytest.mark.parametrize(
    ("architecture", "splitting", "more", "said"),
    [
        ("llama", "deepseek-llm", lambda writer: None, "splits text in the way “deepseek-llm”"),
        (
            "llama",
            "smollm",
            lambda writer: writer.add_rope_scaling_type(gguf_library().RopeScalingType.YARN),
            "stretches its positions",
        ),
        (
            "llama",
            "smollm",
            lambda writer: writer.add_tensor("rope_freqs.weight", factors()[:4] * 3),
            "stretches its positions",
        ),
        (
            "qwen2",
            "smollm",
            lambda writer: writer.add_rope_dimension_count(4),
            "attends to its text in a way",
        ),
        (
            "gemma3",
            "smollm",
            lambda writer: None,
            "attends to its text in a way",
        ),
        ("gemma", "smollm", lambda writer: None, "architecture “gemma” are not read"),
    ],
)
def test_what_would_be_read_wrongly_is_refused(
    tiny_folder: ModelFolder,
    tmp_path: Path,
    architecture: str,
    splitting: str,
    more: Callable[[Any], object],
    said: str,
) -> None:
    path = tmp_path / "Odd.gguf"
    gguf_files.write(path, tiny_folder, architecture, splitting=splitting, more=more)
    with pytest.raises(TuteeError, match=said):
        find(str(path), tmp_path / "cache", ignore)
    assert not list((tmp_path / "cache" / "models" / "gguf").glob("Odd*"))


def gguf_library() -> Any:
    import gguf

    return gguf


def test_a_changed_file_is_another_model(file: Path, tmp_path: Path) -> None:
    before = gguf_import.target(file, tmp_path)
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    assert gguf_import.target(file, tmp_path) != before


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("gone.gguf", None, "There is no file"),
        ("page.gguf", b"<html>", "is no GGUF file"),
        ("big-00001-of-00002.gguf", b"GGUF", "one part of a model"),
        ("cut.gguf", b"GGUF\x03\x00\x00\x00", "cannot be read as a model"),
    ],
)
def test_what_cannot_be_read_is_refused(
    name: str, content: bytes | None, said: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(TuteeError, match=said):
        find(str(path), tmp_path / "cache", ignore)
    assert not list((tmp_path / "cache").rglob("*.partial"))


def test_naming_a_file_does_not_load_torch(file: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from core.models import catalog, gguf_import;"
        f"gguf_import.target(Path({str(file)!r}), Path('.')); catalog.known(Path('/nowhere'));"
        "print(sorted({'torch', 'transformers', 'modelscope', 'huggingface_hub'} & {*sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
