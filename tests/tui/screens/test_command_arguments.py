"""Arguments of slash commands: completed in the list, or typed at once."""

from tests.fakes import Home
from tests.tui.conftest import answered, opened, say, toasts, until
from tui.app.tutee_app import TuteeApp
from tui.widgets.completions import CompletionList
from tui.widgets.prompt import Prompt


def offered(app: TuteeApp) -> list[str]:
    """What the list over the prompt offers."""
    list_ = app.screen.query_one(CompletionList)
    return [item.label for item in list_.found.items] if list_.display else []


async def test_presets_are_offered_by_name(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await pilot.press(*"/preset ")
        await until(pilot, lambda: offered(app))
        assert offered(app) == ["default", "precise", "balanced", "creative", "reference"]
        await pilot.press(*"cr")
        await until(pilot, lambda: offered(app) == ["creative"])
        await pilot.press("enter")
        await until(pilot, lambda: "Applies from the next reply on" in toasts(app))
        own = app.workspace.session.conversation.own().sampling
        assert own is not None
        assert own.temperature == 0.9
        assert app.screen.query_one(Prompt).text == ""


async def test_what_can_be_set_is_offered_and_its_value_written_behind(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await pilot.press(*"/set temp")
        await until(pilot, lambda: offered(app) == ["temperature"])
        await pilot.press("tab", *"0.5", "enter")
        await until(pilot, lambda: app.workspace.session.conversation.sampling().temperature == 0.5)


async def test_a_theme_is_taken_by_its_name(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await pilot.press(*"/theme no")
        await until(pilot, lambda: offered(app) == ["nord"])
        await pilot.press("enter")
        await until(pilot, lambda: app.theme == "tutee-nord")
        assert 'theme = "nord"' in home.paths.config_file.read_text()
        await say(pilot, "/theme pink")
        await until(pilot, lambda: "There is no theme pink." in toasts(app))


async def test_a_model_is_taken_by_its_id(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await until(pilot, lambda: app.workspace.chat.model)
        await pilot.press(*"/model ")
        await until(pilot, lambda: len(offered(app)) > 3)
        assert offered(app)[0] == "builtin"
        await pilot.press("escape")
        await say(pilot, "/model /nowhere/at/all")
        await until(pilot, lambda: "/nowhere/at/all" in toasts(app))
        assert home.chat.specs == ["builtin"]
        await pilot.press("ctrl+u")
        await say(pilot, "/model " + str(home.path))
        await until(pilot, lambda: home.chat.specs[1:] == [str(home.path)])
        assert not app.screen.query("#models")
        await say(pilot, "/model")
        await until(pilot, lambda: app.screen.query("#models"))


async def test_what_there_is_can_be_changed(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await say(pilot, "What is tea?")
        await answered(app, pilot, 1)
        prompt = app.screen.query_one(Prompt)
        for command, text in (
            ("/title ", "What is tea?"),
            ("/system ", home.config.chat.system_prompt),
        ):
            await pilot.press("ctrl+u", *command)
            await until(pilot, lambda: offered(app) == [text])  # noqa: B023
            assert app.screen.query_one(CompletionList).is_attached
            await pilot.press("enter")
            assert prompt.text == command + text, "it is not sent"
