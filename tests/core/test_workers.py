"""The two threads as the app meets them, on a real (tiny) model."""

import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event as Flag
from typing import TypeVar

import pytest

from core.config import Config, Serving, Tuning
from core.events import (
    AdapterSwapped,
    CandidatesRanked,
    Event,
    ModelFailed,
    ModelReady,
    ReplyDone,
    ReplyFailed,
    ReplyScored,
    StepReport,
    SwapFailed,
    TokenChunk,
    TuningCancelled,
    TuningDone,
    TuningFailed,
)
from core.models import ModelFolder
from core.planning import Plan, make_plan
from core.tuning_worker import TuningWorker
from core.workers import ChatWorker
from store.errors import TuteeError
from store.records import Instruction, Preference, Sampling, Turn

PATIENCE = 60.0
ASK = (Turn(role="user", content="hello world"),)
GREEDY = Sampling(temperature=0, repetition_penalty=1.0, max_new_tokens=24)

E = TypeVar("E")


class Ears:
    """Collects events, and waits for the one that matters."""

    def __init__(self) -> None:
        self.queue: SimpleQueue[Event] = SimpleQueue()
        self.heard: list[Event] = []
        self.react: Callable[[Event], None] = lambda event: None

    def __call__(self, event: Event) -> None:
        self.react(event)
        self.queue.put(event)

    def wait_for(self, kind: type[E]) -> E:
        while True:
            try:
                event = self.queue.get(timeout=PATIENCE)
            except Empty:
                raise AssertionError(f"no {kind.__name__} among {self.heard}") from None
            self.heard.append(event)
            if isinstance(event, kind):
                return event


@pytest.fixture
def ears() -> Ears:
    return Ears()


@pytest.fixture
def chat(ears: Ears, tiny_folder: ModelFolder, tmp_path: Path) -> Iterator[ChatWorker]:
    worker = ChatWorker(ears)
    worker.start(str(tiny_folder.path), tmp_path / "cache", tmp_path / "models")
    ears.wait_for(ModelReady)
    yield worker
    assert worker.close(PATIENCE)


def test_a_thread_without_a_reply_to_write_holds_no_processor(
    chat: ChatWorker, ears: Ears, monkeypatch: pytest.MonkeyPatch
) -> None:
    rested: list[str] = []
    monkeypatch.setattr("core.openmp.rest", lambda: rested.append(threading.current_thread().name))
    chat.reply("1", ASK, GREEDY, 0)
    ears.wait_for(ReplyDone)
    assert chat.close(PATIENCE)
    assert "tutee-chat" in rested


@pytest.fixture
def trainer(ears: Ears, chat: ChatWorker) -> Iterator[TuningWorker]:
    worker = TuningWorker(ears, chat.turns)
    yield worker
    assert worker.close(PATIENCE)


def plan(chat: ChatWorker, epochs: int = 1) -> Plan:
    records = [
        Instruction(prompt=(Turn(role="user", content=f"hello {n}"),), completion="positive")
        for n in range(8)
    ]
    assert chat.adapters is not None
    # A random base is no place to be kept near.
    tuning = Tuning(epochs=epochs, minimum_steps=1, learning_rate=0.02, rehearsal=0)
    config = Config(tuning=tuning)
    return make_plan(records, chat.adapters, config)


def greedy_reply(chat: ChatWorker, ears: Ears) -> str:
    chat.reply("r", ASK, GREEDY, seed=0)
    return ears.wait_for(ReplyDone).text


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

    monkeypatch.setattr("core.serving.precision.packs_fast", refuse)
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
    with chat.turns.micro_batch(Flag()):  # the reply has to wait for its turn
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
    chat.reply("long", (Turn(role="user", content="fox " * 3000),), GREEDY, seed=0)
    assert "too long" in ears.wait_for(ReplyFailed).error.title
    assert greedy_reply(chat, ears) is not None


def test_tuning_makes_a_version_and_the_chat_swaps_to_it_and_back(
    chat: ChatWorker, trainer: TuningWorker, ears: Ears
) -> None:
    before = greedy_reply(chat, ears)
    assert not before.startswith("positive")
    trainer.start(plan(chat, epochs=20))
    assert ears.wait_for(TuningDone).adapter == "v1"
    assert greedy_reply(chat, ears) == before  # nothing changes until it is adopted
    chat.swap("v1")
    assert ears.wait_for(AdapterSwapped).version == "v1"
    assert greedy_reply(chat, ears).startswith("positive")
    chat.swap("base")
    ears.wait_for(AdapterSwapped)
    assert greedy_reply(chat, ears) == before


