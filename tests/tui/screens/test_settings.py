"""F9: settings are shown, checked while typed, written with the file's comments, and undone."""

from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Static

from core import config
from core.config import TUNING_PRESETS, Chat, Config
from store.errors import TuteeError
from store.i18n import _, current_language, set_language
from tests.fakes import Home
from tests.tui.conftest import opened, painted, toasts, until
from tui.app.tutee_app import TuteeApp
from tui.controllers.settings import Settings
from tui.screens.chat import ChatScreen
from tui.screens.theme import ThemeScreen
from tui.terminal.capabilities import is_light
from tui.theme import DARK, LIGHT
from tui.views.settings import all_settings, format_value, parse_value, setting
from tui.widgets.form import Choice
from tui.widgets.settings import SettingRow

FILE = "# mine\n[tuning]\nepochs = 5  # enough\n"


async def settings(app: TuteeApp, pilot: Pilot[Any]) -> None:
    await pilot.press("f9")
    await until(pilot, lambda: len(app.screen.query(SettingRow)) == len(all_settings()))
    await pilot.press("ctrl+a", "down")


def row(app: TuteeApp, section: str, name: str) -> SettingRow:
    rows = app.screen.query(SettingRow)
    return next(r for r in rows if (r.setting.section, r.setting.name) == (section, name))


async def write(app: TuteeApp, pilot: Pilot[Any], section: str, name: str, text: str) -> None:
    field = row(app, section, name).query_one(Input)
    field.focus()
    await pilot.pause()
    field.value = ""
    await pilot.press(*text)


async def test_a_page_is_gone_by_keys(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await settings(app, pilot)
        rows = list(app.screen.query(SettingRow))

        def here() -> int:
            return next(place for place, row in enumerate(rows) if row.has_focus_within)

        assert here() == 0
        await pilot.press("pagedown")
        await until(pilot, lambda: here() > 5)
        first = here()
        await pilot.press("down")
        await until(pilot, lambda: here() == first + 1)
        await pilot.press("pageup")
        await until(pilot, lambda: here() == 1)
        for _ in rows:
            await pilot.press("pagedown")
        await until(pilot, lambda: here() == len(rows) - 1)


async def test_a_value_is_written_with_the_comments_kept(home: Home) -> None:
    home.paths.config_file.write_text(FILE, encoding="utf-8")
    home.config = config.load(home.paths.config_file)
    async with opened(home) as (app, pilot):
        await settings(app, pilot)
        await write(app, pilot, "tuning", "epochs", "7")
        await pilot.press("enter")
        said = home.paths.config_file.read_text(encoding="utf-8")
        assert said == FILE.replace("5", "7")
        assert app.workspace.services.config.tuning.epochs == 7
        await pilot.press("ctrl+z")
        assert home.paths.config_file.read_text(encoding="utf-8") == FILE
        assert row(app, "tuning", "epochs").query_one(Input).value == "5"
        await pilot.press("ctrl+d")
        assert app.workspace.services.config.tuning.epochs == Config().tuning.epochs
        await pilot.press("ctrl+z")
        assert home.paths.config_file.read_text(encoding="utf-8") == FILE


async def test_a_preset_of_tuning_shows_in_the_rows_below_it(home: Home) -> None:
    home.paths.config_file.write_text(FILE, encoding="utf-8")
    home.config = config.load(home.paths.config_file)
    async with opened(home) as (app, pilot):
        await settings(app, pilot)
        preset = row(app, "tuning", "preset").query_one(Choice)
        preset.focus()
        await pilot.press("left")  # from the first to the last
        await until(pilot, lambda: preset.value == "thorough")
        sft = app.workspace.services.config.tuning.sft
        assert sft.minimum_steps == int(TUNING_PRESETS["thorough"]["sft.minimum_steps"])
        shown = row(app, "tuning.sft", "minimum_steps").query_one(Input)
        assert shown.value == str(sft.minimum_steps)
        assert row(app, "tuning", "epochs").query_one(Input).value == "5", "as in the file"


async def test_a_value_is_checked_while_it_is_typed(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await settings(app, pilot)
        await write(app, pilot, "sampling", "temperature", "9")
        await until(pilot, lambda: "Temperature must be at least 0, at most 5." in painted(app))
        await pilot.press("enter")
        assert not home.paths.config_file.exists()
        await write(app, pilot, "sampling", "temperature", "warm")
        await until(pilot, lambda: "Temperature must be a number." in painted(app))
        await pilot.press("down")
        await until(pilot, lambda: "Temperature must be a number." in toasts(app))
        assert row(app, "sampling", "temperature").query_one(Input).value == "0.2"
        await write(app, pilot, "sampling", "temperature", "0.9")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, ChatScreen))
        assert config.load(home.paths.config_file).sampling.temperature == 0.9


