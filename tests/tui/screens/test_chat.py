"""The chat screen: writing while the model loads, streaming, stopping, queueing, recalling."""

from pathlib import Path

import pytest
from textual import events
from textual.widgets import Markdown, OptionList

from core.events import ModelLoading
from store.errors import TuteeError
from tests.fakes import FakeChat, Home
from tests.tui.conftest import (
    answered,
    opened,
    painted,
    replies,
    say,
    toasts,
    transcript,
    until,
    views,
)
from tui.widgets.activity import Activity
from tui.widgets.messages import ReplyMessage, UserMessage
from tui.widgets.prompt import Prompt

ODD = "[red]x[/red] [/] \\[b] 你好，世界 👍🏽 <b>html</b> & `code`"
MARKDOWN = "# Title\n\n1. one\n2. two\n\n```python\nprint('[red]')\n```\n\nlast *words*"


def by_hand(home: Home, *, loads_by_itself: bool = True, writes_by_itself: bool = True) -> FakeChat:
    """Give `home` a fake chat worker that the test controls."""
    home.chat = FakeChat(
        home.bridge.emit,
        loads_by_itself=loads_by_itself,
        writes_by_itself=writes_by_itself,
        adapters=home.adapters,
    )
    return home.chat


def stored(home: Home) -> list[str]:
    (conversation,) = home.repository.conversations()
    return [m.content for m in home.repository.messages(conversation.id) if m.role != "system"]


async def test_one_types_and_sends_while_the_model_loads(home: Home) -> None:
    chat = by_hand(home, loads_by_itself=False)
    async with opened(home) as (app, pilot):
        await pilot.press(*"Hi")
        assert app.screen.query_one(Prompt).text == "Hi"
        await pilot.press("enter")
        await say(pilot, "second")
        await say(pilot, "third")
        assert stored(home) == ["Hi"]
        assert [message.has_class("queued") for message in transcript(app).query(UserMessage)] == [
            False,
            True,
            True,
        ]
        assert painted(app).count("queued") == 2
        assert "waiting for the model" in painted(app)
        chat.finish_loading()
        await answered(app, pilot, 3)
        assert stored(home) == ["Hi", "Paris.", "second", "Paris.", "third", "Paris."]
        assert "queued" not in painted(app)


async def test_loading_shows_its_stage_and_a_download_its_bar(home: Home) -> None:
    chat = by_hand(home, loads_by_itself=False)
    async with opened(home) as (app, pilot):
        await until(pilot, lambda: "Loading the model…" in painted(app))
        home.bridge.emit(ModelLoading("Fetching the built-in model", 46_500_000, 93_000_000))
        await until(pilot, lambda: "50% of 93 MB" in painted(app))
        chat.finish_loading()
        await until(pilot, lambda: not app.screen.query_one(Activity).display)
        assert "Fake-1 · base" in painted(app)


@pytest.mark.parametrize("reply", [ODD, MARKDOWN, "line one\nline two\n", "  indented\ttab", "🐱"])
async def test_what_was_streamed_is_what_is_stored_and_shown(home: Home, reply: str) -> None:
    chat = by_hand(home, writes_by_itself=False)
    async with opened(home) as (app, pilot):
        await say(pilot, ODD)
        await until(pilot, lambda: replies(app))
        for start in range(0, len(reply), 5):
            chat.write(reply[start : start + 5])
        chat.finish()
        await answered(app, pilot, 1)
        assert stored(home) == [ODD, reply]
        assert replies(app)[0].query_one(Markdown).source == reply
        assert chat.prompts[0][-1].content == ODD


async def test_a_reply_is_seen_while_it_is_written(home: Home) -> None:
    chat = by_hand(home, writes_by_itself=False)
    async with opened(home) as (app, pilot):
        await say(pilot, "Hello")
        chat.write("Bon")
        await until(pilot, lambda: "Bon" in painted(app) and "writing" in painted(app))
        chat.write("jour, **monde**")
        await until(pilot, lambda: "Bonjour, monde" in painted(app))
        assert stored(home) == ["Hello"]
        chat.finish()
        await answered(app, pilot, 1)
        assert "41 tok/s" in painted(app)
        assert "writing" not in painted(app)


