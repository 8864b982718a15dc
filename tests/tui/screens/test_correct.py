"""F4: both versions side by side, their words compared as one types, why, and drafts."""

from typing import Any

from textual import events
from textual.pilot import Pilot
from textual.widgets import Input, TextArea

from store.errors import TuteeError
from store.records import ChatMessage, Instruction, Preference
from tests.fakes import FakeChat, Home
from tests.live_records import preferences
from tests.tui.conftest import answered, opened, painted, say, toasts, until
from tui.app.tutee_app import TuteeApp
from tui.screens.chat import ChatScreen
from tui.screens.correct import CorrectScreen
from tui.widgets.correction import CorrectionEditor, _by_line
from tui.widgets.transcript import Transcript

LONG = "The capital of France is Lyon, of course."


async def correcting(home: Home, app: TuteeApp, pilot: Pilot[Any]) -> CorrectionEditor:
    await say(pilot, "Capital of France?")
    await answered(app, pilot, 1)
    await pilot.press("f4")
    await until(pilot, lambda: isinstance(app.screen, CorrectScreen) and app.screen.is_mounted)
    return app.screen.query_one(CorrectionEditor)


async def instruct(app: TuteeApp, pilot: Pilot[Any], text: str) -> None:
    field = app.screen.query_one("#draft Input", Input)
    field.focus()
    field.value = text
    await pilot.press("enter")


def marked(version: CorrectionEditor) -> list[str]:
    return [
        version.document.get_line(line)[start:end]
        for line, spans in sorted(version._marks.items())
        for start, end in spans
    ]


async def test_words_are_compared_while_one_types(home: Home) -> None:
    home.chat = FakeChat(home.bridge.emit, [LONG], adapters=home.adapters)
    async with opened(home, (120, 36)) as (app, pilot):
        version = await correcting(home, app, pilot)
        assert marked(version) == []
        version.text = "The capital of France is Paris,\nof course, 巴黎."
        await until(pilot, lambda: marked(version) == ["Paris", ", 巴黎"])
        styles = [
            segment.text
            for strip in app.screen._compositor.render_strips()
            for segment in strip
            if segment.style and segment.style.underline
        ]
        assert {"Paris", "Lyon"} <= {text.strip() for text in styles}


def test_marks_fall_on_the_right_lines() -> None:
    from tui.views.word_diff import Span

    spans = (Span("a ", False), Span("new\nlines \n", True), Span("b", False), Span(" c", True))
    assert _by_line(spans) == {0: [(2, 5)], 1: [(0, 5)], 2: [(1, 3)]}


async def test_why_becomes_the_comment(home: Home) -> None:
    async with opened(home) as (app, pilot):
        version = await correcting(home, app, pilot)
        version.text = "Lima."
        await pilot.press("tab", *"of Peru", "enter")
        await until(pilot, lambda: isinstance(app.screen, ChatScreen))
        records = home.repository.records()
        assert [type(record) for record in records] == [Instruction, Preference]
        assert {record.comment for record in records} == {"of Peru"}
        await pilot.press("f4")
        await until(pilot, lambda: isinstance(app.screen, CorrectScreen) and app.screen.is_mounted)
        assert app.screen.query_one("#why Input", Input).value == "of Peru"
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, ChatScreen))


