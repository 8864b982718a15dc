"""Which records a run sees."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.training_split import holdout, mix, with_system
from store.records import ChatMessage, Instruction, Preference

USER = ChatMessage(role="user", content="hi")
SYSTEM = ChatMessage(role="system", content="Be brief.")


def taught(*replies: str, prompt: str = "hi") -> list[Instruction]:
    return [
        Instruction(prompt=(ChatMessage(role="user", content=prompt),), completion=reply)
        for reply in replies
    ]


def replies(records: tuple[Instruction, ...]) -> list[str]:
    return [record.completion for record in records]


def test_the_system_prompt_goes_where_there_is_none() -> None:
    assert with_system((USER,), "Be brief.") == (SYSTEM, USER)
    assert with_system([], "Be brief.") == (SYSTEM,)
    assert with_system((USER,), "") == (USER,)
    assert with_system((SYSTEM, USER), "Be long.") == (SYSTEM, USER)


@pytest.mark.parametrize(
    ("new", "replay", "expected"),
    [(6, 0.4, 4), (16, 0.4, 11), (3, 0.5, 3), (5, 0.0, 0), (0, 0.4, 0)],
)
def test_replay_is_a_share_of_the_whole(new: int, replay: float, expected: int) -> None:
    mixed = mix(
        taught(*(f"new {i}" for i in range(new))),
        taught(*(f"old {i}" for i in range(100))),
        replay,
        seed=0,
    )
    assert len(mixed.new) == new
    assert len(mixed.replayed) == expected


def test_where_little_was_learned_all_of_it_is_replayed() -> None:
    mixed = mix(taught(*"abcdefgh"), taught("x", "y"), 0.4, seed=0)
    assert replies(mixed.replayed) == ["x", "y"]


def test_the_newest_of_the_same_is_kept() -> None:
    first, other, last = taught("a", "b", "a")
    mixed = mix([first, other, last], [], 0.4, seed=0)
    assert mixed.new == (other, last)
    assert mix([last], [first, other], 0.5, seed=0).replayed == (other,)


def test_another_prompt_is_another_instruction() -> None:
    mixed = mix([*taught("a"), *taught("a", prompt="there")], [], 0.4, seed=0)
    assert len(mixed.new) == 2


def test_the_mix_depends_on_the_seed_alone() -> None:
    new, learned = taught(*"abcdefgh"), taught(*(f"old {i}" for i in range(50)))
    mixes = [mix(new, learned, 0.4, seed=seed) for seed in (1, 1, 2)]
    assert mixes[0] == mixes[1]
    assert mixes[0].replayed != mixes[2].replayed
    order = [learned.index(record) for record in mixes[0].replayed]
    assert order == sorted(order)
    assert len(set(order)) == len(order)


def test_what_is_new_is_not_replayed_as_well() -> None:
    new, learned = taught("a", "a", "b"), taught(*(f"old {i}" for i in range(20)), "b")
    mixed = mix(new, learned, 0.5, seed=3)
    assert replies(mixed.new) == ["a", "b"]
    assert "b" not in replies(mixed.replayed)
    assert len(mixed.replayed) == 2


def imported(number: int) -> Preference:
    prompt = (ChatMessage(role="user", content=f"question {number}"),)
    return Preference(prompt=prompt, chosen="a", rejected="b")


def test_a_fifth_is_held_out_in_the_given_order() -> None:
    records = [imported(number) for number in range(1000)]
    train, held = holdout(records)
    assert 150 < len(held) < 250
    assert sorted([*train, *held], key=records.index) == records
    assert held == [record for record in records if record in held]


def test_a_conversation_is_never_on_both_sides() -> None:
    prompts = [(ChatMessage(role="user", content=f"turn {i}"),) for i in range(5)]
    records = [
        Instruction(conversation_id=f"c{number}", prompt=prompt, completion="x")
        for number in range(50)
        for prompt in prompts
    ]
    train, held = holdout(records)
    assert held
    assert not {r.conversation_id for r in train} & {r.conversation_id for r in held}


def in_conversation(conversation: str, *turns: str) -> Instruction:
    prompt = tuple(ChatMessage(role="user", content=turn) for turn in turns)
    return Instruction(conversation_id=conversation, prompt=prompt, completion="x")


def test_a_prompt_that_is_asked_again_is_never_on_both_sides() -> None:
    records = [in_conversation(f"c{number}", f"question {number % 10}") for number in range(100)]
    train, held = holdout(records)
    assert len(held) % 10 == 0
    assert not {r.prompt for r in train} & {r.prompt for r in held}
    assert 0 < len({r.prompt for r in holdout(records, share=0.5)[1]}) < 10


def test_the_same_last_question_after_another_is_another_prompt() -> None:
    records = [in_conversation(f"c{number}", f"turn {number}", "Why?") for number in range(100)]
    assert 5 < len(holdout(records)[1]) < 40


def test_a_conversation_follows_the_one_it_repeats() -> None:
    first = next(r for n in range(99) if holdout([r := in_conversation(f"c{n}", "hi")])[1])
    again = next(r for n in range(99) if holdout([r := in_conversation(f"d{n}", "hi")])[0])
    later = in_conversation(again.conversation_id or "", "hi", "Why?")
    assert holdout([again, later]) == ([again, later], [])
    assert holdout([first, again, later]) == ([], [first, again, later])


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=40), st.integers(0, 40))
def test_sides_stay_when_records_are_added(drawn: list[tuple[int, int]], early: int) -> None:
    records = [in_conversation(f"c{c}", f"question {q}") for c, q in drawn]
    before, after = holdout(records[:early]), holdout(records)
    for side, later in zip(before, after, strict=True):
        assert later[: len(side)] == side
    assert sorted([*after[0], *after[1]], key=records.index) == records
    assert not {r.conversation_id for r in after[0]} & {r.conversation_id for r in after[1]}


def test_a_side_is_for_ever() -> None:
    records = [imported(number) for number in range(60)]
    held = holdout(records[:30])[1]
    assert held
    assert [record for record in holdout(records)[1] if record in records[:30]] == held
    again = [imported(number) for number in range(30)]
    assert [r.prompt for r in holdout(again)[1]] == [r.prompt for r in held]


def test_a_side_is_the_same_in_every_process() -> None:
    code = (
        "from tests.data.test_training_split import imported, holdout\n"
        "print(*(r.prompt[0].content for r in holdout([imported(i) for i in range(30)])[1]),"
        " sep=';')"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=root,
        env={"PYTHONHASHSEED": "7"},
    )
    held = holdout([imported(number) for number in range(30)])[1]
    assert done.stdout.strip().split(";") == [record.prompt[0].content for record in held]
