"""Answers of other versions, best of several and scores, which give way to replies."""

from pathlib import Path
from threading import Event as Flag

import pytest

from core.config import Config, Tuning
from core.events import (
    AdapterSwapped,
    CandidatesRanked,
    Event,
    ReplyDone,
    ReplyFailed,
    ReplyScored,
    TokenChunk,
    TuningDone,
)
from core.runs.plan import make_plan
from core.workers.chat import ChatWorker
from core.workers.tuning import TuningWorker
from store.records import ChatMessage, Preference
from tests.core.ears import ASK, GREEDY, PATIENCE, Ears, greedy_reply, plan

pytestmark = pytest.mark.waits

# -- another version beside the one in use ---------------------------------------------------------


def trained(chat: ChatWorker, trainer: TuningWorker, ears: Ears) -> str:
    """Train a version that answers differently from the base, which stays in use."""
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


def test_stopped_answers_emit_nothing(chat: ChatWorker, ears: Ears) -> None:
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
            prompt=(ChatMessage(role="user", content=f"hello {n}"),),
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


def test_candidates_are_ranked_with_the_given_reply(
    chat: ChatWorker, trainer: TuningWorker, ears: Ears
) -> None:
    directory = reward_model(chat, trainer, ears)
    chat.best_of("d", ASK, "the capital of France", directory, GREEDY, seed=1, count=3)
    ranked = ears.wait_for(CandidatesRanked)
    rewards = [candidate.reward for candidate in ranked.candidates]
    assert rewards == sorted(rewards, reverse=True)
    texts = [candidate.text for candidate in ranked.candidates]
    assert "the capital of France" in texts
    assert len(set(texts)) == len(texts) == 4
    assert ranked.adapter == "base"
    assert ranked.sampling.temperature == 0.8
    chat.best_of("again", ASK, "the capital of France", directory, GREEDY, seed=1, count=3)
    assert ears.wait_for(CandidatesRanked).candidates == ranked.candidates


def test_best_of_can_be_stopped_and_the_chat_goes_on(
    chat: ChatWorker, trainer: TuningWorker, ears: Ears
) -> None:
    directory = reward_model(chat, trainer, ears)
    chat.best_of("d", ASK, "hello", directory, GREEDY, seed=1, count=3)
    chat.stop_answers()
    assert greedy_reply(chat, ears)
    assert not [event for event in ears.heard if isinstance(event, CandidatesRanked)]


def test_a_missing_reward_model_is_an_error(chat: ChatWorker, ears: Ears, tmp_path: Path) -> None:
    chat.best_of("d", ASK, "hello", tmp_path / "r9", GREEDY, seed=1, count=2)
    failed = ears.wait_for(ReplyFailed)
    assert failed.request_id == "d"
    assert "reward model" in failed.error.title
    assert greedy_reply(chat, ears)


def test_a_reply_is_scored_as_it_is_ranked(
    chat: ChatWorker, trainer: TuningWorker, ears: Ears
) -> None:
    directory = reward_model(chat, trainer, ears)
    chat.best_of("d", ASK, "the capital of France", directory, GREEDY, seed=1, count=2)
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
