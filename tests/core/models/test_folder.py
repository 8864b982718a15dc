"""Good folders get a stable name; each bad one is refused with what is wrong and what to do."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from core.events import ModelLoading
from core.models import builtin, chat_templates
from core.models.folder import ModelFolder, chat_template, find, named
from core.models.loading import load_model, load_tokenizer, notice
from data.tokenization import encode_prompt
from store.errors import TuteeError
from store.records import ChatMessage

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
    with pytest.raises(TuteeError, match="damaged or not all there"):
        look(folder)


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


@pytest.mark.parametrize("kept", ["in the settings", "in a folder"])
def test_templates_for_tools_only_make_way_for_a_plain_one(folder: Path, kept: str) -> None:
    (folder / "chat_template.jinja").unlink()
    if kept == "in a folder":
        (folder / "additional_chat_templates").mkdir()
        (folder / "additional_chat_templates" / "tool_use.jinja").write_text("{{ tools }}")
    else:
        named = [{"name": "tool_use", "template": "{{ tools }}"}]
        edit(folder / "tokenizer_config.json", chat_template=named)
    found = look(folder)
    assert "such as tools" in notice(found)
    assert load_tokenizer(found).chat_template == chat_templates.CHATML


def test_an_adapter_among_the_weights_is_refused(folder: Path) -> None:
    """transformers would put it on top of them, and the chat would not."""
    (folder / "adapter_config.json").write_text("{}")
    with pytest.raises(TuteeError, match="also holds an adapter") as caught:
        look(folder)
    assert "adapters add" in caught.value.hint


@pytest.mark.parametrize("name", ["tokenizer.json", "config.json", "more.json"])
def test_a_pipe_is_not_read(folder: Path, name: str) -> None:
    (folder / name).unlink(missing_ok=True)
    os.mkfifo(folder / name)
    with pytest.raises(TuteeError, match="not a regular file"):
        look(folder)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"hidden_size": 128}, "embed_tokens.weight is 400 x 32, and by config.json it is 400 x"),
        ({"hidden_size": -64}, "`hidden_size`"),
        ({"hidden_size": "64"}, "`hidden_size`"),
        ({"vocab_size": 2 * 10**9}, "and by config.json it is 2000000000 x 32"),
        ({"vocab_size": True}, "`vocab_size`"),
        ({"num_attention_heads": 0}, "`num_attention_heads`"),
        ({"num_key_value_heads": 4}, "k_proj.weight is 16 x 32, and by config.json it is 32 x 32"),
        ({"intermediate_size": 65}, "and by config.json it is"),
        ({"num_hidden_layers": 1.5}, "`num_hidden_layers`"),
        ({"max_position_embeddings": "x"}, "`max_position_embeddings`"),
        ({"rms_norm_eps": "x"}, "`rms_norm_eps`"),
        ({"rms_norm_eps": float("nan")}, "`rms_norm_eps`"),
        ({"architectures": 5}, "`architectures` is not a list"),
        ({"text_config": [1]}, "`text_config`"),
        ({"model_type": ["llama"], "auto_map": {}}, "running code of its own"),
    ],
)
def test_a_config_that_does_not_fit_is_refused(
    folder: Path, values: dict[str, object], said: str
) -> None:
    edit(folder / "config.json", **values)
    with pytest.raises(TuteeError, match=re.escape(said)) as caught:
        look(folder)
    assert caught.value.hint


@pytest.mark.parametrize(
    "header",
    ["[]", '{"a": 5}', '{"a": {"dtype": "F32"}}', '{"a": {"dtype":"F32","shape":5}}', "[" * 9999],
)
def test_odd_headers_of_weights_are_refused(folder: Path, header: str) -> None:
    content = len(header).to_bytes(8, "little") + header.encode()
    (folder / "model.safetensors").write_bytes(content)
    with pytest.raises(TuteeError, match="damaged or not all there"):
        look(folder)


@pytest.mark.parametrize("weight_map", [[1], {"a": 5}, "x", {"a": ["b"]}])
def test_an_odd_index_is_refused(folder: Path, weight_map: object) -> None:
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    with pytest.raises(TuteeError, match="in which file each tensor is"):
        look(folder)


def test_more_tokens_than_embeddings_are_refused_unless_they_never_occur(folder: Path) -> None:
    tokenizer = load_tokenizer(look(folder))
    rows = len(tokenizer)
    tokenizer.add_tokens(["<picture>"], special_tokens=True)
    tokenizer.save_pretrained(folder)
    assert len(load_tokenizer(look(folder))) == rows + 1, "as Gemma 3 has it"
    tokenizer.add_tokens(["word"])
    tokenizer.save_pretrained(folder)
    with pytest.raises(TuteeError, match=f"has {rows + 2} tokens, and .* for {rows}"):
        load_tokenizer(look(folder))


@pytest.mark.parametrize(
    "template",
    [
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{{ 1 / 0 }}",
        "{{ nothing.at.all }}",
    ],
)
def test_a_template_that_fails_is_one_line(folder: Path, template: str) -> None:
    (folder / "chat_template.jinja").write_text(template)
    with pytest.raises(TuteeError, match="chat template") as caught:
        encode_prompt(load_tokenizer(look(folder)), (ChatMessage(role="user", content="Hello"),))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400
