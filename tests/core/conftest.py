"""The tiny model as an engine, and as the two threads of the app have it."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from core.events import ModelReady
from core.models.folder import ModelFolder
from core.workers.chat import ChatWorker
from core.workers.tuning import TuningWorker
from tests.core.ears import PATIENCE, Ears

if TYPE_CHECKING:
    from core.serving.engine import Engine


@pytest.fixture(scope="module")
def engine(tiny_folder: ModelFolder) -> "Engine":
    """Exact, so that it says what transformers says."""
    from core.serving.engine import Engine
    from tests.core.serving.asking import EXACT

    return Engine(tiny_folder, None, EXACT)


@pytest.fixture
def ears() -> Ears:
    return Ears()


@pytest.fixture
def chat(ears: Ears, tiny_folder: ModelFolder, tmp_path: Path) -> Iterator[ChatWorker]:
    worker = ChatWorker(ears)
    worker.start(str(tiny_folder.path), tmp_path / "cache", tmp_path / "models")
    ears.wait_for(ModelReady)
    yield worker
    assert worker.close(PATIENCE)


@pytest.fixture
def trainer(ears: Ears, chat: ChatWorker) -> Iterator[TuningWorker]:
    worker = TuningWorker(ears, chat.scheduler)
    yield worker
    assert worker.close(PATIENCE)
