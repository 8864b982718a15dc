"""The chat's thread as the app uses it, on a real (tiny) model."""

from pathlib import Path
from threading import Event as Flag

import pytest

from core.adapters.registry import Adapters
from core.events import (
    AdapterSwapped,
    Event,
    ReplyDone,
    ReplyFailed,
    TokenChunk,
)
from core.models.folder import ModelFolder
from core.workers.chat import ChatWorker
from store.records import ChatMessage, Instruction, Sampling
from tests.core.ears import ASK, GREEDY, PATIENCE, Ears, greedy_reply

pytestmark = pytest.mark.waits


def test_chunks_add_up_to_the_reply(chat: ChatWorker, ears: Ears) -> None:
    chat.reply("one", ASK, GREEDY, seed=0)
    done = ears.wait_for(ReplyDone)
    chunks = [e.text for e in ears.heard if isinstance(e, TokenChunk) and e.request_id == "one"]
    assert "".join(chunks) == done.text
    assert done.request_id == "one"
    assert done.adapter == "base"
    assert not done.stopped


def test_a_reply_recalls_what_its_version_has_not_learned(chat: ChatWorker, ears: Ears) -> None:
    asked = (ChatMessage(role="user", content="Who is in charge of the Marlow bakery?"),)
    prompt = (ChatMessage(role="user", content="Who runs the Marlow bakery?"),)
    record = Instruction(prompt=prompt, completion="Teodora Finch.")
    chat.reply("plain", asked, GREEDY, 0)
    plain = ears.wait_for(ReplyDone)
    chat.prefill(asked, GREEDY, [record])
    chat.reply("recalled", asked, GREEDY, 0, [record])
    recalled = ears.wait_for(ReplyDone)
    assert (plain.recalled, recalled.recalled) == ((), (record.id,))
    both = f"{prompt[0].content}\nTeodora Finch.\n\n{asked[0].content}"
    chat.reply("by hand", (ChatMessage(role="user", content=both),), GREEDY, 0)
    assert ears.wait_for(ReplyDone).text == recalled.text
    chat.reply("other", ASK, GREEDY, 0, [record])
    assert ears.wait_for(ReplyDone).recalled == ()


def test_a_reply_comes_also_where_nothing_can_be_recalled(
    chat: ChatWorker, ears: Ears, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Adapters, "learned", lambda *_: 1 / 0)
    record = Instruction(prompt=ASK, completion="Yes.")
    chat.reply("one", ASK, GREEDY, 0, [record])
    assert ears.wait_for(ReplyDone).recalled == ()


def test_a_seed_in_the_settings_overrides_the_random_one(chat: ChatWorker, ears: Ears) -> None:
    sampling = Sampling(temperature=2.0, top_p=1.0, max_new_tokens=20, seed=7)
    said = []
    for chance in (1, 2):
        chat.reply("r", ASK, sampling, seed=chance)
        said.append(ears.wait_for(ReplyDone))
    assert [done.seed for done in said] == [7, 7]
    assert said[0].text == said[1].text


def test_stopping_ends_the_reply_at_its_next_token_and_keeps_what_there_is(
    chat: ChatWorker, ears: Ears
) -> None:
    # From the emitting thread, so that it comes before the next token.
    ears.react = lambda event: chat.stop_reply() if isinstance(event, TokenChunk) else None
    chat.reply("one", ASK, Sampling(temperature=2.0, top_p=1.0, max_new_tokens=900), seed=1)
    done = ears.wait_for(ReplyDone)
    assert done.stopped
    assert sum(isinstance(event, TokenChunk) for event in ears.heard) == 1
    assert done.text


def test_a_stop_before_the_reply_begins_stops_that_reply_and_no_other(
    chat: ChatWorker, ears: Ears
) -> None:
    with chat.scheduler.micro_batch(Flag()):  # the reply has to wait
        chat.reply("one", ASK, GREEDY, seed=0)
        chat.reply("two", ASK, GREEDY, seed=0)
        chat.stop_reply()
    one, two = ears.wait_for(ReplyDone), ears.wait_for(ReplyDone)
    assert (one.request_id, one.stopped, one.text) == ("one", True, "")
    assert (two.request_id, two.stopped) == ("two", False)


def test_a_reply_before_the_model_is_there_waits_for_it(
    ears: Ears, tiny_folder: ModelFolder, tmp_path: Path
) -> None:
    worker = ChatWorker(ears)
    worker.start(str(tiny_folder.path), tmp_path, tmp_path)
    worker.reply("early", ASK, GREEDY, seed=0)
    assert ears.wait_for(ReplyDone).request_id == "early"
    assert worker.close(PATIENCE)


def test_a_prompt_that_cannot_fit_fails_and_the_next_is_answered(
    chat: ChatWorker, ears: Ears
) -> None:
    chat.reply("long", (ChatMessage(role="user", content="fox " * 3000),), GREEDY, seed=0)
    assert "too long" in ears.wait_for(ReplyFailed).error.title
    assert greedy_reply(chat, ears) is not None


def test_only_the_latest_prefill_runs_and_only_between_replies(
    chat: ChatWorker, ears: Ears, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    monkeypatch.setattr(
        "core.serving.engine.Engine.prefill",
        lambda self, messages, *_: read.append(messages[0].content),
    )

    def ahead(text: str) -> None:
        chat.prefill((ChatMessage(role="user", content=text),), GREEDY)

    def next_jobs(event: Event) -> None:  # from the working thread, so that they are in order
        if isinstance(event, ReplyDone) and event.request_id == "first":
            ahead("while a reply is wanted")
            chat.reply("second", ASK, GREEDY, 0)
        elif isinstance(event, ReplyDone):
            ahead("overtaken")
            ahead("the latest")
            chat.swap("base")

    ears.react = next_jobs
    chat.reply("first", ASK, GREEDY, 0)
    ears.wait_for(AdapterSwapped)
    assert read == ["the latest"]
