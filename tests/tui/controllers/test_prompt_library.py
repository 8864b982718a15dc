"""The user's own prompts: files with variables."""

from pathlib import Path

import pytest

from store.errors import TuteeError
from tui.controllers.prompt_library import filled, prompts


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "review.md").write_text("Review this {{language}} code:\n{{ code }}\n")
    (tmp_path / "plain.txt").write_text("Be brief.")
    (tmp_path / ".hidden.md").write_text("x")
    (tmp_path / "other.json").write_text("{}")
    return tmp_path


def test_each_text_file_is_a_prompt(folder: Path) -> None:
    assert list(prompts(folder)) == ["plain", "review"]
    assert prompts(folder / "none") == {}


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("plain", "Be brief."),
        ("plain Why is it so?", "Be brief.\n\nWhy is it so?"),
        ("review", "Review this {{language}} code:\n{{ code }}"),
        ("review Go", "Review this Go code:\n{{ code }}"),
        ("review language=Go x = 1", "Review this Go code:\nx = 1"),
        ('review code="a b" language=Go', "Review this Go code:\na b"),
    ],
)
def test_variables_are_filled_by_name_and_by_place(folder: Path, written: str, text: str) -> None:
    assert filled(folder, written) == text


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("none", "no prompt named none"),
        ("", "Say which prompt"),
        ("../plain", "no prompt named"),
        ("review lang=Go", "has no variable lang"),
    ],
)
def test_what_cannot_be_filled_is_told(folder: Path, written: str, said: str) -> None:
    with pytest.raises(TuteeError, match=said):
        filled(folder, written)
