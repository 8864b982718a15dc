"""Actions on a reply: every key in its footer, and the same by slash command."""

import pytest

from core.runs.plan import make_plan
from store.records import ChatMessage, Instruction
from tests.fakes import FakeChat, Home
from tests.live_records import verdicts
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
from tui.app.tutee_app import TuteeApp
from tui.screens.chat import ChatScreen
from tui.screens.correct import CorrectScreen
from tui.screens.record import RecordScreen
from tui.widgets.prompt import Prompt

CODE = "Look:\n\n```python\nprint('一')\n```\n\nand\n\n~~~\nplain\nlines\n~~~\n"


@pytest.fixture
def copied(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    texts: list[str] = []
    monkeypatch.setattr("tui.app.tutee_app.copy_to_desktop", texts.append)
    return texts


def footer(app: TuteeApp) -> str:
    return painted(app).splitlines()[-1]


async def test_the_thumbs_are_plus_and_minus(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await say(pilot, "Hello")
        await answered(app, pilot, 1)
        await pilot.press("escape", "plus")
        assert views(app)[0].label is True
        await pilot.press("minus", "escape")
        assert views(app)[0].label is False
        assert app.focused is replies(app)[0], "one is back where one was"
        await pilot.press("c")
        assert isinstance(app.screen, CorrectScreen)


async def test_letters_and_arrows_move_and_esc_leads_back(home: Home) -> None:
    async with opened(home) as (app, pilot):
        for count in (1, 2, 3):
            await say(pilot, "Hello")
            await answered(app, pilot, count)
        await pilot.press("ctrl+up")
        assert app.focused is replies(app)[2]
        for key, place in (("k", 1), ("up", 0), ("k", 0), ("j", 1), ("down", 2)):
            await pilot.press(key)
            assert app.focused is replies(app)[place]
        await pilot.press("j")
        assert app.focused is app.screen.query_one(Prompt)


async def test_the_reply_and_its_code_are_copied(home: Home, copied: list[str]) -> None:
    home.chat = FakeChat(home.bridge.emit, [CODE, "no code"], adapters=home.adapters)
    async with opened(home) as (app, pilot):
        await say(pilot, "Show")
        await answered(app, pilot, 1)
        await pilot.press("escape")
        await until(pilot, lambda: "Shift+Y Code" in footer(app))
        await pilot.press("y", "Y")
        assert copied == [CODE, "plain\nlines"]
        assert "Code copied." in toasts(app)
        await pilot.press("escape")
        await say(pilot, "Again")
        await answered(app, pilot, 2)
        await pilot.press("escape")
        await until(pilot, lambda: "Y Copy" in footer(app))
        assert "Shift+Y Code" not in footer(app)
        await pilot.press("Y", "escape")
        await say(pilot, "/copy")
        await until(pilot, lambda: copied[2:] == ["no code"])


async def test_an_excluded_reply_is_kept_and_not_trained_on(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await say(pilot, "Hello")
        await answered(app, pilot, 1)
        await pilot.press("escape", "x")
        assert not views(app)[0].excluded, "there is nothing to exclude yet"
        await pilot.press("plus", "x")
        assert views(app)[0].excluded
        assert "not trained on" in painted(app)
        assert "0 to learn" in painted(app)
        plan = make_plan(home.repository.trainable(), home.adapters, home.config)
        assert plan.sft.new == ()
        await pilot.press("x")
        assert "1 to learn" in painted(app)
        await say_from_reply(app, pilot, "/exclude")
        await until(pilot, lambda: views(app)[0].excluded)
        await pilot.press("escape", "ctrl+z")
        assert home.repository.records() == []


async def say_from_reply(app: TuteeApp, pilot: object, text: str) -> None:
    transcript(app).screen.query_one(Prompt).focus()
    await say(pilot, text)  # type: ignore[arg-type]


async def test_the_trained_tokens_are_a_key_away(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await say(pilot, "Hello")
        await answered(app, pilot, 1)
        await pilot.press("escape", "m")
        await until(pilot, lambda: isinstance(app.screen, RecordScreen))
        # The scripted model has no tokenizer: its record is shown instead, and the error once.
        await until(pilot, lambda: "Paris." in painted(app))
        assert home.repository.records() == []
        await pilot.press("escape")
        assert isinstance(app.screen, ChatScreen)
        assert app.focused is replies(app)[0]


async def test_feedback_by_slash_command(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await say(pilot, "Hello")
        await answered(app, pilot, 1)
        await say(pilot, "/good")
        await until(pilot, lambda: views(app)[0].label is True)
        await say(pilot, "/bad far too short")
        await until(pilot, lambda: views(app)[0].label is False)
        assert isinstance(app.screen, ChatScreen)
        assert verdicts(home.repository)[0].comment == "far too short"
        await say(pilot, "/fix It is Paris.\nIn France.")
        await until(pilot, lambda: views(app)[0].correction == "It is Paris.\nIn France.")
        await say(pilot, "/undo")
        await until(pilot, lambda: views(app)[0].correction is None)
        await say(pilot, "/bad")
        await until(pilot, lambda: not isinstance(app.screen, ChatScreen))
        assert len(home.chat.prompts) == 1


async def test_the_footer_shows_the_keys_that_work_now(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await say(pilot, "Hello")
        await answered(app, pilot, 1)
        assert "F5 Tune" in footer(app)
        await pilot.press("escape")
        await until(pilot, lambda: "R Ask again" in footer(app))
        assert "X Exclude" not in footer(app)
        assert "←→" not in footer(app)
        await pilot.press("plus")
        await until(pilot, lambda: "X Exclude" in footer(app))
        await pilot.press("r")
        await until(pilot, lambda: "←→ Other" in footer(app) and "P Prefer" in footer(app))
        await pilot.press("escape")
        await until(pilot, lambda: "F5 Tune" in footer(app))


async def test_a_reply_says_which_corrections_it_follows(home: Home) -> None:
    prompt = (ChatMessage(role="user", content="Who runs the bakery?"),)
    record = Instruction(prompt=prompt, completion="[b]Teodora[/b] runs it.")
    home.repository.add_imported([record])
    home.chat.recalls = (record.id,)
    async with opened(home) as (app, pilot):
        await say(pilot, "Who is in charge of the bakery?")
        await answered(app, pilot, 1)
        assert "from 1 correction" in painted(app)
        assert "[b]Teodora[/b]" not in painted(app)
        await pilot.press("escape", "f")
        await until(pilot, lambda: "Who runs the bakery? → [b]Teodora[/b]" in painted(app))
        await pilot.press("f", "escape")
        await until(pilot, lambda: "[b]Teodora[/b]" not in painted(app))

        home.chat.recalls = ()
        for command, given in (("/recall off", []), ("/recall", [record.id]), ("", [record.id])):
            if command:
                await say(pilot, command)
            await say(pilot, "And the mill?")
            await answered(app, pilot, len(home.chat.recallable))
            assert home.chat.recallable[-1] == given
        await pilot.press("escape", "f")
        assert not replies(app)[-1].show_recalled
        await pilot.press("escape")
        await say(pilot, "/recall maybe")
        await until(pilot, lambda: "/recall takes on or off." in toasts(app))
