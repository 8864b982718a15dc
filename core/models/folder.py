"""Find a base model on disk, checked and named.

A base is a folder in transformers' format: `config.json`, safetensors weights, a tokenizer. Hub ids
and GGUF files are turned into such a folder first. `find` checks the folder without importing
torch; no code in it is ever run, and pickled weights are never opened. `core.models.loading` loads
it.
"""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from pathlib import Path

from core import json_file
from core.config import BUILTIN, FourBit
from core.hub import download
from core.hub.file_listing import INDEX
from core.hub.lock import ProgressCallback, ShouldStop
from core.hub.model_id import hub_model, is_gguf, no_such_folder
from core.hub.safety import TOKENIZERS, refuse_code, refuse_files, refuse_kind
from core.models import builtin, chat_templates, gguf_import
from core.models.consistency import require_consistent, tensor_shapes
from store.errors import TuteeError
from store.i18n import _

_IDENTITY = (
    "config.json",
    *TOKENIZERS,
    "merges.txt",
    "tokenizer_config.json",
    "chat_template.jinja",
)
"""The small files that, together with the weights, determine the model's replies."""
_SAMPLES, _SAMPLE_BYTES = 64, 4096


@dataclass(frozen=True)
class ModelFolder:
    path: Path
    id: str
    """Directory name of its adapters, so that adapters of different bases never mix."""
    label: str
    """Short name for the status bar."""
    revision: str
    """Hash of everything that determines the model's replies; see `find`."""
    four_bit: FourBit = "auto"
    """Whether the settings ask for 4-bit weights; see `core.models.quantization`."""


def find(
    spec: str, cache: Path, on_progress: ProgressCallback, should_stop: ShouldStop = lambda: False
) -> ModelFolder:
    """Return the model that `spec` names, downloading or converting it first if needed.

    `spec` is `builtin`, a hub id (`core.hub.model_id`), or the path of a folder or a GGUF file.

    The revision hashes the small files whole; of each weights file it hashes the size, the header
    and evenly spaced slices, because reading gigabytes at every start would take longer than
    loading them. Any training changes some of the slices.

    Raises:
        TuteeError: Tutee cannot use the model, or it cannot be obtained; the hint says what to do.
    """
    if spec == BUILTIN:
        builtin.folder(cache, on_progress, should_stop)
    elif model := hub_model(spec):
        download.fetch(model, cache, on_progress, should_stop)
    elif is_gguf(spec):
        gguf_import.folder(_local(spec), cache, on_progress, should_stop)
    return named(spec, cache)


def named(spec: str, cache: Path) -> ModelFolder:
    """Return what `find` returns, without downloading; the built-in model may not be there yet.

    Raises:
        NotFetched: the model is on a hub and not on this machine.
        TuteeError: as `find`.
    """
    if spec == BUILTIN:
        path = builtin.target(cache)
        name, label, revision = builtin.NAME, builtin.LABEL, builtin.SHA256
    else:
        path, known_as = _place(spec, cache)
        name, label, revision = _slug(known_as), known_as[:32], _revision(path)
    return ModelFolder(path, f"{name}-{revision[:8]}", label, revision)


def _place(spec: str, cache: Path) -> tuple[Path, str]:
    """Return the checked folder for `spec`, and its display name."""
    if model := hub_model(spec):
        return _checked(download.downloaded_folder(model, cache)), model.name
    path = _local(spec)
    if is_gguf(spec):
        return _checked(gguf_import.whole(path, cache)), path.stem
    if not path.is_dir():
        raise no_such_folder(spec, path)
    return _checked(path), path.name


def _local(spec: str) -> Path:
    return Path(spec).expanduser().resolve()


def chat_template(folder: ModelFolder) -> str | None:
    """Return the chat template without loading the tokenizer; None if the folder is missing.

    A model without a template gets one from `core.models.chat_templates`.

    Raises:
        TuteeError: the files exist but cannot be read.
    """
    own = _chat_template(folder.path)
    return own or (chat_templates.fitting(folder.path) if folder.path.is_dir() else None)


