"""Facts about this installation, and how fast it answers, for a look or a bug report.

Left out on purpose: sending anything anywhere, and repairing what is found.
"""

import os
import platform
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from core.adapters.registry import Adapters
from core.config import Config
from core.hub.disk_usage import folder_size
from core.models.folder import ModelFolder
from core.models.loading import quantised
from core.runtime.device import device
from store.i18n import N_, _
from store.paths import Paths
from store.records import ChatMessage, Sampling

if TYPE_CHECKING:
    from core.serving.engine import Engine

_LIBRARIES = ("torch", "transformers", "tokenizers", "peft", "trl", "textual")
_QUESTION = (
    ChatMessage(role="user", content="Write a long story about a lighthouse keeper and the sea."),
)
_MIB = 2**20

Fact = tuple[str, str]
"""The English name, which is also the JSON field, and the value to show."""


def own_version() -> str:
    """Return Tutee's version, and the commit if it runs from a checkout."""
    root = Path(__file__).parents[1]
    commit = ""
    if (root / ".git").exists():
        asked = ["git", "-C", str(root), "rev-parse", "--short", "HEAD"]
        with suppress(OSError, subprocess.SubprocessError):
            done = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=5)
            commit = done.stdout.strip()
    return version("tutee") + (f" ({commit})" if commit else "")


def versions() -> Iterator[Fact]:
    """Yield the versions of Tutee, Python and the libraries that run the model."""
    yield "tutee", own_version()
    python = _("{python} on {system}")
    yield "python", python.format(python=platform.python_version(), system=platform.platform())
    yield N_("libraries"), ", ".join(f"{name} {version(name)}" for name in _LIBRARIES)


def machine() -> Iterator[Fact]:
    """Yield CPU, threads, memory and GPUs."""
    import psutil
    import torch

    memory = psutil.virtual_memory()
    name = _processor() or platform.machine()
    capability = torch.backends.cpu.get_cpu_capability()
    cpu = _("{name}, {count} cores, {capability}")
    yield N_("processor"), cpu.format(name=name, count=os.cpu_count(), capability=capability)
    yield N_("threads"), _("{count} of torch").format(count=torch.get_num_threads())
    room = _("{total:.1f} GiB, {free:.1f} free")
    yield N_("memory"), room.format(total=memory.total / 2**30, free=memory.available / 2**30)
    yield N_("device"), device()
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            free, total = (size / 2**30 for size in torch.cuda.mem_get_info(index))
            name = torch.cuda.get_device_name(index)
            card = _("{name}, {total:.1f} GiB, {free:.1f} free")
            yield N_("graphics card"), card.format(name=name, total=total, free=free)
    elif device() == "cpu":
        yield N_("graphics card"), _("none that torch can use")


def model(folder: ModelFolder, adapters: Adapters, paths: Paths) -> Iterator[Fact]:
    """Yield the model and version in use, and the disk space of downloaded models."""
    yield N_("model"), _("{model} in {folder}").format(model=folder.label, folder=folder.path)
    yield N_("version"), adapters.active()
    size = folder_size(paths.cache) / _MIB
    fetched = _("{size:,.0f} MiB in {folder}").format(size=size, folder=paths.cache)
    yield N_("fetched models"), fetched
    choice = quantised(folder)
    answer = _("yes: {why}") if choice.four_bit else _("no: {why}")
    yield N_("4-bit training"), answer.format(why=choice.why)


def serving(folder: ModelFolder, adapter: Path | None, config: Config) -> "tuple[Engine, Fact]":
    """Load the engine as the chat would, and tell how it keeps the weights.

    Raises:
        TuteeError: the model or the adapter cannot be loaded.
    """
    from core.serving.engine import Engine

    started = time.perf_counter()
    engine = Engine(folder, adapter, config.serving)
    seconds = time.perf_counter() - started
    backend = engine.backend
    kept = _("{precision}, {size:,.0f} MiB, ready after {seconds:.1f} s").format(
        precision=backend.precision, size=backend.nbytes / _MIB, seconds=seconds
    )
    return engine, (N_("chat weights"), kept)


def speed(engine: "Engine", seconds: float) -> Iterator[Fact]:
    """Measure prefill and decoding, for about `seconds`."""
    import psutil

    sampling = Sampling(max_new_tokens=4096)
    list(engine.stream(_QUESTION, sampling.model_copy(update={"max_new_tokens": 4}), 0))  # warm up
    long = (ChatMessage(role="user", content="The keeper looked at the grey sea. " * 20),)
    started = time.perf_counter()
    list(engine.stream(long, sampling.model_copy(update={"max_new_tokens": 1}), 0))
    took = time.perf_counter() - started
    assert engine.last is not None  # set by an exhausted stream
    yield N_("reads"), _("{speed:,.0f} tokens/s").format(speed=engine.last.prompt_tokens / took)
    until, written, spent, seed = time.perf_counter() + seconds, 0, 0.0, 0
    while time.perf_counter() < until:
        began = 0.0
        for _text in engine.stream(_QUESTION, sampling, seed, lambda: time.perf_counter() > until):
            began = began or time.perf_counter()
        if began:
            written, spent = written + engine.last.tokens, spent + time.perf_counter() - began
        seed += 1
    rate = _("{speed:,.0f} tokens/s").format(speed=written / spent) if spent else _("nothing")
    yield N_("writes"), rate
    resident = psutil.Process().memory_info().rss / _MIB
    yield N_("takes"), _("{size:,.0f} MiB of memory").format(size=resident)


def _processor() -> str:
    """Return the CPU's name; on Linux `platform` does not know it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
