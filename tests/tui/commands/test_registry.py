"""The palette, the help and the keys: every command can be found and works."""

import sys
from pathlib import Path

import pytest
from textual.command import CommandPalette
from textual.widgets import OptionList, TextArea

from core.config import Config
from tests.fakes import Home
from tests.live_records import verdicts
from tests.tui.conftest import answered, opened, painted, say, until, views
from tests.tui.screens.test_tuning import ready
from tui.app.tutee_app import TuteeApp
from tui.commands.key_help import key_of
from tui.commands.registry import COMMANDS
from tui.screens.chat import ChatScreen
from tui.screens.compare import CompareScreen
from tui.screens.export_records import ExportScreen
from tui.screens.help import HelpScreen
from tui.screens.import_records import ImportScreen
from tui.screens.record import RecordScreen
from tui.screens.records import RecordsScreen
from tui.screens.report_card import ReportCardScreen
from tui.screens.statistics import StatisticsScreen
from tui.screens.trained_tokens import TrainedTokensScreen
from tui.screens.tuning import TuningScreen
from tui.widgets.comparison import ComparisonPanes
from tui.widgets.messages import ReplyMessage
from tui.widgets.prompt import Prompt
from tui.widgets.versions import VersionList

ABOUT_TUNING = (
    TuningScreen,
    ReportCardScreen,
    TrainedTokensScreen,
    CompareScreen,
    ComparisonPanes,
    VersionList,
)
ABOUT_RECORDS = (RecordsScreen, RecordScreen, ImportScreen, ExportScreen, StatisticsScreen)


async def listed(app: TuteeApp, pilot: object) -> str:
    """Return everything that the open palette offers."""
    assert isinstance(app.screen, CommandPalette)
    options = app.screen.query_one(OptionList)
    await until(pilot, lambda: options.option_count > 1)  # type: ignore[arg-type]
    return "\n".join(str(option.prompt) for option in options.options)