async def test_the_model_drafts_and_the_person_decides(home: Home) -> None:
    home.chat = FakeChat(home.bridge.emit, [LONG, "Paris."], adapters=home.adapters)
    async with opened(home) as (app, pilot):
        version = await correcting(home, app, pilot)
        await instruct(app, pilot, "shorter")
        await until(pilot, lambda: version.text == "Paris." and not version.read_only)
        _, turns = home.chat.compared[0]
        assert turns[-2] == ChatMessage(role="assistant", content=LONG)
        assert "shorter" in turns[-1].content
        assert home.repository.records() == []
        await until(pilot, lambda: app.focused is version)
        await until(pilot, lambda: "A draft. Edit it" in painted(app))
        await pilot.press("ctrl+z")
        await until(pilot, lambda: "A draft. Edit it" not in painted(app))
        assert version.text == LONG
        await pilot.press("ctrl+y", "ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, ChatScreen))
        assert preferences(home.repository)[0].chosen == "Paris."
        assert len(app.screen.query_one(Transcript).query("ReplyMessage")) == 1


async def test_a_draft_that_changes_nothing_is_told(home: Home) -> None:
    home.chat = FakeChat(home.bridge.emit, [LONG, LONG], adapters=home.adapters)
    async with opened(home) as (app, pilot):
        version = await correcting(home, app, pilot)
        await instruct(app, pilot, "shorter")
        await until(pilot, lambda: "The model wrote the same text." in painted(app))
        assert not version.read_only
        assert not version.has_focus
        await pilot.press("escape")


async def test_it_is_emptied_with_one_key_and_brought_back(home: Home) -> None:
    async with opened(home) as (app, pilot):
        version = await correcting(home, app, pilot)
        first = version.text
        await pilot.press("ctrl+u")
        assert version.text == ""
        await pilot.press("ctrl+z")
        assert version.text == first
        await pilot.press("ctrl+u", *"Lima", "ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, ChatScreen))
        assert preferences(home.repository)[0].chosen == "Lima"


async def test_a_long_question_is_cut_where_one_sees_it(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await say(pilot, "word " * 60)
        await answered(app, pilot, 1)
        await pilot.press("f4")
        await until(pilot, lambda: "You asked" in painted(app))
        line = next(line for line in painted(app).splitlines() if "You asked" in line)
        assert line.rstrip(" │").endswith("…")
        await pilot.press("escape")


async def test_a_draft_can_be_stopped(home: Home) -> None:
    async with opened(home) as (app, pilot):
        version = await correcting(home, app, pilot)
        home.chat._writes_by_itself = False
        version.text = "Mine"
        await instruct(app, pilot, "longer")
        home.chat.write("A very")
        await until(pilot, lambda: version.text == "A very")
        assert version.read_only
        await pilot.press("ctrl+s", "escape")
        await until(pilot, lambda: version.text == "Mine" and not version.read_only)
        assert home.chat.answers_stopped == 1
        assert home.repository.records() == []
        home.chat.write(" long one")
        home.chat.finish()
        await pilot.pause(0.05)
        assert version.text == "Mine"
        await pilot.press("escape", "escape")


async def test_a_draft_that_fails_is_told_and_nothing_is_lost(home: Home) -> None:
    async with opened(home) as (app, pilot):
        version = await correcting(home, app, pilot)
        version.text = "Mine"
        await instruct(app, pilot, "")
        await until(pilot, lambda: "Say how to rewrite it." in toasts(app))
        home.chat.fail_next = TuteeError("There is not enough memory.")
        await instruct(app, pilot, "in Chinese")
        await until(pilot, lambda: "There is not enough memory." in toasts(app))
        assert version.text == "Mine"
        await pilot.press("escape", "escape")


async def test_a_very_long_reply_is_shown_without_comparing(home: Home) -> None:
    conversation = home.repository.start_conversation()
    home.repository.add_message(conversation.id, "user", "Go on and on.")
    home.repository.add_message(conversation.id, "assistant", "word " * 20_000)
    async with opened(home) as (app, pilot):
        app.workspace.session.conversation.open(conversation.id)
        await app.workspace.chat.screen.renew()
        await pilot.press("f4")
        await until(pilot, lambda: isinstance(app.screen, CorrectScreen) and app.screen.is_mounted)
        version = app.screen.query_one(CorrectionEditor)
        assert marked(version) == []
        assert "word word" in painted(app)
        await pilot.press("escape")


async def test_keys_of_one_burst_reach_the_dialog_that_the_first_opens(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await say(pilot, "Capital of France?")
        await answered(app, pilot, 1)
        for key in ("f4", "ctrl+u", *"Paris"):
            app.post_message(events.Key(key, key if len(key) == 1 else None))
        app.post_message(events.Paste(", 巴黎"))
        app.post_message(events.Key("ctrl+s", None))
        await until(
            pilot, lambda: [pair.chosen for pair in preferences(home.repository)] == ["Paris, 巴黎"]
        )
        assert app.screen_stack[0].query_one("#prompt", TextArea).text == ""
        await pilot.press("x")  # and the keys still come
        assert app.screen_stack[0].query_one("#prompt", TextArea).text == "x"
