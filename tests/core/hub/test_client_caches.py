"""What the hubs' own clients have fetched is used where it lies, and only where it is whole."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from core.hub import client_caches, download
from core.hub.model_id import HubModel, hub_model
from core.models import catalog
from core.models.folder import ModelFolder, find, named
from core.models.loading import load_tokenizer
from store.errors import TuteeError
from tests.hub import Hub

SPECS = ("hf:org/Tiny-Chat", "modelscope:org/Tiny-Chat")
CLIENTS = {
    "hf": "from huggingface_hub import snapshot_download; snapshot_download({name!r})",
    "modelscope": "from modelscope import snapshot_download; snapshot_download({name!r})",
}

each_hub = pytest.mark.parametrize("spec", SPECS)


def model(spec: str) -> HubModel:
    found = hub_model(spec)
    assert found is not None
    return found


def fetched_elsewhere(spec: str) -> Path:
    """Have the hub's own client fetch a model into its own cache."""
    one = model(spec)
    subprocess.run(
        [sys.executable, "-c", CLIENTS[one.hub].format(name=one.repository)],
        env={**os.environ, "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1"},
        check=True,
        capture_output=True,
    )
    path = client_caches.find(one)
    assert path is not None
    return path


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@each_hub
def test_it_is_used_listed_and_left_as_it_is(
    spec: str, hub: Hub, tiny_folder: ModelFolder, tmp_path: Path
) -> None:
    place = fetched_elsewhere(spec)
    before, asked = contents(place), len(hub.asked)
    cache = tmp_path / "cache"
    folder = find(spec, cache, lambda event: pytest.fail("nothing is to be fetched"))
    assert folder.path == place
    assert folder.revision == tiny_folder.revision, "the same files are the same base"
    assert load_tokenizer(folder).chat_template
    assert named(spec, cache) == folder
    assert len(hub.asked) == asked
    (one,) = [known for known in catalog.known(cache) if known.spec == spec]
    assert (one.state, one.path, one.shared) == ("here", place, True)
    assert one.size == sum(map(len, before.values()))
    with pytest.raises(TuteeError, match="is in the cache of"):
        download.remove(model(spec), cache)
    assert contents(place) == before


@each_hub
@pytest.mark.parametrize(
    "missing", ["model.safetensors", "config.json", "tokenizer.json", "tokenizer_config.json"]
)
def test_one_that_is_not_whole_is_fetched(
    spec: str, missing: str, hub: Hub, tmp_path: Path
) -> None:
    place = fetched_elsewhere(spec)
    (place / missing).unlink()
    assert client_caches.find(model(spec)) is None
    assert client_caches.list_models() == []
    folder = find(spec, tmp_path / "cache", lambda event: None)
    assert folder.path == download.target(model(spec), tmp_path / "cache")


@each_hub
def test_one_that_is_still_coming_is_fetched(spec: str, hub: Hub) -> None:
    place = fetched_elsewhere(spec)
    coming = place.parents[1] / "blobs" if spec.startswith("hf:") else place
    coming.mkdir(exist_ok=True)
    (coming / "other.incomplete").touch()
    assert client_caches.find(model(spec)) is None


def test_one_without_its_chat_template_is_fetched(hub: Hub) -> None:
    place = fetched_elsewhere(SPECS[0])
    (place / "chat_template.jinja").unlink()
    assert client_caches.find(model(SPECS[0])) is None


def test_weights_in_parts_are_whole_with_all_parts(hub: Hub) -> None:
    place = fetched_elsewhere(SPECS[1])
    (place / "model.safetensors").rename(place / "model-00001-of-00002.safetensors")
    parts = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    (place / "model.safetensors.index.json").write_text(json.dumps({"weight_map": parts}))
    assert client_caches.find(model(SPECS[1])) is None
    (place / parts["b"]).touch()
    assert client_caches.find(model(SPECS[1])) == place


def test_a_revision_is_found_by_its_name_or_its_commit(hub: Hub) -> None:
    place = fetched_elsewhere(SPECS[0])
    assert client_caches.find(model(f"{SPECS[0]}@main")) == place
    assert client_caches.find(model(f"{SPECS[0]}@{place.name}")) == place
    assert client_caches.find(model(f"{SPECS[0]}@v9")) is None


@pytest.mark.parametrize("above", ["models", "hub/models", "hub"])
def test_older_clients_of_modelscope(
    above: str, hub: Hub, tiny_folder: ModelFolder, tmp_path: Path
) -> None:
    place = tmp_path / "modelscope-home" / above / "org" / "Tiny-1___5-Chat"
    shutil.copytree(tiny_folder.path, place)
    assert client_caches.list_models() == [(model("modelscope:org/Tiny-1.5-Chat"), place)]


def test_models_that_do_not_chat_are_not_listed(hub: Hub) -> None:
    place = fetched_elsewhere(SPECS[1])
    said = json.loads((place / "config.json").read_text())
    (place / "config.json").write_text(json.dumps({**said, "architectures": ["BertModel"]}))
    assert client_caches.list_models() == []


def test_tutee_s_own_goes_first(hub: Hub, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    own = find(SPECS[0], cache, lambda event: None).path
    assert own == download.target(model(SPECS[0]), cache)
    fetched_elsewhere(SPECS[0])
    assert find(SPECS[0], cache, lambda event: None).path == own
    (one,) = [one for one in download.fetched(cache) if one.model.hub == "hf"]
    assert (one.path, one.shared) == (own, False)


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("HF_HUB_CACHE", "a", "a"),
        ("HF_HOME", "b", "b/hub"),
        ("XDG_CACHE_HOME", "c", "c/huggingface/hub"),
    ],
)
def test_where_the_cache_of_hugging_face_is(
    name: str, value: str, wanted: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for other in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv(name, str(tmp_path / value))
    assert client_caches._hub_cache() == tmp_path / wanted
