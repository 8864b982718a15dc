"""Release the helper threads of GNU OpenMP, which torch uses on Linux.

Each thread that computes gets helper threads of its own, which stay with it. Once there are more of
them than CPUs, all of them sleep between two pieces of work instead of spinning for a moment, busy
or not: a training thread that only waits would slow replies down. So a thread that stops computing
releases its helpers; new ones take some tens of microseconds.

Other OpenMP libraries (LLVM's, Intel's) have no such rule, and are left alone.
"""

import ctypes
import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path

_SOFT = 1
"""omp_pause_soft: keeps the settings of the thread, such as its number of threads."""


def release_threads() -> None:
    """Release the helper threads of the calling thread."""
    if "torch" in sys.modules:
        _pause()(_SOFT)


@functools.cache
def _pause() -> Callable[[int], int]:
    """Return `omp_pause_resource_all` (OpenMP 5.0) of the library that torch has loaded."""
    import torch

    folder = Path(torch.__file__).parent / "lib"
    for name in (*map(str, folder.glob("libgomp*")), "libgomp.so.1"):
        try:
            library = ctypes.CDLL(name, mode=getattr(os, "RTLD_NOLOAD", 0))
        except OSError:
            continue
        found: Callable[[int], int] | None = getattr(library, "omp_pause_resource_all", None)
        if found:
            return found
    return lambda kind: 0
