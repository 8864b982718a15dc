"""The list of conversations, and actions on a whole conversation."""

import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from textual.widgets import Input, OptionList
from textual.widgets._footer import FooterKey

from store.errors import TuteeError
from store.records import (
    ChatMessage,
    Conversation,
    ImportedConversation,
    Instruction,
    Message,
)
from tests.fakes import FakeChat, Home
from tests.tui.conftest import answered, opened, painted, say, toasts, until, views
from tui.app.tutee_app import TuteeApp
from tui.controllers.conversations import ConversationLibrary
from tui.screens.chat import ChatScreen
from tui.screens.chat_settings import ChatSettingsScreen
from tui.screens.conversations import ConversationsScreen
from tui.views.chat import ConversationRow
from tui.widgets.form import Choice, Field


def talk(home: Home, *texts: str) -> Message:
    """Store a conversation of alternating messages; return the last one."""
    conversation = home.repository.start_conversation()
    for place, text in enumerate(texts):
        role = "user" if place % 2 == 0 else "assistant"
        message = home.repository.add_message(conversation.id, role, text)  # type: ignore[arg-type]
    return message


@pytest.fixture
def chats(home: Home) -> Home:
    talk(home, "Oldest about tea", "Green or black?")
    talk(home, "[b]Middle[/b] 关于茶", "龙井。")
    talk(home, "Newest about rain", "It rains\nin Lisbon.")
    return home


def titles(app: TuteeApp) -> list[str]:
    """The listed titles with what follows a search hit, without ages."""
    screen = app.screen
    assert isinstance(screen, ConversationsScreen)
    searching = bool(screen.query_one(Input).value)
    lines = [str(option.prompt)[8:] for option in screen.query_one(OptionList).options]
    return lines if searching else [line.rsplit("  ", 1)[0] for line in lines]


async def test_the_newest_chat_is_first_and_enter_opens_it(chats: Home) -> None:
    async with opened(chats) as (app, pilot):
        await pilot.press("ctrl+r")
        assert titles(app) == ["Newest about rain", "[b]Middle[/b] 关于茶", "Oldest about tea"]
        await pilot.press("down", "enter")
        await until(pilot, lambda: views(app))
        assert views(app)[0].text == "龙井。"


async def test_its_keys_are_said_and_its_help_is_its_own(chats: Home) -> None:
    async with opened(chats) as (app, pilot):
        await pilot.press("ctrl+r")
        await until(pilot, lambda: app.screen.query(FooterKey))
        assert "Enter Open" in painted(app)
        assert "Esc Back" in painted(app)
        assert all(key.region.right <= 77 for key in app.screen.query(FooterKey))
        await pilot.press("f1")
        await until(pilot, lambda: "pinned ones first" in painted(app))


async def test_search_looks_into_titles_and_texts(chats: Home) -> None:
    async with opened(chats) as (app, pilot):
        await pilot.press("ctrl+r", *"TEA")
        assert titles(app) == ["Oldest about tea  Oldest about tea"]
        app.screen.query_one(Input).value = "lisbon"
        await until(pilot, lambda: "Lisbon" in "".join(titles(app)))
        assert titles(app) == ["Newest about rain  It rains in Lisbon."]
        app.screen.query_one(Input).value = "茶"
        await until(pilot, lambda: "茶" in "".join(titles(app)))
        app.screen.query_one(Input).value = "nowhere"
        await until(pilot, lambda: "No chat contains these words." in painted(app))
        await pilot.press("escape")
        assert isinstance(app.screen, ConversationsScreen)
        assert len(titles(app)) == 3
        await pilot.press(*"tea", "enter")
        await until(pilot, lambda: views(app))
        assert views(app)[0].text == "Green or black?"


async def test_every_letter_searches_and_none_commands(chats: Home) -> None:
    async with opened(chats) as (app, pilot):
        await pilot.press("ctrl+r", *"drops /q")
        assert isinstance(app.screen, ConversationsScreen)
        assert app.screen.query_one(Input).value == "drops /q"
        await until(pilot, lambda: "No chat contains these words." in painted(app))
        assert len(chats.repository.conversations()) == 3
        await pilot.press("escape", "escape")
        assert isinstance(app.screen, ChatScreen)


async def test_delete_edits_the_search_before_it_deletes_a_chat(chats: Home) -> None:
    async with opened(chats) as (app, pilot):
        await pilot.press("ctrl+r", *"tea", "left", "left", "delete")
        assert app.screen.query_one(Input).value == "ta"
        assert len(chats.repository.conversations()) == 3


