"""The helper threads of GNU OpenMP, which torch on Linux computes with.

Each thread that computes gets helpers of its own, and they stay with it. Once there are more of
them than processors, all wait for each other asleep instead of spinning for a moment, whether the
others have anything to do or not: beside a training thread that only waits for its turn, a reply
was written at half its speed. So a thread that stops computing lets its helpers go; new ones take
some tens of microseconds.

Other OpenMP libraries (LLVM's, Intel's) have no such rule, and are left alone.
"""

import ctypes
import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path

_SOFT = 1
"""omp_pause_soft: what was set for the thread, such as how many threads it may use, stays."""


def rest() -> None:
    """Let the helpers of the calling thread go."""
    if "torch" in sys.modules:
        _pause()(_SOFT)


@functools.cache
def _pause() -> Callable[[int], int]:
    """`omp_pause_resource_all` (OpenMP 5.0) of the library that torch has loaded."""
    import torch

    folder = Path(torch.__file__).parent / "lib"
    names = [*map(str, folder.glob("libgomp*")), "libgomp.so.1"]
    for name in names:
        try:
            library = ctypes.CDLL(name, mode=getattr(os, "RTLD_NOLOAD", 0))
        except OSError:
            continue
        found: Callable[[int], int] | None = getattr(library, "omp_pause_resource_all", None)
        if found:
            return found
    return lambda kind: 0