def test_a_cancelled_run_leaves_no_version_and_the_chat_untouched(
    chat: ChatWorker, trainer: TuningWorker, ears: Ears
) -> None:
    before = greedy_reply(chat, ears)
    trainer.start(plan(chat, epochs=100))
    ears.wait_for(StepReport)
    trainer.cancel()
    assert ears.wait_for(TuningCancelled).finished == ()
    assert chat.adapters is not None
    assert chat.adapters.versions() == []
    assert greedy_reply(chat, ears) == before


def test_a_failed_run_says_why_and_leaves_the_chat_untouched(
    chat: ChatWorker, trainer: TuningWorker, ears: Ears
) -> None:
    before = greedy_reply(chat, ears)
    settings = Tuning(max_length=16)  # shorter than the system prompt
    trainer.start(replace(plan(chat), settings=settings))
    assert "longer than 16 tokens" in ears.wait_for(TuningFailed).error.title
    assert greedy_reply(chat, ears) == before


def test_chat_is_answered_while_tuning_runs(
    chat: ChatWorker, trainer: TuningWorker, ears: Ears
) -> None:
    trainer.start(plan(chat, epochs=100))
    ears.wait_for(StepReport)
    greedy_reply(chat, ears)
    assert not any(isinstance(event, TuningDone) for event in ears.heard)
    assert trainer.running


def test_one_run_at_a_time(chat: ChatWorker, trainer: TuningWorker, ears: Ears) -> None:
    trainer.start(plan(chat, epochs=100))
    with pytest.raises(TuteeError, match="already under way"):
        trainer.start(plan(chat))


def test_swapping_to_what_is_not_there_keeps_the_adapter(chat: ChatWorker, ears: Ears) -> None:
    before = greedy_reply(chat, ears)
    chat.swap("v9")
    assert ears.wait_for(SwapFailed).version == "v9"
    assert greedy_reply(chat, ears) == before


# -- another version beside the one that answers --------------------------------------------------


def trained(chat: ChatWorker, trainer: TuningWorker, ears: Ears) -> str:
    """A version that answers otherwise than the base; the base goes on answering."""
    trainer.start(plan(chat, epochs=12))
    done = ears.wait_for(TuningDone)
    return done.passes[0].version


def test_a_version_answers_beside_the_one_that_serves(
    chat: ChatWorker, trainer: TuningWorker, ears: Ears
) -> None:
    version = trained(chat, trainer, ears)
    before = greedy_reply(chat, ears)
    chat.answer("a", version, ASK, GREEDY, seed=0)
    chat.answer("b", "base", ASK, GREEDY, seed=0)
    beside, base = ears.wait_for(ReplyDone), ears.wait_for(ReplyDone)
    assert (beside.request_id, beside.adapter) == ("a", version)
    assert (base.request_id, base.adapter) == ("b", "base")
    assert base.text == before
    assert beside.text != before
    assert greedy_reply(chat, ears) == before
    chat.stop_answers()
    chat.swap(version)
    ears.wait_for(AdapterSwapped)
    assert greedy_reply(chat, ears) == beside.text


def test_replies_of_the_chat_go_before_answers(chat: ChatWorker, ears: Ears) -> None:
    begun, go_on = Flag(), Flag()

    def hold(event: Event) -> None:
        if isinstance(event, TokenChunk) and not begun.is_set():
            begun.set()
            go_on.wait(PATIENCE)

    ears.react = hold
    chat.reply("first", ASK, GREEDY, seed=0)
    assert begun.wait(PATIENCE)
    chat.answer("compared", "base", ASK, GREEDY, seed=0)
    chat.reply("second", ASK, GREEDY, seed=0)
    go_on.set()
    order = [ears.wait_for(ReplyDone).request_id for _ in range(3)]
    assert order == ["first", "second", "compared"]


