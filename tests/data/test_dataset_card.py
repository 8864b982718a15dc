"""The card says what is there, and programs find the files by it."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from data.dataset_card import card
from data.export_tables import KINDS
from data.exports import Choices, export, select
from data.formats import writers
from data.quality.task_labels import DEFAULT_RULES, merged
from store.records import ChatMessage, Instruction, Origin, Preference, Record, RecordKind, Verdict

MADE = datetime(2026, 3, 1, tzinfo=UTC)


def asked(text: str) -> tuple[ChatMessage, ...]:
    return (ChatMessage(role="user", content=text),)


RECORDS: list[Record] = [
    *(
        Instruction(
            prompt=asked(text),
            completion="…",
            conversation_id=f"c{number}",
            created=MADE.replace(day=1 + number),
            origin=Origin(source="import:a|b.json", model="tiny-1"),
        )
        for number, text in enumerate(
            ["Translate to French: cat", "Translate to German: dog", "请总结这段文字。"] * 5
        )
    ),
    Preference(prompt=asked("Why is the sky blue?"), chosen="a", rejected="b", created=MADE),
    Verdict(
        prompt=asked("Why is the sea blue?"),
        completion="b",
        label=False,
        reasons=("wrong", "style"),
        created=MADE,
    ),
]


def written(choices: Choices) -> tuple[dict[str, Any], str]:
    """The head of the card and its text."""
    _, head, text = card(select(RECORDS, choices), choices, DEFAULT_RULES).split("---\n", 2)
    return yaml.safe_load(head), text


def test_the_head_is_what_the_hub_reads() -> None:
    head, _ = written(Choices(split=True, kinds=("instruction", "verdict")))
    assert head["license"] == "unknown"
    assert head["language"] == ["en", "zh"]
    assert head["size_categories"] == ["n<1K"]
    assert head["task_categories"] == ["text-generation"]
    first, second = head["configs"]
    assert first == {
        "config_name": "instruction",
        "default": True,
        "data_files": [
            {"split": "train", "path": "instruction-train.jsonl"},
            {"split": "test", "path": "instruction-test.jsonl"},
        ],
    }
    assert second["config_name"] == "verdict"
    assert "default" not in second


@pytest.mark.parametrize(
    ("licence", "head"),
    [
        ("", {"license": "unknown"}),
        ("cc-by-4.0", {"license": "cc-by-4.0"}),
        ("Ours: all\nrights", {"license": "other", "license_name": "Ours: all\nrights"}),
        ("no", {"license": "no"}),
    ],
)
def test_any_licence_is_stated(licence: str, head: dict[str, str]) -> None:
    found, text = written(Choices(licence=licence))
    assert {key: found[key] for key in head} == head
    assert f"## License\n\n{' '.join(licence.split()) or 'None stated.'}\n" in text


def test_the_figures_are_those_of_the_records() -> None:
    _, text = written(Choices())
    rows = [[cell.strip() for cell in line.split(" | ")] for line in text.splitlines()]
    for row in (
        ["| `instruction.jsonl`", "instruction", "all", "messages", "15 |"],
        ["| `verdict.jsonl`", "verdict", "all", "kto", "1 |"],
        ["| translation", "10 |"],
        ["| summary", "5 |"],
        ["| question answering", "2 |"],
        ["| en", "12 |"],
        ["| zh", "5 |"],
        ["| import:a\\|b.json", "15 |"],
        ["| chat", "2 |"],
        ["| tiny-1", "15 |"],
        ["| 👎", "1 |"],
        ["| wrong", "1 |"],
    ):
        assert row in rows
    assert "between 2026-03-01 and 2026-03-15" in text


def test_tasks_follow_the_persons_rules() -> None:
    text = card(select(RECORDS, Choices()), Choices(), merged({"pets": ["cat", "dog"]}))
    assert "| pets | 10 |" in text


def test_what_was_chosen_is_said() -> None:
    _, plain = written(Choices())
    for choices, said in (
        (Choices(split=True), "about a fifth of the conversations"),
        (Choices(redact=True), "replaced by `[secret]`"),
        (Choices(since=MADE), "only records since 2026-03-01 00:00 +0000"),
        (Choices(format="kto"), "Left out: 15 × instruction"),
    ):
        assert said in written(choices)[1]
        assert said not in plain


@pytest.mark.parametrize(("kind", "name"), [(kind, f) for kind in KINDS for f in writers(kind)])
def test_every_column_of_every_format_is_explained(kind: RecordKind, name: str) -> None:
    choices = Choices(kinds=(kind,), format=name)
    (table,) = select(RECORDS, choices).tables
    _, text = written(choices)
    for key in table.rows[0]:
        assert f"| `{key}` | " in text


@pytest.mark.parametrize("name", [None, "alpaca", "sharegpt", "csv", "tutee"])
def test_datasets_loads_the_folder_by_its_card(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str | None
) -> None:
    from datasets import load_dataset

    import core  # noqa: F401 - sets the environment of the libraries below

    folder = tmp_path / "out"
    exported = export(RECORDS, Choices(format=name, split=True, dataset_info=True), folder)
    cache = str(tmp_path / "cache")
    default = load_dataset(str(folder), cache_dir=cache)
    assert {split: len(rows) for split, rows in default.items()} == {
        file.split: file.rows for file in exported.files if file.kind == "instruction"
    }
    for file in exported.files:
        rows = load_dataset(str(folder), file.kind, split=file.split, cache_dir=cache)
        assert len(rows) == file.rows
