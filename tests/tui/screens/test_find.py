"""Search in the open chat: hits, newest first, next and previous, and over all chats."""

from textual.widgets import Input, OptionList

from tests.fakes import Home
from tests.tui.conftest import opened, painted, say, transcript, until
from tui.app.tutee_app import TuteeApp
from tui.screens.chat import ChatScreen
from tui.screens.conversations import ConversationsScreen
from tui.widgets.find_bar import FindBar
from tui.widgets.messages import ReplyMessage
from tui.widgets.prompt import Prompt


def long_chat(home: Home, pairs: int = 30) -> str:
    """A chat whose question 0 and 20 are about tea; return its id."""
    conversation = home.repository.start_conversation()
    for place in range(pairs):
        text = f"Tea {place}?" if place in (0, 20) else f"Rain {place}?"
        home.repository.add_message(conversation.id, "user", text)
        home.repository.add_message(conversation.id, "assistant", f"It is {place}.")
    return conversation.id


def found(app: TuteeApp) -> list[str]:
    return [widget.view.text for widget in transcript(app).query("UserMessage.found")]  # type: ignore[attr-defined]


async def test_hits_are_stepped_through_wherever_they_are(home: Home) -> None:
    long_chat(home)
    async with opened(home) as (app, pilot):
        await pilot.press("ctrl+r", "enter")
        await until(pilot, lambda: "It is 29." in painted(app))
        await pilot.press("ctrl+f", *"TEA")
        await until(pilot, lambda: found(app) == ["Tea 20?"] and "1 of 2" in painted(app))
        await until(pilot, lambda: "Tea 20?" in painted(app))
        await pilot.press("up")
        await until(pilot, lambda: found(app) == ["Tea 0?"] and "2 of 2" in painted(app))
        await until(pilot, lambda: "Tea 0?" in painted(app))
        await pilot.press("down")
        await until(pilot, lambda: found(app) == ["Tea 20?"])
        await pilot.press("escape")
        await until(pilot, lambda: found(app) == [])
        assert not app.screen.query_one(FindBar).display
        assert app.focused is app.screen.query_one(Prompt)


async def test_what_is_not_here_is_looked_for_in_all_chats(home: Home) -> None:
    long_chat(home, 3)
    other = home.repository.start_conversation()
    home.repository.add_message(other.id, "user", "Another chat")
    async with opened(home) as (app, pilot):
        await pilot.press("ctrl+r", "enter")
        await until(pilot, lambda: "Another chat" in painted(app))
        await say(pilot, "/find tea")
        await until(pilot, lambda: "not here · Ctrl+R looks in all chats" in painted(app))
        await pilot.press("ctrl+r")
        await until(pilot, lambda: isinstance(app.screen, ConversationsScreen))
        assert app.screen.query_one(Input).value == "tea"
        await until(pilot, lambda: app.screen.query_one(OptionList).option_count == 1)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, ChatScreen) and "Tea 0?" in painted(app))


async def test_escape_closes_the_search_wherever_the_focus_is(home: Home) -> None:
    long_chat(home, 3)
    async with opened(home) as (app, pilot):
        await pilot.press("ctrl+r", "enter")
        await until(pilot, lambda: "It is 2." in painted(app))
        await pilot.press("ctrl+f", *"tea")
        await until(pilot, lambda: found(app) == ["Tea 0?"])
        app.screen.query(ReplyMessage).last().focus()
        await pilot.press("escape")
        await until(pilot, lambda: not app.screen.query_one(FindBar).display)
        assert found(app) == []
        assert app.focused is app.screen.query_one(Prompt)
        await pilot.press("ctrl+f")
        await until(pilot, lambda: app.screen.query_one(FindBar).display)
        await pilot.press("ctrl+n")
        await until(pilot, lambda: not app.screen.query_one(FindBar).display)
