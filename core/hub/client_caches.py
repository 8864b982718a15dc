"""Models that other programs have fetched: used where they lie, and never changed.

    ~/.cache/huggingface/hub/models--owner--name/snapshots/COMMIT/       (HF_HUB_CACHE, HF_HOME)
    ~/.cache/modelscope/models/owner--name/snapshots/master/             (MODELSCOPE_CACHE)
    ~/.cache/modelscope/hub/models/owner/name/                           as its older clients had it

Nothing in these caches says that a model is whole, so it is taken only where all that a chat model
needs is there and nothing of it is still coming; any other is fetched into Tutee's own cache.

Left out on purpose: removing anything from there, and revisions that nothing there has the name of.
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

_COMING = ("*.incomplete", "*.parallel_tmp", "._____temp/*")
"""What the clients call files that are not whole yet."""
_SMALL = (".json", ".jinja", ".model")
_WEIGHTS = "model.safetensors"


def place(model: HubModel) -> Path | None:
    """Where `model` lies whole in the cache of its hub's clients; None where it does not."""
    look = _hugging_face if model.hub == "hf" else _modelscope
    return next((path for path in look(model) if _whole(path)), None)


def found() -> list[tuple[HubModel, Path]]:
    """The models in these caches that chat, at the revision their hubs give by default."""
    models = dict.fromkeys((*_named_on_hugging_face(), *_named_on_modelscope()))
    there = ((model, place(model)) for model in models)
    return [(model, path) for model, path in there if path is not None and _chats(path)]


# -- Hugging Face ----------------------------------------------------------------------------------


def _hub_cache() -> Path:
    named = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE")
    if named:
        return Path(named).expanduser()
    caches = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(os.environ.get("HF_HOME") or f"{caches}/huggingface").expanduser() / "hub"


def _hugging_face(model: HubModel) -> Iterator[Path]:
    repository = _hub_cache() / f"models--{model.owner}--{model.name}"
    if any((repository / "blobs").glob(_COMING[0])):
        return
    revision = model.revision or "main"
    with suppress(OSError):
        revision = (repository / "refs" / revision).read_text(encoding="utf-8").strip()
    # Its newer clients keep what the repository holds: what reads text must be there with the rest.
    held = read_or_empty(repository / "trees" / f"{revision}.json").get("files", {})
    wanted = {name for name in held if "/" not in name and name.endswith(_SMALL)}
    snapshot = repository / "snapshots" / revision
    if all((snapshot / name).is_file() for name in wanted):
        yield snapshot


def _named_on_hugging_face() -> Iterator[HubModel]:
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
        if not any(next(path.glob(pattern), None) for pattern in _COMING):
            yield path


def _named_on_modelscope() -> Iterator[HubModel]:
    base = _modelscope_cache()
    for path in sorted((base / "models").glob("*--*")):
        yield from _valid(f"modelscope:{path.name.replace('--', '/', 1)}")
    for above in ("models", "hub/models", "hub"):
        for path in sorted((base / above).glob("*/*")):
            yield from _valid(f"modelscope:{path.parent.name}/{path.name.replace('___', '.')}")


# -- what is in a folder ---------------------------------------------------------------------------


def _valid(spec: str) -> Iterator[HubModel]:
    with suppress(TuteeError):
        if model := hub_model(spec):
            yield model


def _whole(path: Path) -> bool:
    """Whether everything is in `path` that Tutee needs of a model."""
    try:
        names = {entry.name for entry in path.iterdir() if entry.is_file()}
        refuse_files("", names)
    except (OSError, TuteeError):
        return False
    wanted = {"tokenizer_config.json"}
    wanted |= set(read_or_empty(path / INDEX).get("weight_map", {}).values()) or {_WEIGHTS}
    return wanted <= names


def _chats(path: Path) -> bool:
    kinds = read_or_empty(path / "config.json").get("architectures") or ()
    return any(str(kind).endswith("ForCausalLM") for kind in kinds)
