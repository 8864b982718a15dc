"""Between two jobs the thread holds no helpers."""

import threading

import pytest

from core.events import (
    ReplyDone,
)
from core.workers.chat import ChatWorker
from tests.core.ears import ASK, GREEDY, PATIENCE, Ears

pytestmark = pytest.mark.waits


def test_an_idle_thread_releases_its_helpers(
    chat: ChatWorker, ears: Ears, monkeypatch: pytest.MonkeyPatch
) -> None:
    rested: list[str] = []
    monkeypatch.setattr(
        "core.runtime.openmp.release_threads",
        lambda: rested.append(threading.current_thread().name),
    )
    chat.reply("1", ASK, GREEDY, 0)
    ears.wait_for(ReplyDone)
    assert chat.close(PATIENCE)
    assert "tutee-chat" in rested
