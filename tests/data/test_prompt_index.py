"""Prompts found again by other words, and prompts that are left alone."""

import json
import random
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data import starter
from data.prompt_index import PromptIndex, says_little

FACTS = {
    "bakery": "Who runs the Marlow bakery?",
    "code": "What is the door code of the studio?",
    "branch": "Which branch do we deploy from?",
    "猫": "我家的猫叫什么名字？",
    "报销": "我们公司的报销截止日是哪天？",
}
ALPACA = Path(__file__).parents[3] / "shared" / "data" / "llama-factory"


def index_of(prompts: dict[str, str]) -> PromptIndex:
    index = PromptIndex()
    index.update(prompts)
    return index


def found(index: PromptIndex, question: str) -> list[str]:
    return [match.key for match in index.search(question, 9)]


@pytest.fixture(scope="module")
def index() -> PromptIndex:
    general = [record.prompt[-1].content for record in starter.instructions()]
    return index_of({f"other {i}": text for i, text in enumerate(general)} | FACTS)


@pytest.mark.parametrize(
    ("question", "key"),
    [
        ("Who is in charge of the Marlow bakery?", "bakery"),
        ("MARLOW BAKERY: who runs it", "bakery"),
        ("What's the studio door code?", "code"),
        ("Deploy branch?", "branch"),
        ("What branch is used for deploys?", "branch"),
        ("我家猫咪叫什么名字？", "猫"),
        ("请问报销截止日？", "报销"),
    ],
)
def test_other_words_find_the_prompt(index: PromptIndex, question: str, key: str) -> None:
    assert found(index, question)[:1] == [key]


@pytest.mark.parametrize(
    "question",
    ["", "   ", "and why?", "Who is it?", "为什么？", "那是什么", "What is the capital of Peru?"],
)
def test_what_is_about_something_else_finds_nothing(index: PromptIndex, question: str) -> None:
    assert found(index, question) == []


def test_general_prompts_do_not_find_facts() -> None:
    index = index_of(FACTS)
    general = [*starter.rehearsal(), *starter.gate_prompts()]
    assert [one.prompt for one in general if found(index, one.prompt)] == []


def test_the_same_instruction_for_other_material_matches_once_it_was_given_twice() -> None:
    question = "Sort this: pears and plums"
    assert found(index_of({"a": "Sort this: nails and screws"}), question) == []
    line = "Sort this list now:"
    index = index_of({"a": f"{line} nails", "b": f"{line} screws", "c": f"{line[:-1]}\nbolts"})
    assert set(found(index, f"{line} pears")) == {"a", "b", "c"}
    assert found(index, "Sort pears") == []


@pytest.mark.parametrize(
    "text", ["And why?", "what is it called?", "为什么？", "然后呢", "...", ""]
)
def test_some_questions_say_little(text: str) -> None:
    assert says_little(text)


def test_others_say_more() -> None:
    assert not any(map(says_little, [*FACTS.values(), "why Lisbon?", "猫"]))


def test_equals_come_last_added_first() -> None:
    index = index_of({"old": "Who owns the boat?", "new": "who owns the boat"})
    assert found(index, "Who owns the boat?") == ["new", "old"]


_STATE = st.dictionaries(st.sampled_from("abc"), st.sampled_from([*FACTS.values()]))


@settings(max_examples=25, deadline=None)
@given(st.lists(_STATE, max_size=4))
def test_changes_one_by_one_end_as_all_at_once(states: list[dict[str, str]]) -> None:
    index = PromptIndex()
    for state in states:
        index.update(state)
    for question in FACTS.values() if states else ():
        assert found(index, question) == found(index_of(states[-1]), question)


def test_threads_may_share_it() -> None:
    index, wrong = PromptIndex(), []

    def work(seed: int) -> None:
        draw = random.Random(seed)
        for _ in range(20):
            index.update(dict(draw.sample([*FACTS.items()], 3)))
            if not set(found(index, FACTS["code"])) <= {"code"}:
                wrong.append(seed)

    threads = [Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.skipif(not ALPACA.is_dir(), reason="needs data that is not part of the project")
@pytest.mark.parametrize("language", ["en", "zh"])
def test_few_questions_about_other_things_find_anything(language: str) -> None:
    rows = json.loads((ALPACA / f"alpaca_{language}_demo.json").read_text(encoding="utf-8"))
    texts = dict.fromkeys(f"{row['instruction']}\n{row['input']}".strip() for row in rows)
    shuffled = random.Random(0).sample([*texts], len(texts))
    index = index_of({text: text for text in shuffled[200:700]} | FACTS)
    assert sum(bool(found(index, text)) for text in shuffled[:200]) <= 6
