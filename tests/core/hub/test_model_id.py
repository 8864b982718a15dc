"""Ids of models: what is understood, and what is said of the rest."""

from pathlib import Path

import pytest

from core.hub.model_id import HubModel, hub_model, is_gguf
from core.models import catalog
from core.models.folder import find
from store.errors import TuteeError


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("modelscope:Qwen/Qwen1.5-0.5B-Chat", HubModel("modelscope", "Qwen", "Qwen1.5-0.5B-Chat")),
        (" HF:org/name@v1.0 ", HubModel("hf", "org", "name", "v1.0")),
        ("hf:org/name@refs/pr/1", HubModel("hf", "org", "name", "refs/pr/1")),
        ("builtin", None),
        ("/a/folder", None),
        (r"C:\a\folder", None),
    ],
)
def test_ids(spec: str, expected: HubModel | None) -> None:
    assert hub_model(spec) == expected
    assert expected is None or hub_model(expected.spec) == expected


@pytest.mark.parametrize("spec", ["hf:name", "hf:", "modelscope:a/b/c", "hf:../etc", "hf:a/b@../c"])
def test_what_names_no_repository_is_refused(spec: str) -> None:
    with pytest.raises(TuteeError, match="names no model on"):
        hub_model(spec)


def test_a_name_without_its_hub_is_understood_as_a_question(tmp_path: Path) -> None:
    with pytest.raises(TuteeError) as caught:
        find("Qwen/Qwen2.5-0.5B-Instruct", tmp_path, lambda event: None)
    assert "hf:Qwen/Qwen2.5-0.5B-Instruct" in caught.value.hint
    assert "modelscope:Qwen/Qwen2.5-0.5B-Instruct" in caught.value.hint


def test_gguf_files_are_told_by_their_name() -> None:
    assert is_gguf("~/models/a.Q4_K_M.GGUF ")
    assert not is_gguf("/a/gguf")


def test_every_offer_is_an_id_that_is_understood() -> None:
    specs = [offer.spec for offer in catalog.OFFERS]
    assert specs[0] == "builtin"
    assert all(hub_model(spec) for spec in specs[1:])
    assert len(set(specs)) == len(specs)
