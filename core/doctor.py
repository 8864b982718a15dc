"""What Tutee runs on here, and how fast it answers: facts to look at, and to put into a report.

Left out on purpose: anything that would leave the machine, and mending what is found.
"""

import os
import platform
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from core.adapters import Adapters
from core.config import Config
from core.models import ModelFolder
from core.sources.disk import arrived
from store.paths import Paths
from store.records import Sampling, Turn

if TYPE_CHECKING:
    from core.engine import Engine

_LIBRARIES = ("torch", "transformers", "tokenizers", "peft", "trl", "textual")
_ASKED = (Turn(role="user", content="Write a long story about a lighthouse keeper and the sea."),)
_MIB = 2**20

Fact = tuple[str, str]
"""What it is, and its value."""


def versions() -> Iterator[Fact]:
    """Of Tutee, Python and the libraries that decide what the model does."""
    yield "tutee", version("tutee")
    yield "python", f"{platform.python_version()} on {platform.platform()}"
    yield "libraries", ", ".join(f"{name} {version(name)}" for name in _LIBRARIES)


def machine() -> Iterator[Fact]:
    """Processor, threads, memory and graphics cards."""
    import psutil
    import torch

    memory = psutil.virtual_memory()
    name = _processor() or platform.machine()
    capability = torch.backends.cpu.get_cpu_capability()
    yield "processor", f"{name}, {os.cpu_count()} cores, {capability}"
    yield "threads", f"{torch.get_num_threads()} of torch"
    yield "memory", f"{memory.total / 2**30:.1f} GiB, {memory.available / 2**30:.1f} free"
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            free, total = torch.cuda.mem_get_info(index)
            yield (
                "graphics card",
                f"{torch.cuda.get_device_name(index)},"
                f" {total / 2**30:.1f} GiB, {free / 2**30:.1f} free",
            )
    else:
        yield "graphics card", "none that torch can use"


def model(folder: ModelFolder, adapters: Adapters, paths: Paths) -> Iterator[Fact]:
    """Which model and version answer, and what fetched models take on the disk."""
    yield "model", f"{folder.label} in {folder.path}"
    yield "version", adapters.active()
    yield "fetched models", f"{arrived(paths.cache) / _MIB:,.0f} MiB in {paths.cache}"


def serving(folder: ModelFolder, adapter: Path | None, config: Config) -> "tuple[Engine, Fact]":
    """The engine the chat would use, and how it keeps the weights.

    Raises:
        TuteeError: the model or the adapter cannot be loaded.
    """
    from core.engine import Engine

    started = time.perf_counter()
    engine = Engine(folder, adapter, config.serving)
    seconds = time.perf_counter() - started
    backend = engine.backend
    size = f"{backend.nbytes / _MIB:,.0f} MiB"
    return engine, ("weights", f"{backend.precision}, {size}, ready after {seconds:.1f} s")


def speed(engine: "Engine", seconds: float) -> Iterator[Fact]:
    """How fast prompts are read and replies written, measured for about so many seconds."""
    import psutil

    sampling = Sampling(max_new_tokens=4096)
    list(engine.stream(_ASKED, sampling.model_copy(update={"max_new_tokens": 4}), 0))  # warm up
    long = (Turn(role="user", content="The keeper looked at the grey sea. " * 20),)
    started = time.perf_counter()
    list(engine.stream(long, sampling.model_copy(update={"max_new_tokens": 1}), 0))
    took = time.perf_counter() - started
    assert engine.last is not None  # set by an exhausted stream
    yield "reads", f"{engine.last.prompt_tokens / took:,.0f} tokens/s"
    until, written, spent, seed = time.perf_counter() + seconds, 0, 0.0, 0
    while time.perf_counter() < until:
        began = 0.0
        for _ in engine.stream(_ASKED, sampling, seed, lambda: time.perf_counter() > until):
            began = began or time.perf_counter()
        if began:
            written, spent = written + engine.last.tokens, spent + time.perf_counter() - began
        seed += 1
    yield "writes", f"{written / spent:,.0f} tokens/s" if spent else "nothing"
    yield "takes", f"{psutil.Process().memory_info().rss / _MIB:,.0f} MiB of memory"


def _processor() -> str:
    """The processor's name, where Linux tells it; `platform` does not."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
