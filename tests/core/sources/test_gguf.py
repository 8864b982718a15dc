"""A GGUF file of the tiny model becomes a folder that says the same."""

import subprocess
import sys
from pathlib import Path

import pytest

from core.models import ModelFolder, find, load_model, load_tokenizer, named
from core.sources import gguf
from store.errors import TuteeError
from tests.conftest import CHAT_TEMPLATE
from tests.core.test_builtin import ignore, write_gguf


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


def test_a_changed_file_is_another_model(file: Path, tmp_path: Path) -> None:
    before = gguf.target(file, tmp_path)
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    assert gguf.target(file, tmp_path) != before


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
        "import sys; from pathlib import Path; from core.sources import catalogue, gguf;"
        f"gguf.target(Path({str(file)!r}), Path('.')); catalogue.known(Path('/nowhere'));"
        "print(sorted({'torch', 'transformers', 'modelscope', 'huggingface_hub'} & {*sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
