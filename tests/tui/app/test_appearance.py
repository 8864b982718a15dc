"""Toasts, on every screen."""

from tests.fakes import Home
from tests.tui.conftest import opened, painted, toasts, until
from tui.screens.chat import ChatScreen
from tui.screens.records import RecordsScreen


async def test_what_was_said_before_does_not_cover_what_is_opened(home: Home) -> None:
    async with opened(home) as (app, pilot):
        app.notify("Kept as 1 instruction.")
        app.notify("The disk is full.", severity="error")
        await until(pilot, lambda: "Kept as 1" in painted(app) and "disk is full" in painted(app))
        await pilot.press("f7")
        await until(pilot, lambda: isinstance(app.screen, RecordsScreen))
        await until(pilot, lambda: "Kept as 1" not in painted(app))
        assert "disk is full" in painted(app)
        app.notify("Deleted 1 record.")
        await until(pilot, lambda: "Deleted 1 record." in painted(app))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, ChatScreen))
        assert "Deleted 1 record." in toasts(app)
        assert "Kept as 1" not in painted(app)
