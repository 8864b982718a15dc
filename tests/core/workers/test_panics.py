"""A panic in Rust code is no `Exception`, and still ends no thread."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from core.events import (
    AdapterSwapped,
    ModelFailed,
    ModelReady,
    ReplyDone,
    ReplyFailed,
    SwapFailed,
    TuningDone,
    TuningFailed,
)
from core.models.folder import ModelFolder
from core.runtime.failures import as_tutee_error
from core.workers.chat import ChatWorker
from core.workers.job_queue import JobQueue
from core.workers.tuning import TuningWorker
from store.records import ChatMessage
from tests.core.ears import ASK, GREEDY, PATIENCE, Ears, greedy_reply, plan


class Panic(BaseException):
    """As pyo3's."""


def panic(*_: Any, **__: Any) -> Any:
    raise Panic("called `Result::unwrap()` on an `Err` value")


def test_a_tokenizer_that_panics_fails_that_reply_alone(
    ears: Ears, tiny_folder: ModelFolder, tmp_path: Path
) -> None:
    path = tmp_path / "panics"
    shutil.copytree(tiny_folder.path, path)
    told = json.loads((path / "tokenizer.json").read_text())
    told["pre_tokenizer"] = {
        "type": "Split",
        "pattern": {"Regex": "(a+)+$"},
        "behavior": "Isolated",
        "invert": False,
    }
    (path / "tokenizer.json").write_text(json.dumps(told))
    chat = ChatWorker(ears)
    chat.start(str(path), tmp_path, tmp_path)
    ears.wait_for(ModelReady)
    chat.reply("1", (ChatMessage(role="user", content="a" * 32 + "b"),), GREEDY, 0)
    failed = ears.wait_for(ReplyFailed)
    assert "tokenizer broke down" in failed.error.title
    assert failed.error.hint
    chat.reply("2", ASK, GREEDY, 0)
    assert ears.wait_for(ReplyDone).request_id == "2"
    assert chat.close(PATIENCE)


@pytest.mark.parametrize("job", ["stream", "prefill", "candidates"])
def test_the_chat_goes_on_after_a_panic_in_any_job(
    job: str, chat: ChatWorker, ears: Ears, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(f"core.serving.engine.Engine.{job}", panic)
        if job == "stream":
            chat.reply("1", ASK, GREEDY, 0)
        elif job == "prefill":
            chat.prefill(ASK, GREEDY)
        else:
            chat.best_of("1", ASK, "given", tmp_path, GREEDY, 0, 2)
        if job != "prefill":
            assert "unwrap" in ears.wait_for(ReplyFailed).error.title
        chat.swap("base")  # a job after it
        ears.wait_for(AdapterSwapped)
    assert greedy_reply(chat, ears) is not None


def test_a_panic_while_loading_or_switching_leaves_the_model_in_use(
    chat: ChatWorker, ears: Ears, tiny_folder: ModelFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("core.workers.serving_model.find", panic)
        chat.start(str(tiny_folder.path), Path("x"), Path("y"))
        assert "unwrap" in ears.wait_for(ModelFailed).error.title
        ears.wait_for(ModelReady)
        patched.setattr("core.serving.engine.Engine.with_adapter", panic)
        chat.swap("base")
        assert ears.wait_for(SwapFailed).version == "base"
    assert greedy_reply(chat, ears) is not None


def test_a_run_that_panics_fails_and_the_next_one_trains(
    chat: ChatWorker, trainer: TuningWorker, ears: Ears, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("core.runs.run.run", panic)
        trainer.start(plan(chat))
        assert "unwrap" in ears.wait_for(TuningFailed).error.title
    assert not trainer.running
    trainer.start(plan(chat))
    assert ears.wait_for(TuningDone).passes


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_what_asks_a_thread_to_end_still_does(stop: type[BaseException]) -> None:
    with pytest.raises(stop):
        as_tutee_error(stop(), "The reply")


def test_a_job_that_raises_is_logged_and_the_next_one_runs(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ran: list[str] = []
    jobs = JobQueue("tutee-test")
    jobs.put(panic)
    jobs.put(lambda: ran.append("next"))
    jobs.put(jobs.closing.set)
    jobs.start()
    jobs._thread.join(PATIENCE)
    assert ran == ["next"]
    assert "tutee-test failed" in caplog.text
