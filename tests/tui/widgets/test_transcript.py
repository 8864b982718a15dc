"""Long conversations: few widgets, and a window of messages that moves with the view."""

import pytest
from textual.pilot import Pilot
from textual.widgets import Markdown

from store.records import Conversation, ImportedConversation, Message, Role
from tests.fakes import FakeChat, Home
from tests.live_records import verdicts
from tests.tui.conftest import opened, painted, replies, say, transcript, until, views
from tui.app.tutee_app import TuteeApp
from tui.widgets.messages import ReplyMessage, UserMessage
from tui.widgets.prompt import Prompt
from tui.widgets.transcript import AT_FIRST, MOST, Earlier, Later

COUNT = 500


@pytest.fixture
def long(home: Home) -> Home:
    """A conversation of 500 messages."""
    talk = Conversation(title="long")
    messages: list[Message] = []
    for number in range(COUNT):
        role: Role = "assistant" if number % 2 else "user"
        what = "answer" if number % 2 else "question"
        messages.append(
            Message(
                conversation_id=talk.id,
                parent_id=messages[-1].id if messages else None,
                role=role,
                content=f"{what} {number // 2}",
            )
        )
    home.repository.add_imported((), [ImportedConversation(talk, tuple(messages))])
    return home


def shown(app: TuteeApp) -> list[UserMessage | ReplyMessage]:
    return list(transcript(app).query("UserMessage, ReplyMessage"))  # type: ignore[arg-type]


async def open_latest(app: TuteeApp, pilot: Pilot[bool]) -> None:
    await pilot.press("ctrl+r", "enter")
    await until(pilot, lambda: views(app))


async def test_only_the_end_is_mounted_and_says_what_lies_before(long: Home) -> None:
    async with opened(long) as (app, pilot):
        await open_latest(app, pilot)
        assert len(shown(app)) == AT_FIRST
        assert views(app)[-1].text == "answer 249"
        assert f"{COUNT - AT_FIRST} earlier messages" in str(
            transcript(app).query_one(Earlier).content
        )
        assert not transcript(app).query(Later)


async def test_the_window_moves_and_never_grows(long: Home) -> None:
    async with opened(long) as (app, pilot):
        await open_latest(app, pilot)
        for _ in range(5):
            first = shown(app)[0]
            transcript(app).query_one(Earlier).action_show()
            await until(pilot, lambda: shown(app)[0] is not first)  # noqa: B023
            assert len(shown(app)) <= MOST
        texts = [view.text for view in views(app)]
        start = int(texts[0].split()[1])
        assert texts == [f"answer {number}" for number in range(start, start + MOST // 2)]
        assert transcript(app).query(Later)
        while transcript(app).query(Later):
            last = shown(app)[-1]
            transcript(app).query_one(Later).action_show()
            await until(pilot, lambda: shown(app)[-1] is not last)  # noqa: B023
            assert len(shown(app)) <= MOST
        assert views(app)[-1].text == "answer 249"


async def test_scrolling_up_brings_older_messages_by_itself(long: Home) -> None:
    async with opened(long) as (app, pilot):
        await open_latest(app, pilot)
        view = transcript(app)
        while not view.query(Later):
            await pilot.press("pageup")
            assert len(shown(app)) <= MOST
        assert views(app)[-1].text != "answer 249"
        while view.query(Later):
            await pilot.press("pagedown")
        assert views(app)[-1].text == "answer 249"


async def test_stepping_from_reply_to_reply_goes_through_all_of_them(long: Home) -> None:
    async with opened(long) as (app, pilot):
        await open_latest(app, pilot)
        await pilot.press("escape")
        for number in range(249, 230, -1):
            focused = app.focused
            assert isinstance(focused, ReplyMessage)
            assert focused.view is not None
            assert focused.view.text == f"answer {number}"
            await pilot.press("k")
        assert len(shown(app)) <= MOST
        await pilot.press("escape", "escape")
        focused = app.focused
        assert isinstance(focused, ReplyMessage)
        assert focused.view is not None
        assert focused.view.text == "answer 249", "Esc leads to the last reply of the chat"


async def test_what_is_said_far_from_the_end_is_seen_at_the_end(long: Home) -> None:
    async with opened(long) as (app, pilot):
        await open_latest(app, pilot)
        for _ in range(4):
            first = shown(app)[0]
            transcript(app).query_one(Earlier).action_show()
            await until(pilot, lambda: shown(app)[0] is not first)  # noqa: B023
        await pilot.press("f2")
        assert verdicts(long.repository)[0].completion == "answer 249"
        await say(pilot, "one more")
        await until(pilot, lambda: views(app)[-1].text == "Paris.")
        assert "one more" in painted(app)
        assert not transcript(app).query(Later)
        assert len(shown(app)) <= MOST


async def test_a_long_talk_keeps_few_widgets_as_it_goes_on(home: Home) -> None:
    async with opened(home) as (app, pilot):
        count = MOST // 2 + 1
        for number in range(count):
            app.screen.query_one(Prompt).post_message(Prompt.Sent(f"{number}"))
        await until(pilot, lambda: len(home.chat.prompts) == count)
        await until(
            pilot, lambda: "queued" not in painted(app) and not app.workspace.session.replying
        )
        assert len(shown(app)) <= MOST
        assert transcript(app).query(Earlier)


async def test_an_early_branch_of_a_long_chat_is_where_one_looks(long: Home) -> None:
    async with opened(long) as (app, pilot):
        (conversation,) = long.repository.conversations()
        early = long.repository.messages(conversation.id)[1]
        assert early.content == "answer 0"
        long.repository.add_message(
            conversation.id, "assistant", "other answer", parent_id=early.parent_id
        )
        await open_latest(app, pilot)
        assert [view.text for view in views(app)] == ["other answer"]
        await pilot.press("escape", "left")
        await until(pilot, lambda: views(app)[0].text == "answer 0")
        assert app.focused is replies(app)[0]
        assert len(shown(app)) <= MOST
        assert transcript(app).query(Later)
        await pilot.press("right")
        await until(pilot, lambda: [view.text for view in views(app)] == ["other answer"])


async def test_a_very_long_reply_is_shown_as_it_is_stored(home: Home) -> None:
    text = "\n\n".join(f"**{number}** 你好 " + "word " * 60 for number in range(100))
    home.chat = FakeChat(home.bridge.emit, adapters=home.adapters, writes_by_itself=False)
    async with opened(home) as (app, pilot):
        await say(pilot, "Write")
        await until(pilot, lambda: replies(app))
        for start in range(0, len(text), 1000):
            home.chat.write(text[start : start + 1000])
        home.chat.finish()
        await until(pilot, lambda: views(app))
        assert home.repository.message(views(app)[0].id).content == text
        assert replies(app)[0].query_one(Markdown).source == text
        assert "99 你好" in painted(app)