async def test_the_palette_lists_every_command(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await say(pilot, "Hello")
        await answered(app, pilot, 1)
        await pilot.press("f2", "ctrl+p")
        found = await listed(app, pilot)
        impossible = {
            "Cancel the training",
            "Copy its code",
            "Prefer this reply",
            "Use as correction",
            "Skip the first steps",
            "Take back the waiting message",
        }
        for command in COMMANDS:
            if hasattr(app.screen_stack[0], f"action_{command.action}") or hasattr(
                app, f"action_{command.action.removeprefix('app.')}"
            ):
                assert (command.title in found) is (command.title not in impossible)


async def test_the_palette_shows_the_keys_of_the_screen_and_of_its_replies(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await say(pilot, "Hello")
        await answered(app, pilot, 1)
        await pilot.press("f2", "ctrl+p")
        found = await listed(app, pilot)
        for line in (
            "👍 Keep this reply  (F2)",
            "Undo feedback on this reply  (Ctrl+Z)",
            "Exclude from training  (X)",
            "Write in your editor  (Ctrl+G)",
            "New chat  (Ctrl+N)",
            "Best of four  (Ctrl+L)",
            "Help  (F1)",
            "Quit  (Ctrl+Q)",
        ):
            assert line in found
        assert "Statistics\n" in found, "it has a key on another screen"


async def test_the_palette_shows_the_keys_that_were_chosen(home: Home) -> None:
    chosen = {"app.tune": "f12, ctrl+y", "reply.exclude": "z", "reply.tokens": ""}
    home.config = Config(screen=home.config.screen, keys=chosen)
    async with opened(home) as (app, pilot):
        await say(pilot, "Hello")
        await answered(app, pilot, 1)
        await pilot.press("f2", "ctrl+p")
        found = await listed(app, pilot)
        for line in ("Tune  (F12)", "Records  (F7)", "Exclude from training  (Z)"):
            assert line in found
        assert "Trained tokens\n" in found, "it was left without a key"
        await pilot.press(*"exclude")
        options = app.screen.query_one(OptionList)
        await until(pilot, lambda: options.option_count == 1)
        assert "Exclude from training  (Z)" in str(options.get_option_at_index(0).prompt)


async def test_the_palette_offers_only_what_can_be_done(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await ready(app, pilot)
        await pilot.press("ctrl+p")
        found = await listed(app, pilot)
        assert "Correct this reply" not in found
        assert "New chat" in found
        await pilot.press("escape", "f5")
        await until(pilot, lambda: isinstance(app.screen, TuningScreen))
        await pilot.press("ctrl+p")
        found = await listed(app, pilot)
        assert "New chat" not in found
        assert "Roll back" in found


async def test_a_command_of_the_palette_does_what_its_key_does(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await say(pilot, "Hello")
        await answered(app, pilot, 1)
        await pilot.press("f2", "ctrl+p", *"undo feedback")
        await until(pilot, lambda: app.screen.query_one(OptionList).option_count == 1)
        await pilot.press("enter")
        await until(pilot, lambda: views(app)[0].label is None)
        assert verdicts(home.repository) == []


async def test_help_lists_every_key(home: Home) -> None:
    async with opened(home, (100, 90)) as (app, pilot):
        await pilot.press("f1")
        assert isinstance(app.screen, HelpScreen)
        for command in COMMANDS:
            key = key_of(command.action, app.screen_stack[0], {})
            assert not key or any(
                line.strip(" │").startswith(key) and command.title in line
                for line in painted(app).splitlines()
            )
        await pilot.press("escape")
        assert isinstance(app.screen, ChatScreen)


def test_no_key_needs_more_than_any_terminal_sends() -> None:
    keys = {
        key
        for node in (TuteeApp, ChatScreen, ReplyMessage, *ABOUT_TUNING, *ABOUT_RECORDS)
        for key in node._merge_bindings().key_to_bindings
    }
    assert not keys & {"ctrl+m", "ctrl+i", "ctrl+h", "ctrl+left_square_bracket", "f10", "f11"}
    own = {key for key in ChatScreen._merge_bindings().key_to_bindings if key != "ctrl+c"}
    taken = set(TextArea._merge_bindings().key_to_bindings)
    # The prompt leaves F6 and F7 to the screen, and Ctrl+U where it is empty.
    assert not own & taken - {"tab", "shift+tab", "super+c", "f6", "f7", "ctrl+u"}


async def test_the_footer_shows_what_the_keys_do(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await say(pilot, "Hello")
        await answered(app, pilot, 1)
        footer = painted(app).splitlines()[-1]
        for key in (
            "F1 Help",
            "F2 👍",
            "F3 👎",
            "F4 Correct",
            "F5 Tune",
            "F7 Records",
            "F8 Export",
        ):
            assert key in footer
        assert footer.endswith("^p Menu")
        await pilot.press("f2", "escape")
        await until(pilot, lambda: "Ctrl+Z undo" in painted(app))
        footer = painted(app).splitlines()[-1]
        for key in ("+ 👍", "- 👎", "C Correct", "R Ask again", "E Edit", "Y Copy", "X Exclude"):
            assert key in footer
        for key in ("P Prefer", "←→", "Shift+Y Code", "F1"):
            assert key not in footer, "it would do nothing now"


def test_a_desktop_without_a_clipboard_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    import pyperclip

    from tui.terminal.clipboard import _copy

    def missing(_: str) -> None:
        raise pyperclip.PyperclipException("no xclip")

    monkeypatch.setattr(pyperclip, "copy", missing)
    _copy("text")


async def test_typing_stays_where_it_is_when_a_screen_comes_and_goes(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await pilot.press(*"half a", "f1", "escape", "f5", "escape", *" line")
        assert app.screen.query_one(Prompt).text == "half a line"


def test_the_first_paint_needs_no_model_library(tmp_path: Path) -> None:
    import subprocess

    heavy = ["torch", "transformers", "trl", "peft", "datasets", "plotext", "numpy"]
    heavy += ["pydantic", "tinydb", "tomlkit", "markdown_it", "pygments"]
    code = f"import sys, tui.__main__, tui.run; print([m for m in {heavy!r} if m in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path.cwd()
    )
    assert result.stdout.strip() == "[]"
