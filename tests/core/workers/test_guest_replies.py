"""Replies to other programs: the chat goes first, and nothing of theirs reaches it."""

from pathlib import Path
from threading import Event as Flag

import pytest

from core.events import Event, ModelReady, ReplyDone, ReplyFailed, TokenChunk
from core.models.folder import ModelFolder
from core.workers.chat import ChatWorker
from core.workers.guest_replies import GuestEvent, GuestRequest, RawPrompt
from store.errors import TuteeError
from store.records import ChatMessage
from tests.core.ears import ASK, GREEDY, Ears, greedy_reply

GUEST = (ChatMessage(role="user", content="the quick brown fox"),)


def guest(ears: Ears, id_: str = "guest", version: str = "base") -> GuestRequest:
    return GuestRequest(id_, GUEST, version, GREEDY, 0, ears)


def test_events_go_to_the_guest_alone(chat: ChatWorker, ears: Ears) -> None:
    theirs = Ears()
    chat.serve(guest(theirs))
    done = theirs.wait_for(ReplyDone)
    chunks = [event.text for event in theirs.heard if isinstance(event, TokenChunk)]
    assert "".join(chunks) == done.text
    assert done.prompt_tokens > 5
    greedy_reply(chat, ears)
    ids = {event.request_id for event in ears.heard if isinstance(event, TokenChunk | ReplyDone)}
    assert ids == {"r"}


def test_the_chat_goes_first_and_the_reply_goes_on_as_if_nothing_had_been(
    chat: ChatWorker, ears: Ears
) -> None:
    undisturbed = Ears()
    chat.serve(guest(undisturbed))
    expected = undisturbed.wait_for(ReplyDone)
    order: list[str] = []
    theirs = Ears()

    def ask_in_between(event: GuestEvent) -> None:
        if isinstance(event, TokenChunk) and order == []:
            order.append("guest began")
            chat.reply("chat", ASK, GREEDY, seed=0)
        if isinstance(event, ReplyDone):
            order.append("guest done")
        theirs(event)

    ears.react = lambda event: (
        order.append("chat done")
        if isinstance(event, ReplyDone) and event.request_id == "chat"
        else None
    )
    chat.serve(GuestRequest("guest", GUEST, "base", GREEDY, 0, ask_in_between))
    chat.serve(guest(theirs, "second"))
    done = theirs.wait_for(ReplyDone)
    assert order == ["guest began", "chat done", "guest done"]
    assert (done.request_id, done.text, done.tokens) == ("guest", expected.text, expected.tokens)
    assert theirs.wait_for(ReplyDone).request_id == "second"
    ears.react = lambda event: None
    assert greedy_reply(chat, ears)


def test_a_long_prompt_gives_way_too(
    chat: ChatWorker, ears: Ears, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.serving.packed.decoder._PREFILL_CHUNK", 4)
    theirs = Ears()
    done_before: list[bool] = []
    ears.react = lambda event: (
        done_before.append(not theirs.queue.empty()) if isinstance(event, ReplyDone) else None
    )
    with chat.scheduler.micro_batch(Flag()):  # both wait, the guest in the thread already
        chat.serve(guest(theirs))
        chat.reply("chat", ASK, GREEDY, seed=0)
    ears.wait_for(ReplyDone)
    assert done_before == [False]
    assert theirs.wait_for(ReplyDone).text


def test_a_withdrawn_request_is_forgotten(chat: ChatWorker, ears: Ears) -> None:
    theirs, other = Ears(), Ears()
    with chat.scheduler.micro_batch(Flag()):
        first, second = guest(theirs, "first"), guest(theirs, "second")
        chat.serve(first)
        chat.serve(second)
        chat.serve(guest(other))
        chat.withdraw(second)
        chat.withdraw(first)
    assert other.wait_for(ReplyDone).tokens
    # The first may have begun to wait for the device; it ended without a token then.
    heard = [theirs.queue.get() for _ in range(theirs.queue.qsize())]
    assert all(isinstance(event, ReplyDone) and event.stopped for event in heard)
    assert len(heard) <= 1


def test_another_model_ends_the_reply_that_gave_way(
    chat: ChatWorker, ears: Ears, tiny_folder: ModelFolder, tmp_path: Path
) -> None:
    theirs = Ears()

    def replace(event: Event) -> None:
        if isinstance(event, TokenChunk):
            theirs.react = lambda event: None
            chat.start(str(tiny_folder.path), tmp_path / "cache", tmp_path / "models")

    theirs.react = replace
    chat.serve(guest(theirs))
    assert "replaced" in theirs.wait_for(ReplyFailed).error.title
    ears.wait_for(ModelReady)
    chat.serve(guest(theirs))
    assert theirs.wait_for(ReplyDone).text


def test_an_unknown_version_fails_and_the_next_is_answered(chat: ChatWorker) -> None:
    theirs = Ears()
    chat.serve(guest(theirs, version="v9"))
    assert "v9" in theirs.wait_for(ReplyFailed).error.title
    chat.serve(guest(theirs))
    assert theirs.wait_for(ReplyDone).tokens


def test_a_raw_prompt_is_read_as_it_is(chat: ChatWorker) -> None:
    theirs = Ears()
    chat.serve(GuestRequest("raw", RawPrompt((40, 41, 42)), "base", GREEDY, 0, theirs))
    assert theirs.wait_for(ReplyDone).prompt_tokens == 3
    for content in ("", (), (10**6,), "fox " * 3000):
        with pytest.raises(TuteeError):
            chat.check(RawPrompt(content), GREEDY)
    chat.check(RawPrompt("fox"), GREEDY)