async def test_text_is_shown_as_it_is_never_as_markup(home: Home) -> None:
    home.chat = FakeChat(home.bridge.emit, [ODD], adapters=home.adapters)
    async with opened(home, (100, 30)) as (app, pilot):
        await say(pilot, "[bold]b[/bold] [/] $error")
        await answered(app, pilot, 1)
        screen = painted(app)
        assert "[bold]b[/bold] [/] $error" in screen
        assert "[red]x[/red] [/] [b] 你好，世界" in screen
        assert "<b>html</b>" in screen


async def test_lines_of_a_reply_stay_lines(home: Home) -> None:
    home.chat = FakeChat(home.bridge.emit, ["roses\nviolets"], adapters=home.adapters)
    async with opened(home) as (app, pilot):
        await say(pilot, "A poem")
        await answered(app, pilot, 1)
        lines = [line.strip() for line in painted(app).splitlines()]
        assert lines.index("violets") == lines.index("roses") + 1


async def test_esc_stops_and_keeps_the_partial_reply(home: Home) -> None:
    chat = by_hand(home, writes_by_itself=False)
    async with opened(home) as (app, pilot):
        await say(pilot, "Tell me")
        chat.write("Once upon")
        await until(pilot, lambda: "Once upon" in painted(app))
        await pilot.press("escape")
        await answered(app, pilot, 1)
        assert stored(home) == ["Tell me", "Once upon"]
        assert views(app)[0].stopped
        assert "stopped" in painted(app)
        assert app.focused is app.screen.query_one(Prompt)