async def test_stop_strings_and_a_seed_are_written_and_taken_away(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await settings(app, pilot)
        await write(app, pilot, "sampling", "stop", 'User:, "a, b"')
        await pilot.press("enter")
        await write(app, pilot, "sampling", "seed", "7")
        await pilot.press("enter")
        kept = config.load(home.paths.config_file).sampling
        assert (kept.stop, kept.seed) == (("User:", "a, b"), 7)
        await write(app, pilot, "sampling", "stop", '"a, b", "\\n"')
        await pilot.press("enter")
        await write(app, pilot, "sampling", "seed", "x")
        await until(pilot, lambda: "Seed must be a whole number." in painted(app))
        await write(app, pilot, "sampling", "seed", "")
        await pilot.press("enter")
        kept = config.load(home.paths.config_file).sampling
        assert (kept.stop, kept.seed) == (("a, b", "\n"), None)
        assert row(app, "sampling", "stop").query_one(Input).value == '"a, b", "\\n"'
        await pilot.press("ctrl+z", "ctrl+z", "ctrl+z", "ctrl+z")
        assert config.load(home.paths.config_file).sampling == Config().sampling


async def test_the_model_is_kept_otherwise_once_one_leaves(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await settings(app, pilot)
        row(app, "serving", "precision").children[1].focus()
        await pilot.press("right", "right")
        assert home.chat.served == []
        await pilot.press("escape")
        await until(pilot, lambda: [one.precision for one in home.chat.served] == ["int8"])
        await settings(app, pilot)
        await write(app, pilot, "sampling", "temperature", "1")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, ChatScreen))
        assert len(home.chat.served) == 1


@pytest.mark.parametrize(
    ("written", "texts"),
    [
        ("", ()),
        ("User:", ("User:",)),
        ("User:, Human: ,", ("User:", "Human:")),
        ('" x", "a, b"', (" x", "a, b")),
        ("42, 7", ("42", "7")),
        ('User: , "a, b" ,', ("User:", "a, b")),
        ('"', ('"',)),
        ('"a" b, "\\x"', ('"a" b', '"\\x"')),
    ],
)
def test_texts_are_written_with_commas_between(written: str, texts: tuple[str, ...]) -> None:
    stop = setting("sampling", "stop")
    assert parse_value(stop, written) == texts
    assert parse_value(stop, format_value(texts)) == texts


async def test_the_model_of_the_command_line_stays(home: Home) -> None:
    home.config = Config(chat=Chat(model="/mine"))
    async with opened(home) as (app, pilot):
        await settings(app, pilot)
        await pilot.press("end", " ", "H", "i", "tab")
        assert app.workspace.services.config.chat.system_prompt.endswith("Hi")
        assert app.workspace.services.config.chat.model == "/mine"
        assert "model" not in home.paths.config_file.read_text(encoding="utf-8")


async def test_a_theme_is_worn_at_once(home: Home) -> None:
    async with opened(home) as (app, pilot):
        assert app.theme == DARK.name
        await settings(app, pilot)
        row(app, "screen", "theme").children[1].focus()
        await pilot.press("right", "right")
        assert app.theme == LIGHT.name
        assert config.load(home.paths.config_file).screen.theme == "light"


