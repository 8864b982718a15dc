"""Keys and their help: F1 lists those of every screen, and each can be changed."""

import re

import pytest
from click.testing import CliRunner
from textual.widgets._footer import FooterKey

from core.config import Config
from store.errors import TuteeError
from tests.catalog import FOLDERS, ROOT, catalogs
from tests.fakes import Home
from tests.tui.conftest import answered, opened, painted, say, toasts, until
from tests.tui.screens.test_tuning import ready
from tui.bindings import tables
from tui.cli.root import cli
from tui.commands import keymap
from tui.commands.keymap import DEFAULT_KEYS, Keymap, bound
from tui.screens.chat import ChatScreen
from tui.screens.help import HelpScreen
from tui.screens.records import RecordsScreen
from tui.screens.tuning import TuningScreen


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        (
            {"tune.strat": "f2"},
            r"keys.tune.strat`: there is no binding with that id. Did you mean `tune.start`",
        ),
        ({"tune.start": "f77"}, "there is no key `f77`"),
        ({"tune.start": "hyper+"}, "there is no key `hyper\\+`"),
        ({"tune.start": "ctrl+m"}, "terminals send `ctrl\\+m` as Enter"),
        ({"records.check": "delete"}, "`delete` is the key of `records.delete` there"),
    ],
)
def test_a_bad_choice_is_refused(chosen: dict[str, str], said: str) -> None:
    with pytest.raises(TuteeError, match=said):
        Keymap(chosen, tables)


def test_two_keys_may_change_places() -> None:
    chosen = {"records.check": "d", "records.delete": "c, ctrl+d"}
    assert Keymap(chosen, tables).overrides() == {
        "records.check": "d",
        "records.delete": "c,ctrl+d",
    }


def test_what_shared_a_key_keeps_it() -> None:
    assert Keymap({"tune.drop": "z"}, tables).overrides() == {"tune.drop": "z", "tune.cancel": "x"}


def test_every_key_of_ours_can_be_chosen() -> None:
    nameless = [b for bindings in tables() for b in bindings if not b.id]
    assert nameless == []
    assert all(one.description for one in bound(tables()).values())


def test_no_key_needs_more_than_an_old_terminal() -> None:
    for one in bound(tables()).values():
        assert not set(one.keys) & set(keymap._SAME), one
        assert any(not key.startswith(("alt+", "super+", "shift+")) for key in one.keys), one


def test_the_default_keys_that_texts_name_are_those_of_the_bindings() -> None:
    known = bound(tables())
    assert {id_: known[id_].keys[0] for id_ in DEFAULT_KEYS} == DEFAULT_KEYS


def test_every_key_in_a_text_is_known() -> None:
    sources = (path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
    texts = [path.read_text(encoding="utf-8") for path in sources]
    for entries in catalogs().values():
        texts += [text for e in entries for text in (e.msgstr, *e.msgstr_plural.values())]
    named = {id_ for text in texts for id_ in re.findall(r"\{key:([\w.-]+)\}", text)}
    assert named - {"ID"} - DEFAULT_KEYS.keys() == set()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{key:chat.like} keeps it, {key:chat.correct} says more.", "F8 keeps it, F4 says more."),
        ("{key:app.compare}", "F6"),
        ("F2 in prose, {count} and {key:of.a.user} stay.",) * 2,
    ],
)
def test_a_text_names_the_keys_of_the_user(text: str, said: str) -> None:
    chosen = {"chat.like": "f8, f2", "app.export": "f12", "app.compare": ""}
    assert Keymap(chosen, tables).in_text(text) == said


def test_a_key_for_what_is_gone_is_ignored() -> None:
    assert Keymap({"correct.clear": "f12"}, tables).overrides() == {}


async def test_another_key_works_and_is_shown(home: Home) -> None:
    home.config = Config(keys={"records.check": "f12", "app.back": "f11"})
    async with opened(home) as (app, pilot):
        await pilot.press("f7")
        await until(pilot, lambda: isinstance(app.screen, RecordsScreen) and app.screen.is_mounted)
        await pilot.press("escape")
        assert isinstance(app.screen, RecordsScreen)
        await pilot.press("f1")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen) and "Check" in painted(app))
        line = next(line for line in painted(app).splitlines() if "Check" in line)
        assert line.split()[1:3] == ["F12", "Check"]
        await pilot.press("f11")
        await pilot.press("f11")
        await until(pilot, lambda: isinstance(app.screen, ChatScreen))


