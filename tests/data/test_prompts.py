"""Prompts without replies, from text, JSON and tables."""

from pathlib import Path

import pytest

from data.prompts import prompt_of, read_prompts
from store.errors import TuteeError


def test_a_text_has_one_prompt_per_line(tmp_path: Path) -> None:
    path = tmp_path / "ask.txt"
    path.write_text("\ufeffOne?\n\n  Two?  \nOne?\n三？\n", encoding="utf-8")
    assert read_prompts(path) == ["One?", "Two?", "三？"]


def test_rows_and_columns_name_theirs(tmp_path: Path) -> None:
    rows = tmp_path / "ask.jsonl"
    rows.write_text('{"prompt": "One?"}\n{"other": 1}\n"Three?"\n{"question": "Four?"}\n')
    assert read_prompts(rows) == ["One?", "Three?", "Four?"]
    table = tmp_path / "ask.csv"
    table.write_text('prompt,completion\nOne?,yes\n"Two, or three?",no\n')
    assert read_prompts(table) == ["One?", "Two, or three?"]


@pytest.mark.parametrize(
    ("row", "prompt"),
    [
        ({"instruction": "Translate", "input": "cat"}, "Translate\n\ncat"),
        ({"instruction": "Sing", "input": ""}, "Sing"),
        (
            {"messages": [{"role": "system", "content": "x"}, {"role": "user", "content": "Hi"}]},
            "Hi",
        ),
        ({"conversations": [{"from": "human", "value": "Hi"}]}, "Hi"),
        ({"prompt": [{"role": "user", "content": "Hi"}]}, "Hi"),
        ({"prompt": 3}, ""),
        (None, ""),
    ],
)
def test_the_prompt_of_a_row(row: object, prompt: str) -> None:
    assert prompt_of(row) == prompt


@pytest.mark.parametrize("content", [b"", b"\n \n", b"\xff\xfe\xff"])
def test_a_file_without_prompts_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "ask.txt"
    path.write_bytes(content)
    with pytest.raises(TuteeError):
        read_prompts(path)
    with pytest.raises(TuteeError, match="Cannot read"):
        read_prompts(tmp_path / "none.txt")