def has_template(folder: ModelFolder) -> bool:
    """Whether the model came with a chat template of its own."""
    return bool(_chat_template(folder.path))


def has_named_templates(folder: ModelFolder) -> bool:
    """Whether the model came with templates for special uses, such as tools."""
    settings = json_file.read_or_empty(folder.path / "tokenizer_config.json")
    named = settings.get("chat_template")
    return (isinstance(named, list) and bool(named)) or any(
        (folder.path / "additional_chat_templates").glob("*.jinja")
    )


def weights(path: Path) -> int:
    """Count the parameters by the safetensors headers; 0 if they cannot be read."""
    try:
        return sum(prod(shape) for _name, shape in tensor_shapes(path))
    except TuteeError:
        return 0


# -- checks --------------------------------------------------------------------------------------


def _checked(path: Path) -> Path:
    names = {entry.name for entry in path.iterdir()}
    where = _("The model in {path}").format(path=path)
    if "config.json" not in names and not any(name.endswith(".safetensors") for name in names):
        title = _("The folder {path} holds no model: it has no config.json.").format(path=path)
        hint = _("Give the folder that holds config.json and the weights in safetensors form.")
        raise TuteeError(title, hint)
    refuse_files(where, names)
    config = json_file.read(path / "config.json") or {}
    refuse_code(where, config)
    refuse_kind(where, config)
    require_consistent(path, config)
    index = (json_file.read(path / INDEX) or {}).get("weight_map", {})
    if not isinstance(index, dict) or not all(isinstance(name, str) for name in index.values()):
        raise TuteeError(
            _("{file} does not say in which file each tensor is.").format(file=path / INDEX),
            _("Fetch that file again."),
        )
    missing = sorted(set(index.values()) - names)
    if missing:
        raise TuteeError(
            _(
                "{where} is incomplete: {count} of its files of weights are missing, among "
                "them {file}."
            ).format(where=where, count=len(missing), file=missing[0]),
            _("Fetch them, and put them beside the others."),
        )
    return path


def _chat_template(path: Path) -> str | None:
    """Find the template the way transformers does."""
    try:
        return (path / "chat_template.jinja").read_text(encoding="utf-8")
    except FileNotFoundError:
        pass
    except (OSError, UnicodeDecodeError) as error:
        title = _("Cannot read the chat template in {path}: {why}.").format(path=path, why=error)
        raise TuteeError(title) from error
    template = (json_file.read(path / "tokenizer_config.json") or {}).get("chat_template")
    if isinstance(template, list):
        named = [entry for entry in template if isinstance(entry, dict)]
        template = next((e.get("template") for e in named if e.get("name") == "default"), None)
    return template if isinstance(template, str) else None


# -- names ---------------------------------------------------------------------------------------


def _slug(name: str) -> str:
    """Turn `name` into a file name that is valid on every file system."""
    return re.sub(r"[^a-z0-9._]+", "-", name.lower()).strip("-._")[:48] or "model"


def _revision(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        for name in _IDENTITY:
            if (path / name).is_file():
                digest.update(f"{name}\0".encode())
                digest.update((path / name).read_bytes())
        for weights in sorted(path.glob("*.safetensors")):
            digest.update(f"{weights.name}\0{weights.stat().st_size}\0".encode())
            _sample(weights, digest.update)
    except OSError as error:
        title = _("Cannot read the model in {path}: {why}.").format(path=path, why=error)
        raise TuteeError(title) from error
    return digest.hexdigest()


def _sample(weights: Path, take: Callable[[bytes], None]) -> None:
    """Feed `take` the header of a safetensors file and evenly spaced slices of the rest."""
    with weights.open("rb") as file:
        header = int.from_bytes(file.read(8), "little")
        size = weights.stat().st_size
        take(file.read(header))
        for part in range(_SAMPLES):
            file.seek(8 + header + (size - 8 - header) * part // _SAMPLES)
            take(file.read(_SAMPLE_BYTES))