async def test_themes_are_tried_on_and_one_is_kept(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await app.run_action("change_theme")
        await until(pilot, lambda: isinstance(app.screen, ThemeScreen) and app.screen.is_mounted)
        await pilot.press("down", "down")
        await until(pilot, lambda: app.theme == LIGHT.name)
        await pilot.press("escape")
        await until(pilot, lambda: app.theme == DARK.name)
        assert not home.paths.config_file.exists()
        await app.run_action("change_theme")
        await until(pilot, lambda: isinstance(app.screen, ThemeScreen) and app.screen.is_mounted)
        await pilot.press("down", "down", "enter")
        await until(pilot, lambda: home.paths.config_file.exists())
        assert config.load(home.paths.config_file).screen.theme == "light"


async def test_every_theme_paints(home: Home) -> None:
    async with opened(home) as (app, pilot):
        for name in setting("screen", "theme").options:
            app.appearance.try_on(name)  # type: ignore[arg-type]
            await pilot.pause()
            assert "Ask anything" in painted(app)


async def test_a_read_only_file_is_told_and_nothing_is_lost(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise TuteeError("Cannot write the settings: the disk is full.")

    monkeypatch.setattr("core.config_file.replace_file", refuse)
    async with opened(home) as (app, pilot):
        await settings(app, pilot)
        await write(app, pilot, "tuning", "epochs", "7")
        await pilot.press("enter")
        await until(pilot, lambda: "the disk is full" in toasts(app))
        assert row(app, "tuning", "epochs").query_one(Input).value == "7"


async def test_a_nested_setting_is_written_under_its_own_heading(home: Home) -> None:
    old = "[tuning]\nrl_steps = 5  # enough\n"
    home.paths.config_file.write_text(old, encoding="utf-8")
    home.config = config.load(home.paths.config_file)
    async with opened(home) as (app, pilot):
        await settings(app, pilot)
        headings = [str(one.render()) for one in app.screen.query(".section").results(Static)]
        assert headings[-2:] == ["Tuning · reward model", "Tuning · RL"]
        await write(app, pilot, "tuning.rl", "prompts", "2")
        await pilot.press("enter")
        rl = config.load(home.paths.config_file).tuning.rl
        assert (rl.steps, rl.prompts) == (5, 2)
        assert "[tuning.rl]\nsteps = 5  # enough\nprompts = 2" in home.paths.config_file.read_text()
        steps = row(app, "tuning.rl", "steps").control
        steps.focus()
        await until(pilot, lambda: steps.has_focus)
        await pilot.press("ctrl+d")
        assert config.load(home.paths.config_file).tuning.rl.steps == Config().tuning.rl.steps
        await pilot.press("ctrl+z", "ctrl+z")
        assert home.paths.config_file.read_text(encoding="utf-8") == old


def test_an_undo_does_not_overwrite_what_somebody_else_wrote(home: Home) -> None:
    kept = Settings(home.paths.config_file, lambda _: None)
    epochs = setting("tuning", "epochs")
    assert kept.change(epochs, "7")
    assert not kept.change(epochs, "7")
    home.paths.config_file.write_text(FILE, encoding="utf-8")
    with pytest.raises(TuteeError, match="changed elsewhere"):
        kept.undo()
    assert home.paths.config_file.read_text(encoding="utf-8") == FILE


def test_every_setting_that_has_bounds_says_them() -> None:
    bounds = {(one.section, one.name): one.bounds for one in all_settings()}
    assert bounds["tuning.sft", "learning_rate"] == "more than 0, less than 1"
    assert bounds["tuning", "epochs"] == "at least 1, at most 100"
    assert bounds["tuning", "seed"] == "at least 0"
    assert setting("sampling", "seed").bounds == "at least 0"
    assert setting("tuning.rl", "kl_limit").label == "KL limit"
    assert setting("serving", "cache_mb").label == "Cache MB"


@pytest.mark.parametrize(
    ("answer", "light"),
    [
        (b"\x1b]11;rgb:ffff/ffff/ffff\x1b\\\x1b[?62;c", True),
        (b"\x1b]11;rgb:1e1e/1e1e/2e2e\x07", False),
        (b"\x1b]11;rgba:fd/f6/e3/ff\x07", True),
        (b"\x1b[?6c", False),
        (b"", False),
    ],
)
def test_a_light_terminal_is_told_from_a_dark_one(answer: bytes, light: bool) -> None:
    assert is_light(answer) is light


async def test_basic_settings_come_first_and_typing_finds_any(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await pilot.press("f9")
        await until(pilot, lambda: len(app.screen.query(SettingRow)) == len(all_settings()))

        def shown() -> set[str]:
            return {r.setting.name for r in app.screen.query(SettingRow) if r.display}

        assert {"system_prompt", "temperature", "theme"} <= shown()
        assert "min_p" not in shown()
        await pilot.press(*"min p")
        await until(pilot, lambda: "min_p" in shown() and "theme" not in shown())
        await pilot.press("escape")
        await until(pilot, lambda: "theme" in shown() and "min_p" not in shown())
        await pilot.press("ctrl+a")
        assert shown() == {setting.name for setting in all_settings()}
        await pilot.press("escape")
        assert isinstance(app.screen, ChatScreen)


def test_the_system_prompt_begins_in_the_language_that_is_spoken(home: Home) -> None:
    language = current_language()
    set_language("zh")
    try:
        loaded = config.load(home.paths.config_file)
        assert loaded.chat.system_prompt == _(
            "You are a helpful assistant. Answer clearly and briefly."
        )
        assert loaded.chat.system_prompt != Config().chat.system_prompt
        home.paths.config_file.write_text("[chat]\nsystem_prompt = 'Be kind.'\n")
        assert config.load(home.paths.config_file).chat.system_prompt == "Be kind."
    finally:
        set_language(language)
