"""Python's search for reference cycles, kept from walking a large home again and again.

Loading makes many small objects and keeps them all. Searching for garbage meanwhile takes three
quarters of the time; and each full search later stalls the screen for a second at 100,000 records.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_MANY = 100_000
"""Fewer objects are walked before anybody notices."""


@contextmanager
def paused() -> Iterator[None]:
    """No search inside; what was made there, if it is much, is left out of later searches too."""
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