def test_stopped_answers_are_not_told_of(chat: ChatWorker, ears: Ears) -> None:
    def stop(event: Event) -> None:
        if isinstance(event, TokenChunk) and event.request_id == "a":
            chat.stop_answers()

    ears.react = stop
    chat.answer("a", "base", ASK, GREEDY, seed=0)
    chat.answer("b", "base", ASK, GREEDY, seed=0)
    ears.wait_for(TokenChunk)
    assert greedy_reply(chat, ears)
    done = [event.request_id for event in ears.heard if isinstance(event, ReplyDone)]
    assert done == ["r"]


def test_a_version_that_is_not_there_fails_its_answer_alone(chat: ChatWorker, ears: Ears) -> None:
    chat.answer("a", "v9", ASK, GREEDY, seed=0)
    assert "v9" in ears.wait_for(ReplyFailed).error.title
    assert greedy_reply(chat, ears)


# -- the best of several --------------------------------------------------------------------------


def reward_model(chat: ChatWorker, trainer: TuningWorker, ears: Ears) -> Path:
    assert chat.adapters is not None
    pairs = [
        Preference(
            prompt=(Turn(role="user", content=f"hello {n}"),),
            chosen="the capital of France",
            rejected="quick brown fox",
        )
        for n in range(4)
    ]
    config = Config(tuning=Tuning(epochs=1))
    trainer.start(make_plan(pairs, chat.adapters, config, frozenset({"reward"})))
    ears.wait_for(TuningDone)
    path = chat.adapters.path("r1")
    assert path is not None
    return path


def test_replies_are_drawn_and_ranked_with_the_one_that_was_given(
    chat: ChatWorker, trainer: TuningWorker, ears: Ears
) -> None:
    directory = reward_model(chat, trainer, ears)
    chat.draw("d", ASK, "the capital of France", directory, GREEDY, seed=1, count=3)
    ranked = ears.wait_for(CandidatesRanked)
    rewards = [candidate.reward for candidate in ranked.candidates]
    assert rewards == sorted(rewards, reverse=True)
    texts = [candidate.text for candidate in ranked.candidates]
    assert "the capital of France" in texts
    assert len(set(texts)) == len(texts) == 4
    assert ranked.adapter == "base"
    assert ranked.sampling.temperature == 0.8
    chat.draw("again", ASK, "the capital of France", directory, GREEDY, seed=1, count=3)
    assert ears.wait_for(CandidatesRanked).candidates == ranked.candidates


def test_drawing_can_be_stopped_and_the_chat_goes_on(
    chat: ChatWorker, trainer: TuningWorker, ears: Ears
) -> None:
    directory = reward_model(chat, trainer, ears)
    chat.draw("d", ASK, "hello", directory, GREEDY, seed=1, count=3)
    chat.stop_answers()
    assert greedy_reply(chat, ears)
    assert not [event for event in ears.heard if isinstance(event, CandidatesRanked)]


def test_a_reward_model_that_is_not_there_is_told(
    chat: ChatWorker, ears: Ears, tmp_path: Path
) -> None:
    chat.draw("d", ASK, "hello", tmp_path / "r9", GREEDY, seed=1, count=2)
    failed = ears.wait_for(ReplyFailed)
    assert failed.request_id == "d"
    assert "reward model" in failed.error.title
    assert greedy_reply(chat, ears)


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


def test_a_reply_is_scored_as_it_is_ranked(
    chat: ChatWorker, trainer: TuningWorker, ears: Ears
) -> None:
    directory = reward_model(chat, trainer, ears)
    chat.draw("d", ASK, "the capital of France", directory, GREEDY, seed=1, count=2)
    ranked = {c.text: c.reward for c in ears.wait_for(CandidatesRanked).candidates}
    chat.score("m1", ASK, "the capital of France", directory)
    scored = ears.wait_for(ReplyScored)
    assert scored.message_id == "m1"
    assert scored.reward == pytest.approx(ranked["the capital of France"], abs=1e-4)


def test_a_reply_that_cannot_be_scored_has_no_score_and_the_chat_goes_on(
    chat: ChatWorker, ears: Ears, tmp_path: Path
) -> None:
    chat.score("m1", ASK, "hello", tmp_path / "r9")
    assert greedy_reply(chat, ears)
    assert not [event for event in ears.heard if isinstance(event, ReplyScored)]
