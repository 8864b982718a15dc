"""The app serves other programs: who asks is shown, and their feedback lands in the home."""

import asyncio

import pytest

from store.records import Instruction
from tests.fakes import Home
from tests.tui.conftest import opened, say, toasts, until
from tests.tui.endpoint.conftest import ASK, Client

pytest.importorskip("uvicorn")


async def test_programs_are_served_until_it_is_stopped(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await until(pilot, lambda: app.workspace.chat.model)
        await say(pilot, "/serve 0")
        await until(pilot, lambda: app.workspace.endpoint.server)
        server = app.workspace.endpoint.server
        assert server is not None
        assert server.url in toasts(app)
        client = Client(int(server.url.rpartition(":")[2].partition("/")[0]))
        client.headers["User-Agent"] = "me/1"
        reply = await asyncio.to_thread(client.chat, model="base")
        assert reply["choices"][0]["message"]["content"] == "Paris."
        await until(pilot, lambda: "127.0.0.1 me/1 asks base." in toasts(app))
        body = {"id": reply["id"], "correction": "Lyon."}
        status, _ = await asyncio.to_thread(client.ask, "POST", "/v1/feedback", body)
        assert status == 200
        better = home.repository.records()[0]
        assert isinstance(better, Instruction)
        assert (better.completion, better.origin.source) == ("Lyon.", "api")
        assert [message.content for message in better.prompt][1:] == [
            message["content"] for message in ASK["messages"]
        ]
        await until(pilot, lambda: app.workspace.chat.screen.status.corrected == 1)
        await say(pilot, "/serve")
        await until(pilot, lambda: "No longer serving." in toasts(app))
        with pytest.raises(ConnectionRefusedError):
            await asyncio.to_thread(client.ask, "GET", "/health")


async def test_a_port_that_is_none_is_refused(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await say(pilot, "/serve here")
        await until(pilot, lambda: "here is not a port." in toasts(app))
        assert app.workspace.endpoint.server is None


async def test_leaving_ends_it(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await until(pilot, lambda: app.workspace.chat.model)
        await say(pilot, "/serve 0")
        await until(pilot, lambda: app.workspace.endpoint.server)
        server = app.workspace.endpoint.server
        await app.action_quit()
        assert server is not None
        assert server.stop(0)