async def test_help_is_about_the_screen_it_was_asked_on(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await ready(app, pilot)
        await pilot.press("f5")
        await until(pilot, lambda: isinstance(app.screen, TuningScreen) and app.screen.is_mounted)
        await pilot.press("f1")
        await until(pilot, lambda: "Plan the next training run" in painted(app))
        assert "From the base" in painted(app)
        assert "👎" not in painted(app)
        await pilot.press("f1")
        await until(pilot, lambda: isinstance(app.screen, TuningScreen))


def test_the_ids_are_listed(tmp_path: object) -> None:
    done = CliRunner().invoke(cli, ["--home", str(tmp_path), "keys"])
    assert done.exit_code == 0
    assert "tune.start" in done.output
    assert "app.quit" in done.output


@pytest.mark.parametrize("width", [40, 60, 80, 100, 200])
async def test_a_footer_shows_whole_keys_only(home: Home, width: int) -> None:
    async with opened(home, (width, 24)) as (app, pilot):
        await say(pilot, "Hello")
        await answered(app, pilot, 1)
        await pilot.press("f2")
        for key in ("f1", "escape", "escape", "f5", "escape", "f7"):
            await pilot.press(key)
            await until(pilot, lambda: app.screen.is_mounted)
            for shown in app.screen.query(FooterKey):
                assert shown.region.right <= width, shown.description
                others = [other for other in app.screen.query(FooterKey) if other is not shown]
                apart = shown.region.grow((0, 1, 0, 0))
                assert not any(apart.overlaps(other.region) for other in others)


async def test_a_footer_stays_as_it_is_under_a_dialog(home: Home) -> None:
    async with opened(home, (120, 24)) as (app, pilot):
        await say(pilot, "Hello")
        await answered(app, pilot, 1)
        await pilot.press("escape")
        await until(pilot, lambda: "+ 👍" in painted(app))
        before = painted(app).splitlines()[-1]
        assert "Code" not in before
        await pilot.press("minus")
        await until(pilot, lambda: "Why?" in painted(app))
        assert painted(app).splitlines()[-1] == before
        await pilot.press("escape")


async def test_what_is_said_names_the_keys_that_were_chosen(home: Home) -> None:
    home.config = Config(keys={"chat.like": "f4", "chat.correct": "f12"})
    async with opened(home, (120, 30)) as (app, pilot):
        await until(pilot, lambda: "F4 👍 good as it is" in painted(app))
        assert "F12 ✎ write it better" in painted(app)
        await pilot.press("f5")
        await until(pilot, lambda: "Teach with F4 and F12" in painted(app))
        app.notify("Correct ({key:chat.correct}) or rate ({key:chat.like}) a reply first.")
        await until(pilot, lambda: "Correct (F12) or rate (F4) a reply first." in toasts(app))
        await pilot.press("escape", "f7")
        await until(pilot, lambda: "F4 likes a reply, F3 dislikes it and F12" in painted(app))


async def test_a_dialog_names_its_own_chosen_keys(home: Home) -> None:
    home.config = Config(
        keys={
            "correct.save": "ctrl+t",
            "app.best_of": "ctrl+x",
            "reply.undo": "ctrl+y",
            "app.tune": "f12",
            "text.clear": "",  # left without a key, it is named by the default one
        }
    )
    async with opened(home) as (app, pilot):
        await say(pilot, "Hi")
        await answered(app, pilot, 1)
        await pilot.press("f4")
        await until(pilot, lambda: "Ctrl+T saves · Ctrl+U clears" in painted(app))
        await pilot.press(*"x", "ctrl+t")
        await until(pilot, lambda: "corrected" in painted(app))
        await pilot.press("escape")
        await until(pilot, lambda: "Ctrl+Y undo" in painted(app))
        await pilot.press("f1")
        await until(pilot, lambda: "F12 trains the model" in painted(app))
