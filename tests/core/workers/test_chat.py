"""The thread of the chat as the app meets it, on a real (tiny) model."""

import shutil
import threading
from dataclasses import replace
from pathlib import Path
from threading import Event as Flag

import pytest

from core.config import Serving
from core.events import (
    AdapterSwapped,
    Event,
    ModelFailed,
    ModelReady,
    ReplyDone,
    ReplyFailed,
    SwapFailed,
    TokenChunk,
    TuningDone,
)
from core.models.folder import ModelFolder
from core.workers.chat import ChatWorker
from core.workers.tuning import TuningWorker
from store.errors import TuteeError
from store.records import ChatMessage, Sampling
from tests.core.ears import ASK, GREEDY, PATIENCE, Ears, greedy_reply, plan


def test_chunks_add_up_to_the_reply(chat: ChatWorker, ears: Ears) -> None:
    chat.reply("one", ASK, GREEDY, seed=0)
    done = ears.wait_for(ReplyDone)
    chunks = [e.text for e in ears.heard if isinstance(e, TokenChunk) and e.request_id == "one"]
    assert "".join(chunks) == done.text
    assert done.request_id == "one"
    assert done.adapter == "base"
    assert not done.stopped


def test_the_model_is_kept_in_another_way_between_two_replies(
    chat: ChatWorker, ears: Ears, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat.serve_as(Serving(precision="fp32"))
    ready = ears.wait_for(ModelReady)
    assert (chat._engine and chat._engine.backend.precision) == "fp32"
    exact = greedy_reply(chat, ears)

    before = chat._engine
    chat.serve_as(Serving(precision="fp32"))
    assert greedy_reply(chat, ears) == exact
    assert chat._engine is before, "nothing was loaded again"

    def refuse(*_: object) -> None:
        raise TuteeError("It does not fit.")

    monkeypatch.setattr("core.serving.packed.precision.packs_fast", refuse)
    chat.serve_as(Serving())
    assert ears.wait_for(ModelFailed).error.title == "It does not fit."
    assert ears.wait_for(ModelReady) == replace(
        ready, seconds=next(e for e in reversed(ears.heard) if isinstance(e, ModelReady)).seconds
    )
    assert greedy_reply(chat, ears) == exact


def test_a_seed_that_was_set_goes_before_that_of_chance(chat: ChatWorker, ears: Ears) -> None:
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
    with chat.scheduler.micro_batch(Flag()):  # the reply has to wait for its turn
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


def test_a_model_that_is_not_there_fails_clearly_and_a_retry_works(
    ears: Ears, tiny_folder: ModelFolder, tmp_path: Path
) -> None:
    worker = ChatWorker(ears)
    worker.start(str(tmp_path / "nowhere"), tmp_path, tmp_path)
    assert "no model folder" in ears.wait_for(ModelFailed).error.title
    worker.reply("early", ASK, GREEDY, seed=0)
    assert "not loaded" in ears.wait_for(ReplyFailed).error.title
    worker.start(str(tiny_folder.path), tmp_path, tmp_path)
    ears.wait_for(ModelReady)
    assert worker.close(PATIENCE)


def test_a_prompt_that_cannot_fit_fails_and_the_next_is_answered(
    chat: ChatWorker, ears: Ears
) -> None:
    chat.reply("long", (ChatMessage(role="user", content="fox " * 3000),), GREEDY, seed=0)
    assert "too long" in ears.wait_for(ReplyFailed).error.title
    assert greedy_reply(chat, ears) is not None


def test_a_thread_without_a_reply_to_write_holds_no_processor(
    chat: ChatWorker, ears: Ears, monkeypatch: pytest.MonkeyPatch
) -> None:
    rested: list[str] = []
    monkeypatch.setattr(
        "core.runtime.openmp.rest", lambda: rested.append(threading.current_thread().name)
    )
    chat.reply("1", ASK, GREEDY, 0)
    ears.wait_for(ReplyDone)
    assert chat.close(PATIENCE)
    assert "tutee-chat" in rested


def test_of_what_is_to_be_read_ahead_the_latest_is_where_no_reply_is_wanted(
    chat: ChatWorker, ears: Ears, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    monkeypatch.setattr(
        "core.serving.engine.Engine.read_ahead",
        lambda self, turns, *_: read.append(turns[0].content),
    )

    def ahead(text: str) -> None:
        chat.read_ahead((ChatMessage(role="user", content=text),), GREEDY)

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


def test_swapping_to_what_is_not_there_keeps_the_adapter(chat: ChatWorker, ears: Ears) -> None:
    before = greedy_reply(chat, ears)
    chat.swap("v9")
    assert ears.wait_for(SwapFailed).version == "v9"
    assert greedy_reply(chat, ears) == before


def test_another_model_answers_with_versions_of_its_own_and_the_first_comes_back_with_its_own(
    ears: Ears, chat: ChatWorker, trainer: TuningWorker, tiny_folder: ModelFolder, tmp_path: Path
) -> None:
    other = tmp_path / "another"
    shutil.copytree(tiny_folder.path, other)
    (other / "chat_template.jinja").unlink()
    first = chat.adapters
    assert first is not None
    trainer.start(plan(chat))
    ears.wait_for(TuningDone)
    first.use("v1")

    chat.start(str(other), tmp_path / "cache", tmp_path / "models")
    ready = ears.wait_for(ModelReady)
    assert ready.adapter == "base"
    assert "without a chat template" in ready.notice
    assert chat.adapters is not None
    assert chat.adapters.versions() == []
    assert chat.adapters.dir != first.dir
    chat.reply("r1", ASK, GREEDY, seed=0)
    assert ears.wait_for(ReplyDone).adapter == "base"

    chat.start(str(tiny_folder.path), tmp_path / "cache", tmp_path / "models")
    assert ears.wait_for(ModelReady).adapter == "v1"
    chat.reply("r2", ASK, GREEDY, seed=0)
    assert ears.wait_for(ReplyDone).adapter == "v1"


def test_a_model_that_cannot_be_loaded_leaves_the_one_before_answering(
    ears: Ears, chat: ChatWorker, tiny_folder: ModelFolder, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(tiny_folder.path, broken)
    (broken / "tokenizer.json").write_text("{}")
    chat.start(str(broken), tmp_path / "cache", tmp_path / "models")
    assert "tokenizer" in ears.wait_for(ModelFailed).error.title
    assert ears.wait_for(ModelReady).model_id == tiny_folder.id
    chat.start("/nowhere", tmp_path / "cache", tmp_path / "models")
    assert "no model folder" in ears.wait_for(ModelFailed).error.title
    assert ears.wait_for(ModelReady).model_id == tiny_folder.id
    chat.reply("r1", ASK, GREEDY, seed=0)
    assert ears.wait_for(ReplyDone).text
