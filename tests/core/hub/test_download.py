"""The hubs' real clients against a hub on loopback: whole, broken off, wrong, absent, offline."""

import json
import subprocess
import sys
from pathlib import Path
from threading import Event

import pytest

from core.events import ModelLoading
from core.hub import download
from core.hub.download_process import SOURCE_FILE
from core.hub.model_id import HubModel, hub_model
from core.models.folder import ModelFolder, find, named
from core.models.loading import load_model, load_tokenizer
from store.errors import TuteeError
from store.i18n import using_language
from tests.hub import COMMIT, Hub

pytestmark = pytest.mark.waits

BOTH = pytest.mark.parametrize("source", ["hf", "modelscope"])
WEIGHTS = "model.safetensors"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """ModelScope's client hardly tries again."""
    monkeypatch.setenv("MODELSCOPE_REPO_TREE_PAGE_RETRY_MAX_DELAY_SECONDS", "1")
    monkeypatch.setenv("MODELSCOPE_DOWNLOAD_MAX_RETRIES", "0")


def never() -> bool:
    return False


def ignore(event: ModelLoading) -> None:
    pass


def model_on(source: str, name: str = "org/Tiny-Chat") -> HubModel:
    model = hub_model(f"{source}:{name}")
    assert model is not None
    return model


def fetch(source: str, cache: Path, name: str = "org/Tiny-Chat") -> Path:
    return download.fetch(model_on(source, name), cache, ignore, never)


def refusal(source: str, cache: Path, name: str = "org/Tiny-Chat") -> TuteeError:
    with pytest.raises(TuteeError) as caught:
        fetch(source, cache, name)
    return caught.value


@BOTH
def test_a_model_is_fetched_whole_and_used_offline(
    source: str, hub: Hub, tiny_folder: ModelFolder, tmp_path: Path
) -> None:
    events: list[ModelLoading] = []
    spec = f"{source}:org/Tiny-Chat"
    found = find(spec, tmp_path, events.append)
    assert found.label == "Tiny-Chat"
    assert found.id.startswith("tiny-chat-")
    assert {event.stage.split()[0] for event in events} <= {"Asking", "Fetching", "Checking"}
    names = {path.name for path in found.path.iterdir()}
    wanted = {path.name for path in tiny_folder.path.iterdir()} | {"README.md", SOURCE_FILE}
    assert names == wanted
    assert {path.stat().st_mode & 0o777 for path in found.path.iterdir()} == {0o600}
    assert found.path.stat().st_mode & 0o777 == 0o700
    assert (found.path / WEIGHTS).read_bytes() == (tiny_folder.path / WEIGHTS).read_bytes()

    asked = len(hub.asked)
    assert find(spec, tmp_path, ignore) == named(spec, tmp_path) == found
    assert len(hub.asked) == asked  # what is there is used as it is
    assert load_model(found).config.model_type == "llama"
    assert load_tokenizer(found).chat_template == load_tokenizer(tiny_folder).chat_template


@BOTH
def test_where_it_came_from_is_kept(source: str, hub: Hub, tmp_path: Path) -> None:
    told = json.loads((fetch(source, tmp_path) / SOURCE_FILE).read_text())
    assert told["spec"] == f"{source}:org/Tiny-Chat"
    assert told["commit"] == (COMMIT if source == "hf" else "")
    assert set(told["files"]) >= {WEIGHTS, "config.json", "README.md"}
    assert all(told["files"].values())


@BOTH
def test_a_connection_that_breaks_off_is_taken_up_again(
    source: str, hub: Hub, tmp_path: Path
) -> None:
    hub.cut[WEIGHTS] = 1
    path = fetch(source, tmp_path)
    assert (path / WEIGHTS).read_bytes() == (
        hub.repositories["org/Tiny-Chat"] / WEIGHTS
    ).read_bytes()
    first, second = hub.ranges(WEIGHTS)
    assert first == ""
    assert second.startswith("bytes=")  # not from the beginning


