"""A disk that fails, or a process that dies, at one chosen call to the operating system."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

CALLS = ("open", "mkdir", "fsync", "link", "replace", "unlink")
"""All that the store changes files with."""


@contextmanager
def fault(number: int, act: Callable[[], None]) -> Iterator[Callable[[], bool]]:
    """Do `act` instead of the call of this number (from 0); yields whether that has come."""
    count = 0

    def counted(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            nonlocal count
            count += 1
            if count == number + 1:
                act()
            return original(*args, **options)

        return call

    with pytest.MonkeyPatch.context() as patched:
        for name in CALLS:
            patched.setattr(os, name, counted(getattr(os, name)))
        yield lambda: count > number
