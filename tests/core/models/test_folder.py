"""Good folders get a stable name; each bad one is refused with what is wrong and what to do."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from core.events import ModelLoading
from core.models import builtin
from core.models.folder import ModelFolder, chat_template, find, named
from core.models.loading import load_model, load_tokenizer
from store.errors import TuteeError

Spoil = Callable[[Path], object]


def ignore(event: ModelLoading) -> None:
    pass


@pytest.fixture
def folder(tiny_folder: ModelFolder, tmp_path: Path) -> Path:
    """A copy of the tiny model that a test may change."""
    return Path(shutil.copytree(tiny_folder.path, tmp_path / "My Model (v2)"))


def look(path: Path) -> ModelFolder:
    return find(str(path), path.parent, ignore)


def edit(path: Path, **values: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def flip_last_byte(path: Path, offset: int) -> None:
    with path.open("r+b") as file:
        file.seek(offset, 2)
        byte = file.read(1)
        file.seek(offset, 2)
        file.write(bytes([byte[0] ^ 1]))


def test_a_folder_is_named_after_itself_and_its_content(folder: Path) -> None:
    found = look(folder)
    assert found.path == folder
    assert found.label == "My Model (v2)"
    assert found.id == f"my-model-v2-{found.revision[:8]}"
    assert look(folder) == found


def test_the_same_model_elsewhere_is_the_same(folder: Path, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere" / folder.name
    shutil.copytree(folder, moved)
    assert look(moved).id == look(folder).id


@pytest.mark.parametrize(
    "change",
    [
        lambda path: flip_last_byte(path / "model.safetensors", -10),
        lambda path: edit(path / "config.json", rms_norm_eps=0.1),
        lambda path: edit(path / "tokenizer_config.json", eos_token="<|im_start|>"),
        lambda path: (path / "chat_template.jinja").write_text("{{ messages }}"),
        lambda path: (path / "tokenizer.json").write_text("{}"),
    ],
    ids=["weights", "config", "tokenizer settings", "chat template", "tokenizer"],
)
def test_another_content_is_another_model(folder: Path, change: Spoil) -> None:
    before = look(folder)
    change(folder)
    after = look(folder)
    assert after.revision != before.revision
    assert after.id != before.id


def test_a_home_relative_path_is_understood(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder.parent))
    assert find(f"~/{folder.name}", folder.parent, ignore).path == folder


def test_the_built_in_model_has_its_name_before_it_is_there(tmp_path: Path) -> None:
    folder = named("builtin", tmp_path)
    assert folder.id == f"{builtin.NAME}-{builtin.SHA256[:8]}"
    assert not folder.path.exists()


def test_finding_a_model_does_not_load_torch(folder: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from core.models.folder import find;"
        f"find({str(folder)!r}, Path('.'), print);"
        "print(sorted({'torch', 'transformers'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def without_weights(path: Path) -> None:
    (path / "model.safetensors").unlink()


def with_pickled_weights(path: Path) -> None:
    (path / "model.safetensors").rename(path / "pytorch_model.bin")


def without_tokenizer(path: Path) -> None:
    for file in path.glob("tokenizer*"):
        file.unlink()


@pytest.mark.parametrize(
    ("spoil", "title", "hint"),
    [
        (shutil.rmtree, "no model folder at", "`builtin`"),
        (lambda path: (path / "config.json").unlink(), "no config.json", "safetensors"),
        (lambda path: (path / "config.json").write_text("{"), "config.json", ""),
        (lambda path: (path / "config.json").write_text("[]"), "no JSON object", ""),
        (without_weights, "no weights in safetensors form", "Download"),
        (with_pickled_weights, "no weights in safetensors form", "can run code"),
        (without_tokenizer, "has no tokenizer", "tokenizer.json"),
        (
            lambda path: edit(
                path / "config.json", model_type="homemade", auto_map={"AutoConfig": "code.X"}
            ),
            "running code of its own",
            "part of transformers",
        ),
        (
            lambda path: (path / "model.safetensors").write_bytes(b"\xff" * 64),
            "damaged or not all there",
            "",
        ),
    ],
)
def test_what_is_no_usable_model_is_refused(
    folder: Path, spoil: Spoil, title: str, hint: str
) -> None:
    spoil(folder)
    with pytest.raises(TuteeError) as caught:
        look(folder)
    assert title in caught.value.title
    assert str(folder) in caught.value.title
    assert hint in caught.value.hint


def test_code_offered_for_a_standard_architecture_is_not_needed(folder: Path) -> None:
    edit(folder / "config.json", auto_map={"AutoModelForCausalLM": "evil.Model"})
    (folder / "evil.py").write_text("raise SystemExit('the code of a model folder was run')")
    assert load_model(look(folder)).config.model_type == "llama"


def test_a_chat_template_in_the_tokenizer_settings_counts(folder: Path) -> None:
    template = (folder / "chat_template.jinja").read_text()
    (folder / "chat_template.jinja").unlink()
    edit(folder / "tokenizer_config.json", chat_template=template)
    assert load_tokenizer(look(folder)).chat_template == template


def test_a_model_is_loaded_for_inference_in_full_precision(tiny_folder: ModelFolder) -> None:
    import torch

    model = load_model(tiny_folder)
    assert not model.training
    assert model.dtype == (torch.bfloat16 if torch.cuda.is_available() else torch.float32)
    assert load_model(tiny_folder, torch.float16).dtype == torch.float16


def test_weights_cut_short_are_an_error(folder: Path) -> None:
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(TuteeError, match="could not be loaded"):
        load_model(look(folder))


def test_missing_tensors_are_an_error_not_random_numbers(folder: Path) -> None:
    from safetensors.numpy import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(TuteeError, match=r"layers\.1\.mlp\.up_proj"):
        load_model(look(folder))


def test_a_damaged_tokenizer_is_an_error(folder: Path) -> None:
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(TuteeError, match="tokenizer in"):
        load_tokenizer(look(folder))


@pytest.mark.parametrize("kept", ["in a file", "in the settings", "among others"])
def test_the_template_that_is_read_is_the_one_the_tokenizer_uses(folder: Path, kept: str) -> None:
    text = "{{ messages[0]['content'] }}\r\n é"
    if kept == "in a file":
        edit(folder / "tokenizer_config.json", chat_template="another")
        (folder / "chat_template.jinja").write_bytes(text.encode())
    else:
        (folder / "chat_template.jinja").unlink()
        named = [{"name": "tools", "template": "no"}, {"name": "default", "template": text}]
        template = text if kept == "in the settings" else named
        edit(folder / "tokenizer_config.json", chat_template=template)
    found = look(folder)
    assert chat_template(found) == load_tokenizer(found).get_chat_template()