async def test_renaming_keeps_the_place(chats: Home) -> None:
    async with opened(chats) as (app, pilot):
        await pilot.press("ctrl+r", "down", "ctrl+e")
        field = app.screen.query_one(Input)
        assert field.value == "[b]Middle[/b] 关于茶"
        field.value = "茶"
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, ConversationsScreen))
        assert titles(app)[1] == "茶"
        assert app.screen.query_one(OptionList).highlighted == 1


async def test_a_pinned_chat_is_first(chats: Home) -> None:
    async with opened(chats) as (app, pilot):
        await pilot.press("ctrl+r", "end", "ctrl+k")
        assert titles(app)[0] == "📌 Oldest about tea"
        assert app.screen.query_one(OptionList).highlighted == 0
        await pilot.press("ctrl+k")
        assert titles(app)[2] == "Oldest about tea"


async def test_a_deleted_chat_comes_back(chats: Home) -> None:
    async with opened(chats) as (app, pilot):
        await pilot.press("ctrl+r", "down", "delete", "delete")
        assert titles(app) == ["Newest about rain"]
        assert "Ctrl+Z restores it." in toasts(app)
        await pilot.press("ctrl+z", "ctrl+z")
        assert len(titles(app)) == 3
        await pilot.press("ctrl+z")
        await until(pilot, lambda: "No chat was deleted" in toasts(app))


async def test_deleting_the_open_chat_leaves_it_and_what_it_taught(home: Home) -> None:
    home.chat = FakeChat(home.bridge.emit, adapters=home.adapters, writes_by_itself=False)
    async with opened(home) as (app, pilot):
        await say(pilot, "one")
        home.chat.write("1")
        home.chat.finish()
        await answered(app, pilot, 1)
        await pilot.press("f2")
        await say(pilot, "two")
        await say(pilot, "three")
        home.chat.write("so far")
        await until(pilot, lambda: "so far" in painted(app))
        await say(pilot, "/delete")
        await until(pilot, lambda: "Ask something." in painted(app))
        assert home.repository.conversations() == []
        assert len(home.repository.records()) == 2
        await say(pilot, "another chat")
        await until(pilot, lambda: len(home.chat.prompts) == 3)
        home.chat.write("here")
        home.chat.finish()
        await answered(app, pilot, 1)
        await pilot.press("ctrl+r", "ctrl+z", "enter")
        await until(pilot, lambda: [view.text for view in views(app)] == ["1"])


async def test_a_chat_is_saved_as_markdown(home: Home, tmp_path: Path) -> None:
    async with opened(home) as (app, pilot):
        await say(pilot, "首都 of France?")
        await answered(app, pilot, 1)
        await say(pilot, "/fix It is **Paris**.")
        await until(pilot, lambda: views(app)[0].correction)
        await say(pilot, f"/save {tmp_path / 'chat.md'}")
        await until(pilot, lambda: (tmp_path / "chat.md").exists())
        text = (tmp_path / "chat.md").read_text(encoding="utf-8")
        assert text.startswith("# 首都 of France?\n")
        assert "## Tutee (base, corrected)\n\nIt is **Paris**.\n" in text
        await say(pilot, f"/save {tmp_path / 'chat.md'}")
        await until(pilot, lambda: "exists already" in toasts(app))
        app.screen.query_one("#prompt").clear()  # type: ignore[attr-defined]
        await say(pilot, "/save")
        await until(pilot, lambda: list(home.paths.exports.glob("*首都-of-France.md")))


