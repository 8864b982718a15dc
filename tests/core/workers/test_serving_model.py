"""Loading, replacing and switching the model that answers, on a real (tiny) one."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from core.config import Serving
from core.events import (
    ModelFailed,
    ModelReady,
    ReplyDone,
    ReplyFailed,
    SwapFailed,
    TuningDone,
)
from core.models.folder import ModelFolder
from core.workers.chat import ChatWorker
from core.workers.tuning import TuningWorker
from store.errors import TuteeError
from tests.core.ears import ASK, GREEDY, PATIENCE, Ears, greedy_reply, plan


def test_the_precision_changes_between_two_replies(
    chat: ChatWorker, ears: Ears, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat.serve_as(Serving(precision="fp32"))
    ready = ears.wait_for(ModelReady)
    assert (chat._model.engine and chat._model.engine.backend.precision) == "fp32"
    exact = greedy_reply(chat, ears)

    before = chat._model.engine
    chat.serve_as(Serving(precision="fp32"))
    assert greedy_reply(chat, ears) == exact
    assert chat._model.engine is before, "nothing was loaded again"

    def refuse(*_: object) -> None:
        raise TuteeError("It does not fit.")

    monkeypatch.setattr("core.serving.packed.precision.has_fast_kernel", refuse)
    chat.serve_as(Serving())
    assert ears.wait_for(ModelFailed).error.title == "It does not fit."
    assert ears.wait_for(ModelReady) == replace(
        ready, seconds=next(e for e in reversed(ears.heard) if isinstance(e, ModelReady)).seconds
    )
    assert greedy_reply(chat, ears) == exact


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


def test_swapping_to_a_missing_version_keeps_the_adapter(chat: ChatWorker, ears: Ears) -> None:
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
