"""Keep Python's cyclic garbage collector from walking a large home again and again.

Loading creates many small objects and keeps them all. Collecting meanwhile takes most of the
loading time, and each later full collection would freeze the screen noticeably.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_MANY = 100_000
"""Collecting fewer objects than this takes no noticeable time."""


@contextmanager
def paused() -> Iterator[None]:
    """Pause collection inside; keep what was created, if it is much, out of later collections."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
        if gc.get_count()[0] > _MANY:
            gc.freeze()
    finally:
        gc.enable()
