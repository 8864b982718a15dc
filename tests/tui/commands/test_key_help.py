"""F1 explains the open screen, fits a narrow terminal, and closes again with F1."""

from collections.abc import Iterator
from typing import Any

import pytest
from textual.screen import Screen
from textual.widgets import Static

from store.i18n import set_language
from tests.fakes import Home
from tests.tui.conftest import answered, opened, say, until
from tests.tui.screens.test_tuning import ready
from tui.bindings import tables
from tui.commands.key_help import help_sections
from tui.screens.help import HelpScreen

SCREENS = ("", "f3", "f4", "f5", "f6", "f7", "f8", "f9", "ctrl+l", "ctrl+o", "ctrl+r", "ctrl+t")


@pytest.fixture(params=["en", "zh"])
def language(request: pytest.FixtureRequest) -> Iterator[str]:
    set_language(request.param)
    yield request.param
    set_language("en")


@pytest.mark.parametrize("key", SCREENS)
async def test_it_opens_on_every_screen_and_cuts_nothing_off(
    home: Home, language: str, key: str
) -> None:
    async with opened(home) as (app, pilot):
        await say(pilot, "Hello")
        await answered(app, pilot, 1)
        if key:
            await pilot.press(key)
        below = app.screen
        await pilot.press("f1")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen) and app.screen.is_mounted)
        for line in app.screen.query(".help-line").results(Static):
            assert line.visual.get_optimal_width(line.styles.get_rules(), 200) <= line.size.width, (
                line.visual
            )
        await pilot.press("f1")
        await until(pilot, lambda: app.screen is below)


def test_every_screen_says_what_it_is() -> None:
    tables()  # imports them all
    without = {"HelpScreen", "TextDialog", "ConfirmScreen"}
    for kind in screens(Screen):
        if kind.__module__.startswith("tui.screens") and kind.__name__ not in without:
            assert kind.TITLE, kind
            assert kind.HELP, kind


def screens(kind: type[Screen[Any]]) -> Iterator[type[Screen[Any]]]:
    for child in kind.__subclasses__():
        yield child
        yield from screens(child)


async def test_it_begins_with_the_reply_that_has_the_focus(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await say(pilot, "Hello")
        await answered(app, pilot, 1)
        assert next(iter(help_sections(app.screen, {}))) == "While you write"
        await pilot.press("escape")
        sections = help_sections(app.screen, {})
        assert next(iter(sections)) == "On a reply"
        other = [view for view in sections["On a reply"] if "version" in view.does]
        assert [view.keys for view in other] == ["←  →"]


async def test_a_key_does_what_its_own_screen_says(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await ready(app, pilot)
        await pilot.press("f7")
        said = {
            view.does: view.keys
            for views in help_sections(app.screen, {}).values()
            for view in views
        }
        assert said["Undo"] == "Ctrl+Z"
        assert not any("reply" in does for does in said)
