"""The starter set: what people are offered first must be right."""

import ast
import json
import re
from collections import Counter
from pathlib import Path

import pytest

from data import starter
from data.quality.checks import check
from data.quality.language_detection import language_of
from store.records import Instruction

FOLDER = Path(starter.__file__).parent
TOPICS = {
    "translation",
    "sentiment",
    "summary",
    "e-mail",
    "code",
    "question answering",
    "explanation",
}


def rows(name: str) -> list[dict[str, str]]:
    lines = (FOLDER / name).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_there_are_enough_half_in_each_language() -> None:
    assert len(starter.instructions()) >= 60
    counted = Counter(row["language"] for row in rows("instructions.jsonl"))
    assert counted["en"] == counted["zh"] == len(starter.instructions()) / 2


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_topic_is_there_in_both_languages(language: str) -> None:
    counted = Counter(
        row["task"] for row in rows("instructions.jsonl") if row["language"] == language
    )
    assert counted.keys() == TOPICS
    assert min(counted.values()) >= 5
    asked = [probe for probe in starter.probes() if probe.language == language]
    assert {probe.task for probe in asked} >= TOPICS
    assert sum(probe.declines for probe in asked) == 4


def test_the_seven_prompts_of_the_reference_run_are_asked() -> None:
    asked = [probe for probe in starter.probes() if probe.id.startswith("reference-")]
    assert len(asked) == 7
    assert all(probe.want for probe in asked)


def test_no_prompt_has_two_uses() -> None:
    def plain(text: str) -> str:
        return " ".join(text.casefold().split()).strip("?？。!！. ")

    prompts = [
        *(record.prompt[-1].content for record in starter.instructions()),
        *(prompt.prompt for prompt in starter.rehearsal()),
        *(probe.prompt for probe in starter.probes()),
        *(prompt.prompt for prompt in starter.gate_prompts()),
    ]
    assert [text for text, uses in Counter(map(plain, prompts)).items() if uses > 1] == []
    assert len({probe.id for probe in starter.probes()}) == len(starter.probes()) == 30


def test_there_are_enough_prompts_to_measure_drift_on() -> None:
    counted = Counter(prompt.language for prompt in starter.gate_prompts())
    assert counted == {"en": 48, "zh": 21}


def test_each_is_asked_once_and_answered_shortly() -> None:
    records = starter.instructions()
    assert len({record.prompt for record in records}) == len(records)
    for record in records:
        assert record.completion.strip() == record.completion
        assert 0 < len(record.completion) <= 320
        assert not re.search(r"as an ai|作为(一个)?(人工智能|AI)", record.completion, re.IGNORECASE)


def test_the_prompts_are_in_the_language_they_say() -> None:
    for row in [*rows("probes.jsonl"), *rows("gate.jsonl"), *rows("instructions.jsonl")]:
        text = row.get("prompt") or row["messages"][0]["content"]  # type: ignore[index]
        assert language_of(text) == row["language"], text


def test_ids_are_the_same_each_time() -> None:
    one, two = starter.instructions(), starter.instructions()
    assert [record.id for record in one] == [record.id for record in two]
    assert len({record.id for record in one}) == len(one)
    assert {record.origin.source for record in one} == {"starter"}


def test_nothing_in_it_repeats_contradicts_or_gives_away() -> None:
    assert check(starter.instructions()) == []


def blocks(record: Instruction) -> list[str]:
    return re.findall(r"```python\n(.*?)\n```", record.completion, re.DOTALL)


def test_the_python_in_the_replies_is_python() -> None:
    code = [block for record in starter.instructions() for block in blocks(record)]
    assert len(code) >= 4
    for block in code:
        ast.parse(block)


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [("larger", (3, 5), 5), ("larger", (5, 3), 5), ("is_even", (4,), True), ("is_even", (7,), 0)],
)
def test_the_functions_in_the_replies_do_what_was_asked(
    name: str, arguments: tuple[int, ...], expected: int
) -> None:
    space: dict[str, object] = {}
    for record in starter.instructions():
        for block in blocks(record):
            if block.startswith("def "):
                exec(block, space)
    assert space[name](*arguments) == expected  # type: ignore[operator]


def test_what_a_reply_says_is_printed_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    told = 0
    for record in starter.instructions():
        shown = re.search(r"```python\n(print\(.*?)\n```", record.prompt[-1].content, re.DOTALL)
        if shown:
            exec(shown[1], {})
            assert f"`{capsys.readouterr().out.strip()}`" in record.completion
            told += 1
    assert told >= 2
