"""The app in Chinese: nothing on its screens is left in English, and everything fits."""

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Static, TextArea

from core.config import Config
from store.i18n import set_language
from tests import catalog
from tests.fakes import FakeChat, Home
from tests.tui.conftest import answered, opened, painted, say, toasts, until
from tests.tui.screens.test_record_snapshots import LESSONS
from tests.tui.screens.test_record_snapshots import at_utc as _at_utc  # noqa: F401
from tests.tui.screens.test_settings import settings
from tests.tui.screens.test_snapshots import held
from tests.tui.screens.test_tuning import rows, teach
from tui.app.tutee_app import TuteeApp
from tui.screens.chat import ChatScreen
from tui.views.settings import all_settings
from tui.widgets.form import Choice
from tui.widgets.prompt import Prompt
from tui.widgets.settings import SettingRow

QUESTIONS = ("这条评论是正面还是负面？“甜得发腻的废话”", "下雨天在里斯本能做什么？")
REPLIES = ("这条评论总体上是负面的，因为它把影片说成“废话”。", "去博物馆，或者坐 28 路电车。")
LONG = 16
"""Characters from which an English text cannot stand on a screen by chance."""

Script = Callable[[TuteeApp, Pilot[Any]], Awaitable[None]]


@pytest.fixture(autouse=True)
def _in_chinese() -> Iterator[None]:
    set_language("zh")
    yield
    set_language("en")


@pytest.fixture
def talking(home: Home) -> Home:
    home.chat = FakeChat(home.bridge.emit, REPLIES, adapters=home.adapters)
    return home


def english(app: TuteeApp) -> list[str]:
    """Texts of the catalog that the screen shows untranslated."""
    seen = "\n".join((painted(app), toasts(app)))
    return [
        entry.msgid
        for entry in catalog.catalogs()["zh"]
        if len(entry.msgid) >= LONG and entry.msgid != entry.msgstr and entry.msgid in seen
    ]


async def talked(app: TuteeApp, pilot: Pilot[Any]) -> None:
    """Two replies: one refused, one corrected."""
    for count, question in enumerate(QUESTIONS, 1):
        await say(pilot, question)
        await answered(app, pilot, count)
    await pilot.press("f3", "2", "9", "enter", "escape", "up", "f4")
    app.screen.query_one(TextArea).text = "负面"
    await pilot.press("ctrl+s")
    await pilot.pause()


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("f1", "随便问点|按 Enter 发送"),
        ("f4", "你的版本"),
        ("f5", "计划"),
        ("f6", "隐藏版本"),
        ("f7", "类型"),
        ("f8", "许可证"),
        ("f9", "系统提示"),
        ("ctrl+o", "正在使用"),
        ("ctrl+p", "搜索命令"),
        ("ctrl+r", "置顶"),
        ("ctrl+t", "格式"),
    ],
)
async def test_every_screen_is_chinese(talking: Home, key: str, words: str) -> None:
    async with opened(talking) as (app, pilot):
        await talked(app, pilot)
        assert "更正" in painted(app)
        assert english(app) == []
        await pilot.press(key)
        await until(pilot, lambda: any(word in painted(app) for word in words.split("|")), key)
        assert english(app) == []


async def test_the_empty_chat_and_its_guide_are_chinese(home: Home) -> None:
    home.config = Config()
    async with opened(home) as (app, pilot):
        await until(pilot, lambda: "Fake-1" in painted(app))
        for words in ("随便聊点什么", "问点什么…", "/skip 隐藏", "F4 更正", "菜单"):
            assert words in painted(app)
        assert english(app) == []


async def test_another_language_is_spoken_at_once(talking: Home) -> None:
    async with opened(talking) as (app, pilot):
        await talked(app, pilot)
        app.workspace.chat.screen.focus_prompt()
        await pilot.press(*"half a line")
        await settings(app, pilot)
        row = next(row for row in app.screen.query(SettingRow) if row.setting.name == "language")
        row.query_one(Choice).focus()
        while "‹ en ›" not in painted(app):
            await pilot.press("right")
            await pilot.pause()
        await pilot.press("escape")
        await until(pilot, lambda: "F4 Correct" in painted(app))
        for words in (
            "corrected",
            "ignored the instruction",
            "1 to learn",
            "Enter sends",
            REPLIES[1],
        ):
            assert words in painted(app), words
        assert app.screen.query_one(Prompt).text == "half a line"
        await say(pilot, ", and an end")
        await answered(app, pilot, 3)
        await pilot.press("f5")
        await until(pilot, lambda: "Versions" in painted(app))
        await app.action_settings()
        await until(pilot, lambda: len(app.screen.query(SettingRow)) == len(all_settings()))
        row = next(row for row in app.screen.query(SettingRow) if row.setting.name == "language")
        row.query_one(Choice).focus()
        await pilot.press("right")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, ChatScreen) and "更正" in painted(app))
        await pilot.press("f5")
        await until(pilot, lambda: "计划" in painted(app))


async def test_commands_are_found_by_words_of_both_languages(home: Home) -> None:
    async with opened(home) as (app, pilot):
        for words in ("导出", "Export"):
            await pilot.press("ctrl+p", *words)
            await until(pilot, lambda: "把记录写成其他工具可用的文件" in painted(app))
            await pilot.press("escape")


async def test_the_footers_fit_a_narrow_terminal(talking: Home) -> None:
    async with opened(talking) as (app, pilot):
        await talked(app, pilot)
        for key in ("f5", "f7", "f8", "f9"):
            await pilot.press(key)
            await until(pilot, lambda: "返回" in painted(app).splitlines()[-1], key)
            await pilot.press("escape")


async def _chat(app: TuteeApp, pilot: Pilot[Any]) -> None:
    await talked(app, pilot)


async def _correct(app: TuteeApp, pilot: Pilot[Any]) -> None:
    await talked(app, pilot)
    await pilot.press("f4")


async def _settings(app: TuteeApp, pilot: Pilot[Any]) -> None:
    await settings(app, pilot)
    await until(pilot, lambda: "系统提示" in painted(app))
    app.screen.query_one("#settings-title", Static).update("设置")  # the path is the test's own
    await until(pilot, lambda: app.screen.query_one("#settings").max_scroll_y > 0)


async def _welcomed(app: TuteeApp, pilot: Pilot[Any]) -> None:
    await until(pilot, lambda: "Fake-1" in painted(app))


async def _records(app: TuteeApp, pilot: Pilot[Any]) -> None:
    await until(pilot, lambda: "Fake-1" in painted(app))
    await pilot.press("f7")
    await until(pilot, lambda: "类型" in painted(app) and "检查" in painted(app))


async def _tuning(app: TuteeApp, pilot: Pilot[Any]) -> None:
    await until(pilot, lambda: "Fake-1" in painted(app))
    await pilot.press("f5")
    await until(pilot, lambda: rows(app))


@pytest.mark.parametrize("script", [_welcomed, _chat, _correct, _settings])
def test_what_it_looks_like(talking: Home, snap_compare: Any, script: Script) -> None:
    assert held(talking, snap_compare, script, terminal_size=(80, 24))


@pytest.mark.parametrize("size", [(80, 24), (200, 60)])
@pytest.mark.usefixtures("_at_utc")
def test_records_look_like(home: Home, snap_compare: Any, size: tuple[int, int]) -> None:
    home.repository.add_imported(LESSONS)
    assert held(home, snap_compare, _records, terminal_size=size)


def test_tuning_looks_like(home: Home, snap_compare: Any) -> None:
    teach(home, 5, pairs=2)
    assert held(home, snap_compare, _tuning, terminal_size=(80, 24))