@BOTH
def test_stopping_keeps_what_has_arrived_and_the_next_time_goes_on(
    source: str, hub: Hub, tmp_path: Path
) -> None:
    hub.held[WEIGHTS] = Event()
    stop = Event()

    def watch(event: ModelLoading) -> None:
        parts = (tmp_path / "models").rglob(f"{WEIGHTS}*")  # whatever the client calls it by now
        if any(path.stat().st_size > 1000 for path in parts):
            stop.set()

    model = model_on(source)
    with pytest.raises(download.FetchStopped):
        download.fetch(model, tmp_path, watch, stop.is_set)
    (left,) = download.fetched(tmp_path)
    assert (left.model, left.whole) == (model, False)
    assert left.size > 1000
    with pytest.raises(download.NotFetched, match="not on this machine yet"):
        named(model.spec, tmp_path)

    hub.held.pop(WEIGHTS).set()
    path = fetch(source, tmp_path)
    assert hub.ranges(WEIGHTS)[-1].startswith("bytes=")
    assert (path / WEIGHTS).read_bytes() == (
        hub.repositories["org/Tiny-Chat"] / WEIGHTS
    ).read_bytes()
    assert [one.whole for one in download.fetched(tmp_path)] == [True]


def test_ctrl_c_ends_it_as_stopping_does(hub: Hub, tmp_path: Path) -> None:
    def interrupted(event: ModelLoading) -> None:
        raise KeyboardInterrupt

    with pytest.raises(download.FetchStopped) as caught:
        download.fetch(model_on("hf"), tmp_path, interrupted, never)
    assert "to resume" in caught.value.hint


