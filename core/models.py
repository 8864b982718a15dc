"""Find a base model and load it.

A base is a folder as transformers writes it: `config.json`, weights in safetensors, a tokenizer.
`core.sources` makes such a folder of whatever else a person names. `find` checks it without
importing torch and gives it a name; nothing in it is ever run as code, and pickled weights are not
opened. Where it has no chat template, `core.templates` has one.
"""

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

from core import builtin, direct, objects, quantising, templates
from core import device as devices
from core.config import BUILTIN, FourBit
from core.events import ModelLoading
from core.quiet import hush
from core.sources import gguf, hubs
from core.sources.listing import INDEX
from core.sources.names import hub_model, is_gguf, no_such_folder
from core.sources.safety import TOKENIZERS, refuse_code, refuse_files, refuse_kind
from store.errors import TuteeError
from store.language import _, sentences

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_IDENTITY = (
    "config.json",
    *TOKENIZERS,
    "merges.txt",
    "tokenizer_config.json",
    "chat_template.jinja",
)
"""The small files that, with the weights, decide what the model says."""
_SAMPLES, _SAMPLE_BYTES = 64, 4096


@dataclass(frozen=True)
class ModelFolder:
    """A base model on disk."""

    path: Path
    id: str
    """Names the base on disk: adapters of different bases never mix."""
    label: str
    """Short, for the status bar."""
    revision: str
    """Hash of what decides the model's replies; see `find`."""
    four_bit: FourBit = "auto"
    """What the settings say of keeping it in 4 bits; see `core.quantising`."""


def find(
    spec: str,
    cache: Path,
    on_progress: Callable[[ModelLoading], None],
    should_stop: Callable[[], bool] = lambda: False,
) -> ModelFolder:
    """The model that `spec` names, fetched or converted first where the cache lacks it.

    `spec` is `builtin`, the id of a model on a hub (`core.sources.names`), or the path of a folder
    or a GGUF file.

    The revision of a folder hashes its small files whole, and of each file of weights the size,
    the header and slices taken evenly from all of it: reading gigabytes at each start would take
    longer than loading them, and no training leaves all of those slices as they were.

    Raises:
        TuteeError: it is not a model Tutee can use, or it cannot be had; the hint says what to do.
    """
    if spec == BUILTIN:
        builtin.folder(cache, on_progress, should_stop)
    elif model := hub_model(spec):
        hubs.fetch(model, cache, on_progress, should_stop)
    elif is_gguf(spec):
        gguf.folder(_local(spec), cache, on_progress, should_stop)
    return named(spec, cache)


