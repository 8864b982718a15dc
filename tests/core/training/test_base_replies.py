"""The base's own replies must be those of the base, and drawn once."""

from pathlib import Path
from typing import Any

import pytest
import torch

from core.config import Tuning
from core.models.folder import ModelFolder
from core.models.loading import load_model, load_tokenizer
from core.training import base_replies, lora
from core.training.run_control import RunControl
from data.tokenization import Sample, stop_ids

PROMPTS = [(5, 6, 7), (8, 9), (5, 6, 7)]


@pytest.fixture
def model(tiny_folder: ModelFolder) -> Any:
    return lora.with_lora(load_model(tiny_folder), Tuning(), task_type="CAUSAL_LM")


def replies(model: Any, folder: ModelFolder, directory: Path) -> list[tuple[int, ...]]:
    samples = base_replies.base_replies(
        model, load_tokenizer(folder), PROMPTS, directory, RunControl(), max_new_tokens=6
    )
    assert [s.input_ids[: s.reply_start] for s in samples] == PROMPTS
    return [s.input_ids[s.reply_start :] for s in samples]


def test_an_adapter_changes_none_of_them(
    tiny_folder: ModelFolder, model: Any, tmp_path: Path
) -> None:
    before = replies(model, tiny_folder, tmp_path / "before")
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                weight.normal_()
    assert replies(model, tiny_folder, tmp_path / "after") == before
    assert before[0] == before[2]
    assert all(0 < len(reply) <= 6 for reply in before)


def test_they_are_drawn_once(
    tiny_folder: ModelFolder, model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = replies(model, tiny_folder, tmp_path)
    monkeypatch.setattr(base_replies, "_draw", lambda *_: pytest.fail("drawn again"))
    assert replies(model, tiny_folder, tmp_path) == before


@pytest.mark.parametrize("damage", [b"", b"[]", b"{", b'{"a": "b"}'])
def test_a_damaged_file_is_drawn_anew(
    tiny_folder: ModelFolder, model: Any, tmp_path: Path, damage: bytes
) -> None:
    before = replies(model, tiny_folder, tmp_path)
    (tmp_path / base_replies.FILE).write_bytes(damage)
    assert replies(model, tiny_folder, tmp_path) == before


def test_where_they_cannot_be_kept_they_are_drawn_all_the_same(
    tiny_folder: ModelFolder, model: Any, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    assert replies(model, tiny_folder, tmp_path / "file") == replies(model, tiny_folder, tmp_path)


def brief(
    tokenizer: Any, directory: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> tuple[list[Sample | None], int]:
    """Return the brief replies of a base that gives `count` of them, then a long and an empty one;
    and the token that ends them."""
    stop = min(stop_ids(tokenizer))
    drawn = [*[Sample((5, 6, 7, stop), 1)] * count, Sample((5, 6, 7), 1), Sample((5, stop), 1)]
    monkeypatch.setattr(base_replies, "base_replies", lambda *_: drawn)
    prompts = [sample.input_ids[:1] for sample in drawn]
    return base_replies.brief_replies(None, tokenizer, prompts, directory, RunControl()), stop


def test_brief_replies_are_without_their_end(
    tiny_folder: ModelFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, stop = brief(load_tokenizer(tiny_folder), tmp_path, monkeypatch, 12)
    assert found == [*[Sample((5, 6, 7), 1)] * 12, None, None]
    assert all(stop not in sample.input_ids for sample in found if sample)


def test_where_brief_replies_are_few_the_beginnings_of_others_count(
    tiny_folder: ModelFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, _ = brief(load_tokenizer(tiny_folder), tmp_path, monkeypatch, 3)
    assert found == [*[Sample((5, 6, 7), 1)] * 4, None]