async def test_ctrl_c_copies_else_stops_else_quits_the_second_time(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied: list[str] = []
    monkeypatch.setattr("tui.app.tutee_app.copy_to_desktop", copied.append)
    chat = by_hand(home, writes_by_itself=False)
    async with opened(home) as (app, pilot):
        await say(pilot, "Tell me")
        chat.write("Once upon")
        await until(pilot, lambda: "Once upon" in painted(app))
        await pilot.press(*"word", "shift+home", "ctrl+c")
        assert copied == ["word"]
        assert views(app) == []
        await pilot.press("end", "ctrl+c")
        await answered(app, pilot, 1)
        assert views(app)[0].stopped
        await pilot.press("ctrl+c")
        assert "Ctrl+C again quits." in toasts(app)
        assert app.is_running
        await pilot.press("ctrl+c")
        await until(pilot, lambda: app.return_value is True)


async def test_esc_goes_to_the_last_reply_and_back(home: Home) -> None:
    async with opened(home) as (app, pilot):
        prompt = app.screen.query_one(Prompt)
        await pilot.press("escape")
        assert app.focused is prompt
        for count in (1, 2):
            await say(pilot, "Hello")
            await answered(app, pilot, count)
        await pilot.press("escape")
        assert app.focused is replies(app)[1]
        await pilot.press("up")
        assert app.focused is replies(app)[0]
        await pilot.press("up")
        assert app.focused is replies(app)[0]
        await pilot.press("down", "down")
        assert app.focused is prompt
        await pilot.press("escape", "escape")
        assert app.focused is prompt


async def test_a_click_focuses_a_reply(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await say(pilot, "Hello")
        await answered(app, pilot, 1)
        await pilot.click(ReplyMessage)
        assert app.focused is replies(app)[0]


async def test_a_paste_of_lines_is_not_sent(home: Home) -> None:
    async with opened(home) as (app, pilot):
        app.post_message(events.Paste("one\ntwo\nthree\n"))
        await pilot.pause()
        assert app.screen.query_one(Prompt).text == "one\ntwo\nthree\n"
        assert home.repository.conversations() == []
        await pilot.press("enter")
        await answered(app, pilot, 1)
        assert stored(home)[0] == "one\ntwo\nthree"


@pytest.mark.parametrize("key", ["ctrl+j", "shift+enter", "alt+enter"])
async def test_a_new_line_is_a_key_of_its_own(home: Home, key: str) -> None:
    async with opened(home) as (app, pilot):
        await pilot.press("a", key, "b")
        assert app.screen.query_one(Prompt).text == "a\nb"
        assert home.repository.conversations() == []


async def test_the_model_reads_the_chat_while_one_begins_to_write(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await say(pilot, "Hi")
        await answered(app, pilot, 1)
        home.chat.ahead.clear()
        await pilot.press(*"What else?")
        assert [[m.content for m in messages][1:] for messages in home.chat.ahead] == [
            ["Hi", "Paris."]
        ]


async def test_blank_messages_are_not_sent(home: Home) -> None:
    async with opened(home) as (_, pilot):
        await pilot.press("enter", "space", "ctrl+j", "enter")
        assert home.repository.conversations() == []
        assert home.chat.prompts == []


async def test_sent_messages_come_back_with_up(home: Home) -> None:
    async with opened(home) as (app, pilot):
        prompt = app.screen.query_one(Prompt)
        for count, text in enumerate(("first", "second\nline"), 1):
            await say(pilot, text)
            await answered(app, pilot, count)
        await pilot.press(*"draft", "up")
        assert prompt.text == "second\nline"
        await pilot.press("up", "up")
        assert prompt.text == "first"
        await pilot.press("down", "down", "down")
        assert prompt.text == "draft"


async def test_a_new_chat_is_empty_and_the_old_one_can_be_opened_again(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await say(pilot, "[b]old[/b] 旧")
        await answered(app, pilot, 1)
        await pilot.press("ctrl+n")
        assert replies(app) == []
        assert "Ask something." in painted(app)
        await say(pilot, "new")
        await answered(app, pilot, 1)
        await pilot.press("ctrl+r")
        assert "[b]old[/b] 旧" in painted(app)
        options = app.screen.query_one(OptionList)
        assert options.option_count == 2
        await pilot.press("down", "enter")
        await until(pilot, lambda: "[b]old[/b] 旧" in painted(app))
        assert views(app)[0].question == "[b]old[/b] 旧"
        assert len(home.repository.conversations()) == 2


async def test_a_chat_is_there_again_after_a_restart(home: Home, tmp_path: Path) -> None:
    async with opened(home) as (app, pilot):
        await say(pilot, "Remember me")
        await answered(app, pilot, 1)
    home.close()
    again = Home(tmp_path / "home")
    try:
        async with opened(again) as (app, pilot):
            assert replies(app) == []
            await pilot.press("ctrl+r", "enter")
            await until(pilot, lambda: views(app))
            assert "Remember me" in painted(app)
            assert "41 tok/s" in painted(app)
    finally:
        again.close()


async def test_the_view_follows_a_reply_until_the_person_scrolls_away(home: Home) -> None:
    chat = by_hand(home, writes_by_itself=False)
    async with opened(home) as (app, pilot):
        await say(pilot, "Count")
        view = transcript(app)
        for number in range(60):
            chat.write(f"{number}\n\n")
        await until(pilot, lambda: "59" in painted(app))
        assert view.scroll_y == view.max_scroll_y
        await pilot.press("pageup", "pageup")
        await until(pilot, lambda: view.scroll_y < view.max_scroll_y)
        place = view.scroll_y
        chat.write("more\n\n" * 20)
        chat.finish()
        await answered(app, pilot, 1)
        assert view.scroll_y == place
        await say(pilot, "Again")
        await until(pilot, lambda: view.scroll_y == view.max_scroll_y)
        chat.finish()


async def test_a_failed_reply_is_a_toast_and_the_chat_goes_on(home: Home) -> None:
    home.chat.fail_next = TuteeError("The reply ran out of memory.", "Use a smaller model.")
    async with opened(home) as (app, pilot):
        await say(pilot, "Hello")
        await until(pilot, lambda: "The reply ran out of memory." in toasts(app))
        assert "Use a smaller model." in toasts(app)
        await say(pilot, "Again")
        await answered(app, pilot, 2)
        assert [view.stopped for view in views(app)] == [True, False]


@pytest.mark.parametrize("size", [(40, 12), (80, 24), (200, 60)])
async def test_no_line_of_text_is_longer_than_a_person_reads(
    home: Home, size: tuple[int, int]
) -> None:
    home.chat = FakeChat(home.bridge.emit, ["word " * 200], adapters=home.adapters)
    async with opened(home, size) as (app, pilot):
        await say(pilot, "你好 " * 60)
        await answered(app, pilot, 1)
        for widget in transcript(app).query(".said, .reply"):
            assert 0 < widget.region.width <= min(100, size[0])
            assert widget.region.right <= size[0]
        assert app.screen.query_one(Prompt).region.width > 10


async def test_nothing_moves_when_nothing_happens(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await say(pilot, "Hello")
        await answered(app, pilot, 1)
        assert app.animator._animations == {}
        prompt = app.screen.query_one(Prompt)
        assert not prompt.cursor_blink
        timers = [timer for node in app.screen.walk_children() for timer in node._timers]
        assert [timer for timer in timers if timer._active.is_set()] == []
