"""The chat session without app or threads: order of messages, storage, and changes."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from core.config import Config
from core.events import ModelReady, ReplyDone, ReplyFailed, TokenChunk
from store.errors import TuteeError
from store.paths import locate
from store.records import ChatMessage, Instruction, Record, Sampling
from store.repository import Repository
from tui.controllers.chat_session import ChatSession
from tui.controllers.live_reply import STOPPING, WAITING, WRITING
from tui.controllers.open_conversation import ChatSettings
from tui.views.chat import (
    MessageAdded,
    QueueChanged,
    RecalledView,
    ReplyBegan,
    ReplyEnded,
    ReplyGrew,
    ReplyView,
)
from tui.widgets.messages import _badges

READY = ModelReady("fake-1", "r0", "Fake-1", "v2", 1.0)


class Chat:
    """A chat worker that records its calls."""

    def __init__(self) -> None:
        self.adapters = None
        self.requests: list[tuple[str, tuple[ChatMessage, ...], Sampling, int]] = []
        self.recallable: list[Sequence[Record]] = []
        """The records given with each request."""
        self.stops = 0
        self.checked: list[tuple[ChatMessage, ...]] = []
        self.ahead: list[tuple[ChatMessage, ...]] = []

    def check(self, messages: tuple[ChatMessage, ...], sampling: Sampling) -> None:
        self.checked.append(messages)

    def reply(self, *request: object) -> None:
        *rest, records = request
        self.requests.append(tuple(rest))  # type: ignore[arg-type]
        self.recallable.append(records)  # type: ignore[arg-type]

    def prefill(
        self, messages: tuple[ChatMessage, ...], sampling: Sampling, records: Sequence[Record]
    ) -> None:
        self.ahead.append(messages)

    def stop_reply(self) -> None:
        self.stops += 1


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    with Repository.open(locate(tmp_path / "home")) as opened:
        yield opened


@pytest.fixture
def chat() -> Chat:
    return Chat()


@pytest.fixture
def session(repository: Repository, chat: Chat) -> ChatSession:
    return ChatSession(repository, chat, Config, seed=lambda: 7)  # type: ignore[arg-type]


def done(chat: Chat, text: str, *, stopped: bool = False) -> ReplyDone:
    return ReplyDone(chat.requests[-1][0], text, stopped, False, 83, 2.0, "v2", 7)


def said(repository: Repository) -> list[tuple[str, str]]:
    """Everything stored, newest conversation first."""
    return [
        (message.role, message.content)
        for conversation in repository.conversations()
        for message in repository.messages(conversation.id)
        if message.role != "system"
    ]


def test_a_message_is_checked_with_the_system_prompt_of_its_chat(
    session: ChatSession, chat: Chat
) -> None:
    session.check("Hello")
    assert [message.content for message in chat.checked[0]] == [
        Config().chat.system_prompt,
        "Hello",
    ]
    session.override(ChatSettings("Be brief."))
    session.check("Hello")
    assert chat.checked[1][0] == ChatMessage(role="system", content="Be brief.")


def test_a_message_is_stored_before_its_reply_is_asked_for(
    repository: Repository, chat: Chat
) -> None:
    stored_when_asked = []

    class Recording(Chat):
        def reply(self, *request: object) -> None:
            stored_when_asked.append(said(repository))

    session = ChatSession(repository, Recording(), Config)  # type: ignore[arg-type]
    session.model_ready(READY)
    session.send("Hello")
    assert stored_when_asked == [[("user", "Hello")]]


def test_a_reply_is_kept_with_all_that_made_it(
    repository: Repository, chat: Chat, session: ChatSession
) -> None:
    session.model_ready(READY)
    asked, began, queued = session.send("Capital of France?")
    assert isinstance(asked, MessageAdded)
    assert asked.message.text == "Capital of France?"
    assert isinstance(began, ReplyBegan)
    assert began.live.note == WRITING
    assert queued == QueueChanged(())
    request_id, messages, sampling, _ = chat.requests[0]
    assert [message.role for message in messages] == ["system", "user"]
    assert session.on_reply(TokenChunk(request_id, "Par")) == [ReplyGrew(request_id, "Par")]
    (ended,) = session.on_reply(done(chat, "Paris."))
    assert isinstance(ended, ReplyEnded)
    assert ended.reply is not None
    assert (ended.reply.text, ended.reply.speed, ended.reply.adapter) == ("Paris.", 41.0, "v2")
    message = repository.message(ended.reply.id)
    assert message.origin is not None
    assert message.origin.model == "fake-1"
    assert (message.origin.seed, message.origin.sampling) == (7, sampling)
    assert not message.origin.stopped


def test_what_is_sent_while_the_model_loads_waits_in_order(
    repository: Repository, chat: Chat, session: ChatSession
) -> None:
    _, began, _ = session.send("one")
    assert isinstance(began, ReplyBegan)
    assert began.live.note == WAITING
    assert session.send("two") == [QueueChanged(("two",))]
    assert session.send("three") == [QueueChanged(("two", "three"))]
    assert chat.requests == []
    assert said(repository) == [("user", "one")]
    (began,) = session.model_ready(READY)
    assert isinstance(began, ReplyBegan)
    assert began.live.note == WRITING
    for text in ("1", "2", "3"):
        session.on_reply(done(chat, text))
    assert [content for _, content in said(repository)] == [
        "one",
        "1",
        "two",
        "2",
        "three",
        "3",
    ]
    assert [message.content for message in chat.requests[-1][1]][1:] == [
        "one",
        "1",
        "two",
        "2",
        "three",
    ]


def test_the_chat_is_read_ahead_while_nothing_else_is_wanted_of_the_model(
    repository: Repository, chat: Chat, session: ChatSession
) -> None:
    session.prefill()
    assert chat.ahead == [], "there is no model yet"
    session.model_ready(READY)
    session.prefill()
    assert [message.role for message in chat.ahead.pop()] == ["system"]
    session.send("one")
    session.prefill()
    session.send("two")
    session.on_reply(done(chat, "1"))
    assert chat.ahead == [], "a reply is under way, and another waits"
    session.on_reply(done(chat, "2"))
    assert [message.content for message in chat.ahead.pop()][1:] == ["one", "1", "two", "2"]
    session.send("three")
    session.on_reply(done(chat, "", stopped=True))
    assert chat.ahead == [], "what comes next is not known: the question has no reply"


def test_a_stopped_reply_keeps_what_it_has(
    repository: Repository, chat: Chat, session: ChatSession
) -> None:
    session.model_ready(READY)
    session.send("Tell me everything")
    (began,) = session.stop()
    assert isinstance(began, ReplyBegan)
    assert began.live.note == STOPPING
    assert chat.stops == 1
    (ended,) = session.on_reply(done(chat, "Well, ", stopped=True))
    assert isinstance(ended, ReplyEnded)
    assert ended.reply is not None
    assert ended.reply.stopped
    assert said(repository)[-1] == ("assistant", "Well, ")


def test_a_reply_stopped_before_its_first_word_leaves_nothing(
    repository: Repository, chat: Chat, session: ChatSession
) -> None:
    session.model_ready(READY)
    session.send("Hello")
    (ended,) = session.on_reply(done(chat, "", stopped=True))
    assert ended == ReplyEnded(chat.requests[0][0], None)
    assert said(repository) == [("user", "Hello")]


def test_there_is_nothing_to_stop_while_the_model_loads(chat: Chat, session: ChatSession) -> None:
    session.send("Hello")
    assert session.stop() == []
    assert chat.stops == 0


def test_a_failed_reply_keeps_its_partial_text_and_the_queue_goes_on(
    repository: Repository, chat: Chat, session: ChatSession
) -> None:
    session.model_ready(READY)
    session.send("one")
    session.send("two")
    request_id = chat.requests[0][0]
    session.on_reply(TokenChunk(request_id, "half"))
    ended, asked, *_ = session.on_reply(ReplyFailed(request_id, TuteeError("Out of memory.")))
    assert isinstance(ended, ReplyEnded)
    assert ended.reply is not None
    assert ended.reply.stopped
    assert isinstance(asked, MessageAdded)
    assert [content for _, content in said(repository)] == ["one", "half", "two"]
    assert len(chat.requests) == 2


def test_another_chat_neither_stops_nor_mixes_the_reply_under_way(
    repository: Repository, chat: Chat, session: ChatSession
) -> None:
    session.model_ready(READY)
    session.send("first chat")
    session.send("still first")
    session.conversation.new()
    assert session.send("second chat") == [QueueChanged(("second chat",))]
    assert not session.replying
    request_id = chat.requests[0][0]
    assert session.on_reply(TokenChunk(request_id, "a")) == []
    assert session.on_reply(done(chat, "a")) == []
    asked, *_ = session.on_reply(done(chat, "b"))
    assert isinstance(asked, MessageAdded)
    assert asked.message.text == "second chat"
    session.on_reply(done(chat, "c"))
    second, first = repository.conversations()
    assert [m.content for m in repository.messages(first.id)][1:] == [
        "first chat",
        "a",
        "still first",
        "b",
    ]
    assert [m.content for m in repository.messages(second.id)][1:] == ["second chat", "c"]


def test_going_back_to_a_chat_shows_its_live_reply_and_its_queue(
    repository: Repository, chat: Chat, session: ChatSession
) -> None:
    session.model_ready(READY)
    session.send("one")
    session.send("two")
    session.on_reply(TokenChunk(chat.requests[0][0], "par"))
    (conversation,) = repository.conversations()
    session.conversation.new()
    assert session.view().messages == ()
    session.conversation.open(conversation.id)
    view = session.view()
    assert [message.text for message in view.messages] == ["one"]
    assert view.live is not None
    assert (view.live.text, view.queued) == ("par", ("two",))


def test_leaving_keeps_the_reply_under_way(
    repository: Repository, chat: Chat, session: ChatSession
) -> None:
    session.model_ready(READY)
    session.send("Hello")
    session.on_reply(TokenChunk(chat.requests[0][0], "Good mor"))
    session.close()
    view = session.view()
    reply = view.messages[-1]
    assert isinstance(reply, ReplyView)
    assert (reply.text, reply.stopped, reply.adapter) == ("Good mor", True, "v2")


def test_events_of_a_reply_that_is_over_change_nothing(
    repository: Repository, chat: Chat, session: ChatSession
) -> None:
    session.model_ready(READY)
    session.send("Hello")
    end = done(chat, "Hi.")
    session.on_reply(end)
    assert session.on_reply(end) == []
    assert session.on_reply(TokenChunk(end.request_id, "late")) == []
    assert len(said(repository)) == 2


def test_a_message_that_cannot_be_stored_waits_for_the_next_try(
    repository: Repository, chat: Chat, session: ChatSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.model_ready(READY)

    def full(*_: object, **__: object) -> None:
        raise TuteeError("The disk is full.")

    with monkeypatch.context() as patched:
        patched.setattr(repository, "add_message", full)
        with pytest.raises(TuteeError):
            session.send("one")
    assert session.view().queued == ("one",)
    session.send("two")
    session.on_reply(done(chat, "1"))
    assert [content for _, content in said(repository)] == ["one", "1", "two"]


def test_a_reply_keeps_how_much_of_the_chat_the_model_did_not_see(
    session: ChatSession, chat: Chat, repository: Repository
) -> None:
    session.model_ready(READY)
    session.send("hello")
    changes = session.on_reply(replace(done(chat, "hi"), forgotten=8))
    (ended,) = [change for change in changes if isinstance(change, ReplyEnded)]
    assert ended.reply is not None
    assert ended.reply.forgotten == 8
    assert "without the oldest 8 messages" in _badges(ended.reply, None).plain


# -- recall ----------------------------------------------------------------------------------------


def taught(repository: Repository) -> Instruction:
    prompt = (ChatMessage(role="user", content="Who runs the bakery?"),)
    record = Instruction(prompt=prompt, completion="Teodora.")
    repository.add_imported([record])
    return record


def answered(session: ChatSession, chat: Chat, question: str, **recalled: tuple[str, ...]) -> None:
    session.send(question)
    session.on_reply(replace(done(chat, "Teodora."), **recalled))  # type: ignore[arg-type]


def test_a_reply_keeps_which_records_it_recalled_and_its_record_has_none_of_them(
    session: ChatSession, chat: Chat, repository: Repository
) -> None:
    record = taught(repository)
    session.model_ready(READY)
    answered(session, chat, "Who is in charge of the bakery?", recalled=(record.id,))
    assert chat.recallable == [[record]]
    reply = session.conversation.messages()[-1]
    assert reply.origin is not None
    assert reply.origin.recalled == (record.id,)
    repository.rate(reply.id, True)
    liked = next(r for r in repository.records() if r.kind == "instruction" and r.message_id)
    assert "Who runs the bakery?" not in [message.content for message in liked.prompt]
    assert liked.origin.recalled == (record.id,)
    (view,) = [one for one in session.view().messages if isinstance(one, ReplyView)]
    assert view.recalled == (RecalledView("Who runs the bakery?", "Teodora."),)

    repository.delete_records([record.id])
    (view,) = [one for one in session.view().messages if isinstance(one, ReplyView)]
    assert view.recalled == (RecalledView(),)


def test_excluded_records_are_not_recalled(
    session: ChatSession, chat: Chat, repository: Repository
) -> None:
    record = taught(repository)
    repository.exclude_records([record.id], True)
    session.model_ready(READY)
    session.send("Who is in charge of the bakery?")
    assert chat.recallable == [[]]


def test_recall_is_off_by_the_settings_or_for_one_chat(repository: Repository, chat: Chat) -> None:
    record = taught(repository)
    config = Config.model_validate({"chat": {"recall": False}})
    session = ChatSession(repository, chat, lambda: config, seed=lambda: 7)  # type: ignore[arg-type]
    session.model_ready(READY)
    answered(session, chat, "one")
    session.override(ChatSettings(recall=True))
    answered(session, chat, "two")
    config = Config()
    session.override(ChatSettings(recall=False))
    answered(session, chat, "three")
    session.conversation.new()
    answered(session, chat, "four")
    assert chat.recallable == [[], [record], [], [record]]


def test_a_continued_reply_keeps_what_its_beginning_recalled(
    session: ChatSession, chat: Chat, repository: Repository
) -> None:
    record = taught(repository)
    session.model_ready(READY)
    answered(session, chat, "Who is in charge of the bakery?", recalled=(record.id,))
    session.continue_reply(session.conversation.messages()[-1].id)
    session.on_reply(done(chat, " She bakes."))
    origin = session.conversation.messages()[-1].origin
    assert origin is not None
    assert origin.recalled == (record.id,)
