"""How long records are for a model."""

import json
from pathlib import Path

import pytest

from core.config import Config, Tuning
from core.models.folder import ModelFolder
from core.models.loading import load_tokenizer
from core.runs.record_lengths import lengths, limit
from data.tokenization import encode
from data.training_split import with_system
from store.records import ChatMessage, Instruction, Preference
from tests.data import tiny

CONFIG = Config(tuning=Tuning(max_length=64))


def taught(reply: str, *before: ChatMessage) -> Instruction:
    return Instruction(prompt=(*before, ChatMessage(role="user", content="Why?")), completion=reply)


def test_what_may_be_too_long_is_measured_as_it_is_trained(tiny_folder: ModelFolder) -> None:
    record = taught("because " * 40)
    prompt = with_system(record.prompt, CONFIG.chat.system_prompt)
    sample = encode(load_tokenizer(tiny_folder), prompt, record.completion)
    assert lengths([record], tiny_folder, CONFIG) == {record.id: len(sample.input_ids)}


def test_of_a_pair_the_longer_reply_counts(tiny_folder: ModelFolder) -> None:
    long = taught("because " * 40)
    for chosen, rejected in ((long.completion, "So."), ("So.", long.completion)):
        pair = Preference(prompt=long.prompt, chosen=chosen, rejected=rejected)
        found = lengths([pair, long], tiny_folder, CONFIG)
        assert found[pair.id] == found[long.id] > 64


def test_a_long_conversation_counts_as_it_is_trained(tiny_folder: ModelFolder) -> None:
    chat = [
        ChatMessage(role=role, content=f"{role} {n} and more")
        for n in range(20)
        for role in ("user", "assistant")
    ]
    deep = taught("So.", *chat)
    assert lengths([deep], tiny_folder, CONFIG)[deep.id] <= 64
    config = Config(tuning=Tuning(max_length=16))
    assert lengths([deep], tiny_folder, config)[deep.id] > 16


@pytest.mark.parametrize("reply", ["", "so", "😀" * 40, "\x00" * 150, "x" * 400])
def test_what_is_not_measured_fits(tiny_folder: ModelFolder, reply: str) -> None:
    """The bound that spares the tokenizer must hold for whatever is said."""
    tokenizer = load_tokenizer(tiny_folder)
    config = Config(tuning=Tuning(max_length=1024))
    record = taught(reply)
    if record.id not in lengths([record], tiny_folder, config):
        prompt = with_system(record.prompt, config.chat.system_prompt)
        assert len(encode(tokenizer, prompt, reply).input_ids) <= 1024


def test_a_conversation_that_the_template_refuses_has_no_length(
    tiny_folder: ModelFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.runs.record_lengths.load_tokenizer", lambda folder: tiny.gemma())
    told = taught(
        "because " * 40, ChatMessage(role="user", content="Hello?")
    )  # twice the same role
    assert lengths([told], tiny_folder, CONFIG) == {}


def test_the_limit_is_the_smaller_of_context_and_setting(
    tiny_folder: ModelFolder, tmp_path: Path
) -> None:
    assert limit(tiny_folder, CONFIG.tuning) == 64
    wide = Config(tuning=Tuning(max_length=4096))
    assert limit(tiny_folder, wide.tuning) == 1024
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "odd"}), encoding="utf-8")
    assert limit(ModelFolder(tmp_path, "odd", "odd", "0"), wide.tuning) == 4096
