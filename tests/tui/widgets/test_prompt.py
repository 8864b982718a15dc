"""The prompt: recalling, completions, attachments, the user's editor, any script."""

from pathlib import Path
from typing import Any

import pytest
from textual import events
from textual.pilot import Pilot

from tests.fakes import FakeChat, Home
from tests.tui.conftest import answered, opened, painted, say, toasts, transcript, until, views
from tui.app.tutee_app import TuteeApp
from tui.screens.chat import ChatScreen
from tui.screens.help import HelpScreen
from tui.widgets.completions import CompletionList
from tui.widgets.messages import UserMessage
from tui.widgets.prompt import Prompt


def prompt(app: TuteeApp) -> Prompt:
    return app.screen.query_one(Prompt)


def offered(app: TuteeApp) -> list[str]:
    """The labels in the list of completions."""
    list_ = app.screen.query_one(CompletionList)
    return [item.label for item in list_.found.items] if list_.display else []


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory."""
    place = tmp_path / "work"
    place.mkdir()
    monkeypatch.chdir(place)
    return place


# -- what was sent ------------------------------------------------------------------------------


async def test_what_was_sent_comes_back_after_a_restart(home: Home, tmp_path: Path) -> None:
    async with opened(home) as (app, pilot):
        for count, text in enumerate(("first", "second 二", "second 二"), 1):
            await say(pilot, text)
            await answered(app, pilot, count)
    home.close()
    again = Home(tmp_path / "home")
    try:
        async with opened(again) as (app, pilot):
            await pilot.press("up")
            assert prompt(app).text == "second 二"
            await pilot.press("up", "up")
            assert prompt(app).text == "first"
    finally:
        again.close()


async def test_what_waits_can_be_taken_back(home: Home) -> None:
    home.chat = FakeChat(home.bridge.emit, adapters=home.adapters, writes_by_itself=False)
    async with opened(home) as (app, pilot):
        for text in ("one", "two", "three"):
            await say(pilot, text)
        assert "↑ takes back" in painted(app)
        await pilot.press("up")
        assert prompt(app).text == "three"
        assert painted(app).count("queued") == 1
        prompt(app).clear()
        await say(pilot, "/unsend")
        await until(pilot, lambda: "queued" not in painted(app))
        assert prompt(app).text == "two"
        home.chat.finish()
        await until(pilot, lambda: "Esc stops" not in painted(app))
        prompt(app).clear()
        await pilot.press("up")
        assert prompt(app).text != "", "with nothing waiting Up brings back what was sent"
        (conversation,) = home.repository.conversations()
        said = [m.content for m in home.repository.messages(conversation.id) if m.role == "user"]
        assert said == ["one"]


# -- slash commands -----------------------------------------------------------------------------


async def test_a_slash_offers_the_commands_that_can_be_done(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await pilot.press("slash")
        assert "/help" in offered(app)
        assert "/good" not in offered(app), "there is no reply yet"
        await pilot.press(*"he")
        assert offered(app) == ["/help"]
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        await pilot.press("escape")
        assert prompt(app).text == ""
        assert offered(app) == []


async def test_the_list_is_steered_from_the_prompt(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await pilot.press("slash", *"s")
        labels = offered(app)
        assert len(labels) > 3
        await pilot.press("down", "down", "up", "tab")
        assert prompt(app).text.strip() == labels[1].split()[0]
        assert app.focused is prompt(app)
        prompt(app).clear()
        await pilot.press("slash", "escape")
        assert offered(app) == []
        assert app.focused is prompt(app)
        await pilot.press("backspace", "slash", "up", "tab")
        assert prompt(app).text.strip() == "/quit"


async def test_keys_that_come_faster_than_the_list_still_mean_what_was_written(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await pilot.press("slash")
        assert offered(app)[0] != "/help"
        prompt(app).insert("help")
        await prompt(app)._on_key(events.Key("enter", None))
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))


async def test_every_command_has_a_name_of_its_own() -> None:
    from tui.commands.registry import COMMANDS

    names = [name for command in COMMANDS for name in command.slash]
    assert len(names) == len(set(names))
    assert all(command.slash for command in COMMANDS)
    wanted = [
        "good",
        "bad",
        "fix",
        "train",
        "export",
        "system",
        "model",
        "help",
        "new",
        "chats",
        "title",
        "retry",
        "ab",
    ]
    assert set(wanted) <= set(names)


@pytest.mark.parametrize("text", ["/nonsense", "/help me"])
async def test_what_is_no_command_is_told_and_kept(home: Home, text: str) -> None:
    async with opened(home) as (app, pilot):
        await say(pilot, text)
        await until(pilot, lambda: "//" in toasts(app))
        assert prompt(app).text == text
        assert home.repository.conversations() == []


@pytest.mark.parametrize(
    ("text", "said"),
    [("//help", "/help"), ("/etc/hosts is what?", "/etc/hosts is what?"), ("/ 2", "/ 2")],
)
async def test_a_message_may_begin_with_a_slash(home: Home, text: str, said: str) -> None:
    async with opened(home) as (app, pilot):
        await say(pilot, text)
        await answered(app, pilot, 1)
        assert views(app)[0].question == said


# -- files --------------------------------------------------------------------------------------


async def test_a_file_goes_along_and_is_one_line_on_the_screen(home: Home, folder: Path) -> None:
    (folder / "notes.md").write_text("alpha\nbeta\n", encoding="utf-8")
    (folder / "new place").mkdir()
    async with opened(home) as (app, pilot):
        await pilot.press(*"Read @n")
        assert offered(app) == ["new place/", "notes.md"]
        await pilot.press(*"o", "tab")
        assert prompt(app).text == "Read @notes.md "
        await pilot.press("enter")
        await answered(app, pilot, 1)
        asked = home.chat.prompts[0][-1].content
        assert asked == 'Read @notes.md\n\n<file name="notes.md">\nalpha\nbeta\n</file>'
        assert "📎 notes.md · 2 lines" in painted(app)
        assert "alpha" not in painted(app)
        await pilot.press("up")
        assert prompt(app).text == "Read @notes.md"
        (folder / "notes.md").unlink()
        prompt(app).clear()
        await pilot.press("escape", "e", *" again", "enter")
        await until(pilot, lambda: len(home.chat.prompts) == 2)
        assert home.chat.prompts[1][-1].content.endswith("alpha\nbeta\n</file>")
        assert home.chat.prompts[1][-1].content.count("<file") == 1


async def test_what_the_model_cannot_read_is_neither_kept_nor_lost(
    home: Home, folder: Path
) -> None:
    (folder / "large.txt").write_text("word " * 1000)
    home.chat.longest = 2000
    async with opened(home) as (app, pilot):
        await until(pilot, lambda: "Fake-1" in painted(app))
        await say(pilot, "Read @large.txt")
        await until(pilot, lambda: "too long" in toasts(app))
        assert prompt(app).text == "Read @large.txt"
        assert home.repository.conversations() == []
        assert home.chat.prompts == []
        await pilot.press("ctrl+u")
        await say(pilot, "Hello")
        await answered(app, pilot, 1)
        await pilot.press("escape", "e", "ctrl+u")
        await say(pilot, "Rather @large.txt")
        await until(pilot, lambda: prompt(app).text == "Rather @large.txt")
        assert "Enter sends again" in painted(app)
        assert len(home.repository.asked(9)) == 1


async def test_a_file_that_cannot_go_along_keeps_the_message(home: Home, folder: Path) -> None:
    (folder / "large.txt").write_bytes(b"x" * 100_000)
    (folder / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n\xff")
    async with opened(home) as (app, pilot):
        for name, why in (
            ("large.txt", "98 kB; the limit is 64 kB"),
            ("picture.png", "not a text file"),
        ):
            await say(pilot, f"Read @{name}")
            await until(pilot, lambda: why in toasts(app))  # noqa: B023
            assert prompt(app).text == f"Read @{name}"
            prompt(app).clear()
        assert home.repository.conversations() == []


# -- one's own editor ---------------------------------------------------------------------------


async def test_ctrl_g_goes_on_in_the_editor(home: Home, editor: Path) -> None:
    async with opened(home) as (app, pilot):
        await pilot.press(*"this", "ctrl+g")
        assert prompt(app).text == "this and\n更多"
        assert home.repository.conversations() == []


async def test_an_editor_that_fails_changes_nothing(
    home: Home, editor: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(home) as (app, pilot):
        await pilot.press(*"this")
        for command, why in (
            ("false", "exited with code 1"),
            ("/no/such", "failed"),
            ("'", "cannot be read"),
        ):
            monkeypatch.setenv("VISUAL", command)
            await pilot.press("ctrl+g")
            await until(pilot, lambda: why in toasts(app))  # noqa: B023
            assert prompt(app).text == "this"


async def test_a_terminal_that_cannot_be_left_is_told(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await pilot.press("ctrl+g")
        await until(pilot, lambda: "cannot switch to an editor" in toasts(app))
        assert isinstance(app.screen, ChatScreen)


# -- any script ---------------------------------------------------------------------------------


async def test_the_prompt_grows_with_its_text_to_a_limit(home: Home) -> None:
    async with opened(home) as (app, pilot):
        heights = []
        for _ in range(12):
            heights.append(prompt(app).size.height)
            await pilot.press(*"x", "ctrl+j")
        assert heights[:4] == [1, 2, 3, 4]
        assert heights[-1] == 8
        prompt(app).text = "字" * 200
        await pilot.pause()
        assert prompt(app).size.height > 4


@pytest.mark.parametrize(
    "text", ["你好，世界", "👩‍👩‍👧‍👦 family", "👍🏽", "한국어 日本語", "e\u0301 مرحبا"]
)
async def test_any_script_is_written_sent_and_shown(home: Home, text: str) -> None:
    async with opened(home) as (app, pilot):
        app.post_message(events.Paste(text))
        await pilot.pause()
        assert prompt(app).text == text
        await pilot.press("enter")
        await answered(app, pilot, 1)
        assert home.chat.prompts[0][-1].content == text
        assert str(transcript(app).query_one(UserMessage).content) == f"You\n{text}"


async def test_wide_letters_take_two_cells_each(home: Home) -> None:
    async with opened(home, (40, 20)) as (app, pilot):
        await pilot.press(*"字字字字", "left", "left")
        assert prompt(app).cursor_location == (0, 2)
        assert prompt(app).cursor_screen_offset.x == prompt(app).content_region.x + 4
        await pilot.press("backspace", "字", "文")
        assert prompt(app).text == "字字文字字"


# -- long pastes ---------------------------------------------------------------------------------


async def paste(pilot: Pilot[Any], text: str) -> Prompt:
    field = pilot.app.screen.query_one(Prompt)
    field.post_message(events.Paste(text))
    await until(pilot, lambda: "[pasted" in field.text)
    return field


async def test_a_long_paste_is_a_placeholder_until_it_is_sent(home: Home) -> None:
    long = "宽" * 50_000
    async with opened(home) as (app, pilot):
        await pilot.press(*"Sum up ")
        field = await paste(pilot, long)
        await pilot.press(*" now")
        assert field.text == "Sum up [pasted 50,000 characters] now"
        await pilot.press("enter")
        await answered(app, pilot, 1)
        assert home.chat.prompts[0][-1].content == f"Sum up {long} now"
        await pilot.press("up")
        assert len(field.text) < 100
        assert field.whole == f"Sum up {long} now"


async def test_a_placeholder_is_edited_as_one(home: Home) -> None:
    async with opened(home) as (_app, pilot):
        field = await paste(pilot, "a" * 2000)
        await pilot.press("left", "left", *"!")
        assert field.text == "[pasted 2,000 characters]!"
        await pilot.press("left", "backspace")
        assert field.text == "!"
        await pilot.press("ctrl+z")
        assert field.whole == "a" * 2000 + "!"
        await pilot.press("home", "delete")
        assert field.text == "!"


async def test_pastes_of_one_length_are_told_apart(home: Home) -> None:
    async with opened(home) as (_app, pilot):
        field = await paste(pilot, "a" * 2000)
        field.post_message(events.Paste("b" * 2000))
        await until(pilot, lambda: field.text.count("[") == 2)
        field.post_message(events.Paste("a" * 2000))
        await until(pilot, lambda: field.text.count("[") == 3)
        assert field.whole == "a" * 2000 + "b" * 2000 + "a" * 2000


async def test_text_that_looks_like_a_placeholder_is_text(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await say(pilot, "What is [pasted 2,000 characters]?")
        await answered(app, pilot, 1)
        assert home.chat.prompts[0][-1].content == "What is [pasted 2,000 characters]?"


async def test_ctrl_u_empties_the_prompt(home: Home) -> None:
    async with opened(home) as (app, pilot):
        field = app.screen.query_one(Prompt)
        field.insert("one\ntwo " + "long " * 60)
        await pilot.press("ctrl+u")
        assert field.text == ""
        await pilot.press("ctrl+z")
        assert field.text.startswith("one\ntwo")