@BOTH
def test_a_fetch_killed_with_its_parent_leaves_no_process_and_goes_on(
    source: str, hub: Hub, tmp_path: Path
) -> None:
    hub.held[WEIGHTS] = Event()
    code = (
        "import os, signal, sys; from pathlib import Path\n"
        "from core.hub import download; from core.hub.model_id import hub_model\n"
        "def watch(event):\n"
        f"    if [*Path({str(tmp_path / 'models')!r}).rglob('{WEIGHTS}*')]:\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        f"download.fetch(hub_model('{source}:org/Tiny-Chat'), Path({str(tmp_path)!r}), watch,"
        " lambda: False)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=120)
    assert done.returncode == -9
    hub.held.pop(WEIGHTS).set()
    assert (fetch(source, tmp_path) / SOURCE_FILE).is_file()


@BOTH
def test_other_bytes_than_the_hub_lists_are_never_used(
    source: str, hub: Hub, tmp_path: Path
) -> None:
    hub.wrong.add(WEIGHTS)
    error = refusal(source, tmp_path)
    assert "does not match the checksum" in error.title
    assert [one.whole for one in download.fetched(tmp_path)] == [False]
    hub.wrong.clear()
    assert (fetch(source, tmp_path) / WEIGHTS).is_file()


@BOTH
def test_settings_with_other_bytes_are_not_read_but_brought_anew(
    source: str, hub: Hub, tmp_path: Path
) -> None:
    hub.wrong |= {"config.json", "tokenizer.json"}
    assert "does not match the checksum" in refusal(source, tmp_path).title
    assert not hub.ranges(WEIGHTS)
    hub.wrong.clear()
    assert (fetch(source, tmp_path) / "tokenizer.json").is_file()


@BOTH
def test_a_repository_that_changed_meanwhile_is_fetched_as_it_is_now(
    source: str, hub: Hub, tmp_path: Path
) -> None:
    hub.missing.add(WEIGHTS)
    refusal(source, tmp_path)
    template = hub.repositories["org/Tiny-Chat"] / "chat_template.jinja"
    template.write_text(template.read_text() + "{# better #}")
    hub.missing.clear()
    path = fetch(source, tmp_path)
    assert (path / "chat_template.jinja").read_text().endswith("{# better #}")


@pytest.mark.parametrize(
    ("source", "status", "said"),
    [
        ("hf", 401, "access token in HF_TOKEN"),
        ("hf", 429, "too many requests"),
        ("hf", 500, "server error (500)"),
        ("modelscope", 429, "too many requests"),
        ("modelscope", 503, "server error (503)"),
    ],
)
def test_what_the_hub_answers_is_told_with_what_to_do(
    source: str, status: int, said: str, hub: Hub, tmp_path: Path, impatient: None
) -> None:
    hub.status = status
    error = refusal(source, tmp_path)
    assert error.title.startswith("Could not download org/Tiny-Chat from")
    assert said in error.hint
    assert "network" not in error.hint


@BOTH
def test_a_file_that_is_listed_and_not_there_is_not_the_networks_fault(
    source: str, hub: Hub, tmp_path: Path
) -> None:
    hub.missing.add(WEIGHTS)
    assert "lists a file that it does not have" in refusal(source, tmp_path).hint


@BOTH
def test_a_model_that_is_not_there_is_said_so(source: str, hub: Hub, tmp_path: Path) -> None:
    error = refusal(source, tmp_path, "org/Nothing")
    assert error.title.startswith("There is no model org/Nothing on")
    assert "spelling" in error.hint
    assert download.fetched(tmp_path) == []
    error = refusal(source, tmp_path, "org/Tiny-Chat@v9")
    assert "revision “v9”" in error.title


def test_the_process_that_fetches_tells_it_in_the_persons_language(
    hub: Hub, tmp_path: Path
) -> None:
    with using_language("zh"):
        error = refusal("hf", tmp_path, "org/Nothing")
    assert error.title == "Hugging Face 上没有模型 org/Nothing，或它不公开。"


def test_a_gated_model_says_what_to_do(hub: Hub, tmp_path: Path) -> None:
    hub.gated.add("org/Gated")
    error = refusal("hf", tmp_path, "org/Gated")
    assert "requires you to request access" in error.title
    assert "HF_TOKEN" in error.hint


@BOTH
def test_without_a_network_the_reason_is_given(
    source: str, hub: Hub, tmp_path: Path, impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in hub.environment():
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    error = refusal(source, tmp_path)
    assert error.title.startswith("Could not download org/Tiny-Chat from")
    assert "to resume" in error.hint
    assert "Connection refused" in error.hint


@BOTH
def test_a_connection_that_always_breaks_off_is_told_in_words(
    source: str, hub: Hub, tmp_path: Path, impatient: None
) -> None:
    hub.cut["config.json"] = 99
    hint = refusal(source, tmp_path).hint
    assert hint.startswith("Check the network")
    assert hint.isascii(), "not in the language of the client's makers"


@BOTH
def test_what_could_not_be_used_is_refused_before_it_is_fetched(
    source: str, hub: Hub, tmp_path: Path
) -> None:
    folder = hub.repositories["org/Tiny-Chat"]
    config = folder / "config.json"
    whole = config.read_text()
    config.write_text(json.dumps({"model_type": "homemade", "auto_map": {"AutoConfig": "x.Y"}}))
    error = refusal(source, tmp_path)
    assert "running code of its own" in error.title
    assert "trust_remote_code" in error.title
    assert not hub.ranges(WEIGHTS)

    config.write_text(json.dumps({"architectures": ["T5ForConditionalGeneration"]}))
    error = refusal(source, tmp_path)
    assert "does not generate text (T5ForConditionalGeneration)" in error.title
    assert not hub.ranges(WEIGHTS)

    config.write_text(whole)
    (folder / WEIGHTS).rename(folder / "weights.bin")
    error = refusal(source, tmp_path / "other")
    assert "no weights in safetensors form" in error.title
    assert "can run code when opened" in error.hint
    (folder / "tiny.Q4_K_M.gguf").write_bytes(b"GGUF")
    assert "GGUF files" in refusal(source, tmp_path / "third").hint


@BOTH
def test_of_weights_that_are_there_twice_those_of_the_index_are_taken(
    source: str, hub: Hub, tmp_path: Path
) -> None:
    folder = hub.repositories["org/Tiny-Chat"]
    (folder / WEIGHTS).rename(folder / "model-00001-of-00001.safetensors")
    (folder / "consolidated.safetensors").write_bytes(b"the same again")
    index = {"weight_map": {"model.embed_tokens.weight": "model-00001-of-00001.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    path = fetch(source, tmp_path)
    assert [found.name for found in path.glob("*.safetensors")] == [
        "model-00001-of-00001.safetensors"
    ]


@BOTH
def test_removing_takes_it_off_the_disk(source: str, hub: Hub, tmp_path: Path) -> None:
    path = fetch(source, tmp_path)
    assert download.remove(model_on(source), tmp_path) > 100_000
    assert not path.exists()
    assert download.fetched(tmp_path) == []
    with pytest.raises(TuteeError, match="not on this machine"):
        download.remove(model_on(source), tmp_path)


def test_too_small_a_disk_is_said_before_the_weights_are_fetched(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.hub import download_process

    monkeypatch.setattr(download_process, "_MARGIN", 10**18)
    folder = tmp_path / "partial"
    folder.mkdir()
    with pytest.raises(TuteeError, match="MB more in"):
        download_process._fetch(
            model_on("modelscope"), folder, download_process._Reporter(sys.stdout, folder)
        )
    assert not hub.ranges(WEIGHTS)
