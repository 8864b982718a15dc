"""What stands beside a wide chat: the list of chats, and what is taught and learned."""

from tests.fakes import Home
from tests.tui.conftest import answered, opened, painted, say, until, views
from tests.tui.screens.test_tuning import ready, teach
from tui.screens.conversations import ConversationsScreen
from tui.widgets.chat_list import ChatList
from tui.widgets.prompt import Prompt
from tui.widgets.side_panel import SidePanel

WIDE = (140, 40)


async def test_there_is_nothing_beside_a_narrow_chat(home: Home) -> None:
    async with opened(home, (129, 30)) as (app, pilot):
        await say(pilot, "Hello")
        await answered(app, pilot, 1)
        assert "Taught in this chat" not in painted(app)
        await pilot.press("ctrl+b")
        await until(pilot, lambda: isinstance(app.screen, ConversationsScreen))


async def test_a_chat_is_chosen_by_keys_and_by_mouse(home: Home) -> None:
    async with opened(home, WIDE) as (app, pilot):
        assert "No other chats yet." in painted(app)
        for number, question in enumerate(("First question", "Second question"), 1):
            await say(pilot, question)
            await answered(app, pilot, 1)
            assert app.screen.query_one(ChatList).option_count == number
            await pilot.press("ctrl+n")
        await pilot.press("ctrl+b")
        assert isinstance(app.focused, ChatList)
        await pilot.press("escape")
        assert isinstance(app.focused, Prompt)
        await pilot.press("ctrl+b", "end", "enter")
        await until(pilot, lambda: [view.question for view in views(app)] == ["First question"])
        assert isinstance(app.focused, Prompt)
        await pilot.click(ChatList, offset=(5, 0))
        await until(pilot, lambda: [view.question for view in views(app)] == ["Second question"])


async def test_what_the_chat_teaches_is_listed(home: Home) -> None:
    async with opened(home, WIDE) as (app, pilot):
        await say(pilot, "Is [b]this[/b] right?")
        await answered(app, pilot, 1)
        assert "F2 good · F3 bad" in painted(app)
        await pilot.press("f2")
        await until(pilot, lambda: "👍 Is [b]this[/b] right?" in painted(app))
        assert "1 to learn" in painted(app)
        await say(pilot, "/fix It is [/] Lyon.")
        await until(pilot, lambda: "✎ It is [/] Lyon." in painted(app))
        await pilot.press("ctrl+n")
        await until(pilot, lambda: "F2 good · F3 bad" in painted(app))
        await until(pilot, lambda: "so far: ✎ 1" in painted(app))


async def test_the_training_under_way_is_shown(home: Home) -> None:
    teach(home, 4)
    async with opened(home, WIDE) as (app, pilot):
        await ready(app, pilot)
        await pilot.press("f5", "enter")
        home.tuning.step()
        await pilot.press("escape")
        await until(pilot, lambda: "(SFT) 1/3" in str(app.screen.query_one(SidePanel).line))
        assert painted(app).count("(SFT) 1/3") == 1


async def test_what_was_recalled_has_a_place(home: Home) -> None:
    async with opened(home, WIDE) as (app, pilot):
        panel = app.screen.query_one(SidePanel)
        assert "Recalled" not in painted(app)
        panel.recalled = ("Paris is [/] big",)
        await until(pilot, lambda: "Paris is [/] big" in painted(app))


async def test_a_toast_is_right_above_the_prompt(home: Home) -> None:
    async with opened(home, WIDE) as (app, pilot):
        app.notify("Told.", title="Well", timeout=60)
        await until(pilot, lambda: "Well: Told." in painted(app))
        lines = painted(app).split("\n")
        told = next(n for n, line in enumerate(lines) if "Well: Told." in line)
        assert app.screen.query_one(Prompt).region.y - told == 2
        await app.action_settings()
        await until(pilot, lambda: "Well: Told." not in painted(app))
