"""Convert a GGUF file to a model folder in the cache, dequantized, once.

Training needs plain numbers, and the rest of Tutee knows one model format only. Weights are stored
in 16 bits, far finer than the quantization in the file (a 32-bit file loses a little). The folder
is named after the file's content, so a changed file is another model.

Left out on purpose: split files (`-00001-of-00003.gguf`), and anything transformers cannot read
from GGUF, reads wrongly, or that no test here covers (`core.models.gguf_compat`). All are refused.
"""

import hashlib
import os
import re
import shutil
from pathlib import Path
from typing import Any

from core.events import ModelLoading
from core.hub.disk_usage import remove as remove_folders
from core.hub.lock import ProgressCallback, ShouldStop, exclusive
from core.hub.model_id import is_gguf
from core.models import gguf_compat
from core.runtime.library_logging import hush
from store.errors import TuteeError
from store.i18n import _
from store.storage import sync_folder

_SAMPLES, _SAMPLE_BYTES = 64, 65536
_MAGIC = b"GGUF"
_PARTS = re.compile(r"-\d{5}-of-\d{5}$")


def target(file: Path, cache: Path) -> Path:
    """Return the folder for the model in `file`, whether or not it exists yet.

    Raises:
        TuteeError: there is no such file, or it is not a GGUF file.
    """
    digest = hashlib.sha256()
    try:
        size = file.stat().st_size
        with file.open("rb") as stream:
            magic = stream.read(len(_MAGIC))
            for part in range(_SAMPLES):
                stream.seek(size * part // _SAMPLES)
                digest.update(stream.read(_SAMPLE_BYTES))
    except FileNotFoundError:
        title = _("There is no file {file}.").format(file=file)
        raise TuteeError(title, _("Check its path.")) from None
    except OSError as error:
        raise TuteeError(_("Cannot read {path}: {why}.").format(path=file, why=error)) from error
    if magic != _MAGIC:
        title = _("{file} is no GGUF file.").format(file=file)
        raise TuteeError(title, _("It may not have been fetched whole."))
    if _PARTS.search(file.stem):
        raise TuteeError(
            _("{file} is one part of a model in several files, which Tutee does not read.").format(
                file=file.name
            ),
            _("Join them with llama.cpp's `llama-gguf-split --merge`, or use its safetensors."),
        )
    digest.update(str(size).encode())
    return folders(cache) / f"{file.stem}-{digest.hexdigest()[:12]}"


def folders(cache: Path) -> Path:
    """Parent of all folders converted from GGUF files."""
    return cache / "models" / "gguf"


def whole(file: Path, cache: Path) -> Path:
    """Return the folder converted from `file`.

    Raises:
        TuteeError: it has not been converted yet.
    """
    place = target(file, cache)
    if not place.is_dir():
        title = _("{file} has not been converted yet.").format(file=file.name)
        hint = _("`tutee models fetch {file}` converts it, or choose it in the app (Ctrl+O).")
        raise TuteeError(title, hint.format(file=file))
    return place


def folder(file: Path, cache: Path, on_progress: ProgressCallback, should_stop: ShouldStop) -> Path:
    """Return the folder converted from `file`, converting it first if needed.

    Raises:
        TuteeError: the file cannot be read, its architecture is unknown, or there is no room.
    """
    place = target(file, cache)
    if place.is_dir():
        return place
    partial = place.with_name(f".{place.name}.partial")
    try:
        with exclusive(place, file.name, on_progress, should_stop):
            if not place.is_dir():
                on_progress(ModelLoading(_("Converting {file}").format(file=file.name)))
                shutil.rmtree(partial, ignore_errors=True)
                partial.mkdir(mode=0o700, parents=True)
                _convert(file, partial)
                for path in partial.iterdir():
                    path.chmod(0o600)
                os.rename(partial, place)
                sync_folder(place.parent)
    except OSError as error:
        title = _("{file} could not be converted: {why}.").format(file=file.name, why=error)
        raise TuteeError(title) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return place


def remove(path: Path, cache: Path) -> int:
    """Remove a converted folder and return the bytes freed; its GGUF file stays.

    Args:
        path: Of the folder, or of its GGUF file.

    Raises:
        TuteeError: no file was converted to this folder, or the disk refuses.
    """
    place = whole(path, cache) if is_gguf(str(path)) else path
    if place.parent.resolve() != folders(cache).resolve() or not place.is_dir():
        title = _("{path} is no model that Tutee has fetched or converted.").format(path=path)
        raise TuteeError(title, _("It can remove only those; `tutee models list` shows them."))
    return remove_folders([place], place.name)


def _convert(file: Path, directory: Path) -> None:
    hush()
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    try:
        facts = gguf_compat.Facts(file)
        gguf_compat.require_read(facts)
        model = AutoModelForCausalLM.from_pretrained(
            file.parent, gguf_file=file.name, dtype=torch.float16
        )
        tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
    except TuteeError:
        raise
    except Exception as error:  # broken files fail in too many ways to enumerate
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        title = _("{file} cannot be read as a model: {said}").format(file=file.name, said=said)
        raise TuteeError(title, _("Use the safetensors of the model instead.")) from error
    gguf_compat.split_as_told(tokenizer, facts)
    gguf_compat.stretch_as_told(model.config, facts)
    gguf_compat.attend_as_told(model.config, facts)
    plain(model).save_pretrained(directory)
    tokenizer.model_max_length = model.config.max_position_embeddings
    tokenizer.save_pretrained(directory)


def plain(model: Any) -> Any:
    """Strip what transformers records about the source file.

    The weights are plain numbers by now; a leftover quantization config would make transformers
    refuse to save them.
    """
    model.hf_quantizer = None
    model.is_quantized = False
    for leftover in ("quantization_config", "_model_name_or_path"):
        model.config.__dict__.pop(leftover, None)
    model.config.name_or_path = ""
    return model