def named(spec: str, cache: Path) -> ModelFolder:
    """What `find` gives, without fetching: the built-in model's folder may not be there yet.

    Raises:
        NotFetched: it is on a hub, and not on this machine.
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
    """The checked folder that `spec` stands for, and what it is known as."""
    if model := hub_model(spec):
        return _checked(hubs.whole(model, cache)), model.name
    path = _local(spec)
    if is_gguf(spec):
        return _checked(gguf.whole(path, cache)), path.stem
    if not path.is_dir():
        raise no_such_folder(spec, path)
    return _checked(path), path.name


def _local(spec: str) -> Path:
    return Path(spec).expanduser().resolve()


def chat_template(folder: ModelFolder) -> str | None:
    """The chat template of `folder`, without loading the tokenizer; None where it is not there.

    Raises:
        TuteeError: the files are there and cannot be read.
    """
    own = _chat_template(folder.path)
    return own or (templates.fitting(folder.path) if folder.path.is_dir() else None)


def has_template(folder: ModelFolder) -> bool:
    """Whether `folder` came with a chat template."""
    return bool(_chat_template(folder.path))


def notice(folder: ModelFolder) -> str:
    """What a person who uses `folder` should know; most often nothing."""
    said = [] if has_template(folder) else [_(templates.NOTICE)]
    if folder.four_bit == "auto" and (choice := quantised(folder)).four_bit:
        said.append(_("The model is kept in 4 bits: {why}.").format(why=choice.why))
    return sentences(said)


def load_tokenizer(folder: ModelFolder) -> "PreTrainedTokenizerBase":
    """The tokenizer of `folder`, with its chat template."""
    hush()
    try:
        found = direct.tokenizer(folder.path)
        tokenizer = _auto_tokenizer(folder.path) if found is None else found
    except Exception as error:
        raise _unreadable(
            _("The tokenizer in {folder} could not be loaded: {said}"), folder, error
        ) from error
    tokenizer.chat_template = tokenizer.chat_template or chat_template(folder)
    return tokenizer


def _auto_tokenizer(path: Path) -> "PreTrainedTokenizerBase":
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(path, local_files_only=True, trust_remote_code=False)


def load_model(folder: ModelFolder, dtype: "torch.dtype | None" = None) -> "PreTrainedModel":
    """The weights of `folder`, ready for inference.

    On the graphics card in bfloat16 where there is one, or in 4 bits (`quantised`), else in float32
    on what there is (`core.device`); `dtype` asks for another.
    """
    hush()
    devices.settle()
    from transformers import AutoModelForCausalLM

    packed = dtype is None and quantised(folder).four_bit
    full = {"dtype": dtype or devices.dtype()}
    try:
        model, info = AutoModelForCausalLM.from_pretrained(
            folder.path,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            output_loading_info=True,
            **(quantising.options() if packed else full),
        )
    except Exception as error:
        raise _unreadable(
            _("The model in {folder} could not be loaded: {said}"), folder, error
        ) from error
    if info["missing_keys"]:
        # transformers would go on with random numbers in their place.
        raise TuteeError(
            _(
                "The weights in {folder} are incomplete: {count} tensors are missing, "
                "among them {tensor}."
            ).format(
                folder=folder.path,
                count=len(info["missing_keys"]),
                tensor=min(info["missing_keys"]),
            ),
            _("Fetch the model again, and check that it is one that writes text."),
        )
    if packed:
        return quantising.settled(model.eval())
    return model.eval().to(devices.device())


def quantised(folder: ModelFolder) -> quantising.Choice:
    """Whether `folder` is loaded in 4 bits on this machine, and why."""
    return quantising.choose(folder.four_bit, weights(folder.path), quantising.card())


def weights(path: Path) -> int:
    """How many numbers the model in `path` has, by the headers of its files; 0 where none say."""
    found = 0
    for file in path.glob("*.safetensors"):
        with file.open("rb") as stream:
            size = int.from_bytes(stream.read(8), "little")
            try:
                header = json.loads(stream.read(min(size, file.stat().st_size)))
            except ValueError:
                continue
        found += sum(prod(t["shape"]) for name, t in header.items() if name != "__metadata__")
    return found


# -- checks --------------------------------------------------------------------------------------


def _checked(path: Path) -> Path:
    """`path`, which holds a model that Tutee can load."""
    names = {entry.name for entry in path.iterdir()}
    where = _("The model in {path}").format(path=path)
    if "config.json" not in names and not any(name.endswith(".safetensors") for name in names):
        raise TuteeError(
            _("The folder {path} holds no model: it has no config.json.").format(path=path),
            _("Give the folder that holds config.json and the weights in safetensors form."),
        )
    refuse_files(where, names)
    config = objects.read(path / "config.json") or {}
    refuse_code(where, config)
    refuse_kind(where, config)
    index = objects.read(path / INDEX) or {}
    missing = sorted(set(index.get("weight_map", {}).values()) - names)
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
    """The one a tokenizer loaded from `path` uses, found as transformers finds it."""
    try:
        return (path / "chat_template.jinja").read_text(encoding="utf-8")
    except FileNotFoundError:
        pass
    except (OSError, UnicodeDecodeError) as error:
        raise TuteeError(
            _("Cannot read the chat template in {path}: {why}.").format(path=path, why=error)
        ) from error
    template = (objects.read(path / "tokenizer_config.json") or {}).get("chat_template")
    if isinstance(template, list):
        template = {entry["name"]: entry["template"] for entry in template}.get("default")
    return template


def _unreadable(title: str, folder: ModelFolder, error: Exception) -> TuteeError:
    # Broken folders fail in transformers in more ways than can be listed; all end up here.
    said = (str(error).strip() or type(error).__name__).splitlines()[0]
    return TuteeError(title.format(folder=folder.path, said=said))


# -- names ---------------------------------------------------------------------------------------


def _slug(name: str) -> str:
    """`name` as a part of a file name that every file system takes."""
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
        raise TuteeError(
            _("Cannot read the model in {path}: {why}.").format(path=path, why=error)
        ) from error
    return digest.hexdigest()


def _sample(weights: Path, take: Callable[[bytes], None]) -> None:
    """Give `take` the header of a safetensors file, and slices from all over the rest."""
    with weights.open("rb") as file:
        header = int.from_bytes(file.read(8), "little")
        size = weights.stat().st_size
        if header > size:
            raise TuteeError(
                _("The weights in {weights} are damaged or not all there.").format(weights=weights)
            )
        take(file.read(header))
        for part in range(_SAMPLES):
            file.seek(8 + header + (size - 8 - header) * part // _SAMPLES)
            take(file.read(_SAMPLE_BYTES))