async def test_the_title_is_set_and_the_list_shows_it(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await say(pilot, "/title before anything")
        await until(pilot, lambda: "This chat has no messages yet." in toasts(app))
        app.screen.query_one("#prompt").clear()  # type: ignore[attr-defined]
        await say(pilot, "Hello there, who are you?")
        await answered(app, pilot, 1)
        await say(pilot, "/title 我的 chat")
        await until(pilot, lambda: "我的 chat" in toasts(app))
        await say(pilot, "/pin")
        await pilot.press("ctrl+r")
        assert titles(app) == ["📌 我的 chat"]


# -- how a chat goes on -------------------------------------------------------------------------


async def test_a_chat_has_a_system_prompt_and_sampling_of_its_own(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await say(pilot, "/system Answer in French.")
        await until(pilot, lambda: "Applies from the next reply on" in toasts(app))
        await say(pilot, "/set temperature 0.8")
        await say(pilot, "Hello")
        await answered(app, pilot, 1)
        assert home.chat.prompts[0][0].content == "Answer in French."
        reply = home.repository.message(views(app)[0].id)
        assert reply.origin is not None
        assert reply.origin.sampling is not None
        assert reply.origin.sampling.temperature == 0.8
        await pilot.press("ctrl+n")
        await say(pilot, "Hello")
        await answered(app, pilot, 1)
        assert home.chat.prompts[1][0].content == home.config.chat.system_prompt


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("/set warmth 1", "There is no setting warmth."),
        ("/set temperature hot", "Temperature must be a number."),
        ("/set top_p 7", "at most 1"),
        ("/preset loud", "There is no preset loud."),
    ],
)
async def test_what_cannot_be_set_is_told_with_what_can(home: Home, text: str, why: str) -> None:
    async with opened(home) as (app, pilot):
        await say(pilot, text)
        await until(pilot, lambda: why in toasts(app))
        assert home.repository.conversations() == []


async def test_a_preset_is_one_word(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await say(pilot, "/preset creative")
        await say(pilot, "Hello")
        await answered(app, pilot, 1)
        conversation = home.repository.conversations()[0]
        assert conversation.sampling is not None
        assert conversation.sampling.temperature == 0.9
        await say(pilot, "/preset default")
        await until(pilot, lambda: home.repository.conversation(conversation.id).sampling is None)


async def test_the_settings_of_a_chat_are_a_form(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await say(pilot, "/system")
        await until(pilot, lambda: isinstance(app.screen, ChatSettingsScreen))
        await pilot.press(*"Be kind.")
        app.screen.query_one(Choice).focus()
        await pilot.press("right", "right")
        assert app.screen.query_one("#temperature", Field).value == "0"
        app.screen.query_one("#top_p", Field).input.value = "3"
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "at most 1" in toasts(app))
        assert isinstance(app.screen, ChatSettingsScreen), "nothing that was written is lost"
        app.screen.query_one("#top_p", Field).input.value = "0.5"
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, ChatScreen))
        await say(pilot, "Hello")
        await answered(app, pilot, 1)
        (conversation,) = home.repository.conversations()
        assert conversation.system_prompt == "Be kind."
        assert conversation.sampling is not None
        assert (conversation.sampling.temperature, conversation.sampling.top_p) == (0, 0.5)


async def test_a_chat_of_the_first_year_can_be_reached_and_deleted(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = datetime.min.replace(tzinfo=UTC)
    old = Conversation(title="Old", created=first, updated=first)
    said = Message(conversation_id=old.id, role="user", content="Hi", created=first)
    record = Instruction(
        prompt=(ChatMessage(role="user", content="Hi"),), completion="Ho", created=first
    )
    home.repository.add_imported([record], [ImportedConversation(old, (said,))])
    monkeypatch.setenv("TZ", "EST5EDT,M3.2.0,M11.1.0")
    time.tzset()
    try:
        async with opened(home) as (app, pilot):
            await pilot.press("f7")
            await until(pilot, lambda: "0001" in painted(app))
            await pilot.press("escape", "ctrl+r")
            (title,) = titles(app)
            assert title.endswith("  Old")  # its age is wider than others
            await pilot.press("delete")
            assert titles(app) == []
    finally:
        monkeypatch.undo()
        time.tzset()


async def test_a_list_that_cannot_be_made_does_not_end_the_app(
    chats: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(chats) as (app, pilot):
        with monkeypatch.context() as broken:
            broken.setattr(ConversationLibrary, "listed", _refuses)
            await pilot.press("ctrl+r")
            await until(pilot, lambda: "cannot be listed" in toasts(app))
        await pilot.press("escape", "ctrl+r")
        assert len(titles(app)) == 3


def _refuses(*_: object) -> list[ConversationRow]:
    raise TuteeError("The chats cannot be listed.")


async def test_a_row_says_how_old_a_chat_is_what_it_taught_and_how_it_ended(home: Home) -> None:
    first = talk(home, "What is the sentiment of this review? A gob of drivel", "Negative.")
    talk(home, "What is the sentiment of this review? A stirring film", "Positive.")
    home.repository.rate(first.id, True)
    async with opened(home) as (app, pilot):
        await pilot.press("ctrl+r")
        await until(pilot, lambda: "👍1  Negative." in painted(app))
        assert "   now  What" in painted(app)
        assert "drivel" in painted(app), "what differs is seen"
        assert "stirring film  Positive." in painted(app)
