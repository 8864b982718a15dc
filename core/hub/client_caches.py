"""Models in the caches of the hubs' own clients, used in place and never changed.

    ~/.cache/huggingface/hub/models--owner--name/snapshots/COMMIT/       (HF_HUB_CACHE, HF_HOME)
    ~/.cache/modelscope/models/owner--name/snapshots/master/             (MODELSCOPE_CACHE)
    ~/.cache/modelscope/hub/models/owner/name/                           (older clients)

Nothing in these caches marks a model as complete, so one is used only if every file a chat model
needs is present and none is still being downloaded. Any other model is downloaded into Tutee's own
cache.

Left out on purpose: removing anything from these caches, and revisions they have no name for.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from core.hub.file_listing import INDEX
from core.hub.model_id import HubModel, hub_model
from core.hub.safety import refuse_files
from core.json_file import read_or_empty
from store.errors import TuteeError

_INCOMPLETE = ("*.incomplete", "*.parallel_tmp", "._____temp/*")
"""Patterns of the files that the clients are still downloading."""
_SMALL = (".json", ".jinja", ".model")
_WEIGHTS = "model.safetensors"


def find(model: HubModel) -> Path | None:
    """Return the folder of `model` in its client's cache, or None if it is not complete there."""
    look = _hugging_face if model.hub == "hf" else _modelscope
    return next((path for path in look(model) if _is_complete(path)), None)


def list_models() -> list[tuple[HubModel, Path]]:
    """Return the chat models in these caches, at the default revision of their hubs."""
    models = dict.fromkeys((*_hugging_face_models(), *_modelscope_models()))
    paths = ((model, find(model)) for model in models)
    return [(model, path) for model, path in paths if path is not None and _is_chat_model(path)]


# -- Hugging Face ----------------------------------------------------------------------------------


def _hub_cache() -> Path:
    named = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE")
    if named:
        return Path(named).expanduser()
    caches = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(os.environ.get("HF_HOME") or f"{caches}/huggingface").expanduser() / "hub"


def _hugging_face(model: HubModel) -> Iterator[Path]:
    repository = _hub_cache() / f"models--{model.owner}--{model.name}"
    if any((repository / "blobs").glob(_INCOMPLETE[0])):
        return
    revision = model.revision or "main"
    with suppress(OSError):
        revision = (repository / "refs" / revision).read_text(encoding="utf-8").strip()
    # Newer clients store the file list; every small file such as the tokenizer's must be present.
    listed = read_or_empty(repository / "trees" / f"{revision}.json").get("files", {})
    wanted = {name for name in listed if "/" not in name and name.endswith(_SMALL)}
    snapshot = repository / "snapshots" / revision
    if all((snapshot / name).is_file() for name in wanted):
        yield snapshot


def _hugging_face_models() -> Iterator[HubModel]:
    for repository in sorted(_hub_cache().glob("models--*--*")):
        _, owner, name = repository.name.split("--", 2)
        yield from _valid(f"hf:{owner}/{name}")


# -- ModelScope ------------------------------------------------------------------------------------


def _modelscope_cache() -> Path:
    return Path(os.environ.get("MODELSCOPE_CACHE") or "~/.cache/modelscope").expanduser()


def _modelscope(model: HubModel) -> Iterator[Path]:
    base = _modelscope_cache()
    revision = model.revision or "master"
    candidates = [base / "models" / f"{model.owner}--{model.name}" / "snapshots" / revision]
    if not model.revision:
        candidates += [
            base / above / model.owner / model.name.replace(".", "___")
            for above in ("models", "hub/models", "hub")
        ]
    for path in candidates:
        if not any(next(path.glob(pattern), None) for pattern in _INCOMPLETE):
            yield path


def _modelscope_models() -> Iterator[HubModel]:
    base = _modelscope_cache()
    for path in sorted((base / "models").glob("*--*")):
        yield from _valid(f"modelscope:{path.name.replace('--', '/', 1)}")
    for above in ("models", "hub/models", "hub"):
        for path in sorted((base / above).glob("*/*")):
            yield from _valid(f"modelscope:{path.parent.name}/{path.name.replace('___', '.')}")


# -- folder contents ------------------------------------------------------------------------------


def _valid(spec: str) -> Iterator[HubModel]:
    with suppress(TuteeError):
        if model := hub_model(spec):
            yield model


def _is_complete(path: Path) -> bool:
    try:
        names = {entry.name for entry in path.iterdir() if entry.is_file()}
        refuse_files("", names)
    except (OSError, TuteeError):
        return False
    wanted = {"tokenizer_config.json"}
    wanted |= set(read_or_empty(path / INDEX).get("weight_map", {}).values()) or {_WEIGHTS}
    return wanted <= names


def _is_chat_model(path: Path) -> bool:
    kinds = read_or_empty(path / "config.json").get("architectures") or ()
    return any(str(kind).endswith("ForCausalLM") for kind in kinds)
