"""A home of its own for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from store.paths import Paths, locate
from store.records import Message
from store.repository import Repository


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return locate(tmp_path / "home")


@pytest.fixture
def repository(paths: Paths) -> Iterator[Repository]:
    with Repository.open(paths) as opened:
        yield opened


@pytest.fixture
def reply(repository: Repository) -> Message:
    """The only reply of a short conversation."""
    conversation = repository.start_conversation("Be brief.")
    repository.add_message(conversation.id, "user", "What is the capital of France?")
    return repository.add_message(conversation.id, "assistant", "Lyon")
