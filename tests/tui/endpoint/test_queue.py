"""Many clients: a bounded queue, and a turn that is freed when its client leaves."""

import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from threading import Event as Flag
from typing import TYPE_CHECKING

import pytest

from tests.core.ears import PATIENCE
from tests.tui.endpoint.conftest import ASK, Running

if TYPE_CHECKING:
    from torch import Tensor

CHAT = "/v1/chat/completions"
LONG = {**ASK, "max_tokens": 900, "temperature": 2, "top_p": 1, "stream": True}


def until_open(running: Running, wanted: int) -> None:
    """Wait until so many requests are answered or wait."""
    deadline = time.monotonic() + PATIENCE
    while running.client.ask("GET", "/health")[1]["open_requests"] != wanted:
        assert time.monotonic() < deadline, f"never {wanted} open requests"


def test_sixteen_clients_lose_nothing(running: Running) -> None:
    def work(number: int) -> list[str]:
        messages = [{"role": "user", "content": f"hello {number}"}]
        whole = running.client.chat(messages=messages)["choices"][0]["message"]["content"]
        pieces = running.client.stream(CHAT, messages=messages)[:-1]
        streamed = "".join(p["choices"][0]["delta"].get("content", "") for p in pieces)
        return [whole, streamed]

    with ThreadPoolExecutor(16) as pool:
        replies = list(pool.map(work, [number % 4 for number in range(32)]))
    assert all(whole == streamed for whole, streamed in replies)
    assert [replies[n] for n in range(4)] == [replies[n + 4] for n in range(4)]
    until_open(running, 0)


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_leaves_frees_its_turn(running: Running, stream: bool) -> None:
    with running.worker.scheduler.micro_batch(Flag()):  # no reply can begin
        asked = {**LONG, "stream": stream}
        connections = [running.client.sent("POST", CHAT, asked) for _ in range(2)]
        until_open(running, 2)
        for connection in connections:
            connection.close()
        until_open(running, 0)
    assert running.client.chat()["choices"]


def test_a_client_that_leaves_in_mid_reply_stops_it(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.serving.sampling import Sampler

    picked, left = count(), Flag()
    pick = Sampler.pick

    def pick_until_left(sampler: Sampler, logits: "Tensor") -> list[int]:
        if next(picked) == 20:
            left.wait(PATIENCE)
        return pick(sampler, logits)

    monkeypatch.setattr(Sampler, "pick", pick_until_left)
    connection, response = running.client.open("POST", CHAT, LONG)
    assert response.readline().startswith(b"data:")
    response.close()
    connection.close()
    until_open(running, 0)
    left.set()
    assert running.client.chat()["choices"]
    assert next(picked) < 100
    assert len(running.served) == 1


def test_a_full_queue_says_so(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.endpoint.replies.MAX_OPEN", 1)
    with running.worker.scheduler.micro_batch(Flag()):
        connection = running.client.sent("POST", CHAT, ASK)
        until_open(running, 1)
        refused, response = running.client.open("POST", CHAT, ASK)
        assert response.status == 429
        assert response.headers["retry-after"]
        refused.close()
    connection.close()
    until_open(running, 0)
