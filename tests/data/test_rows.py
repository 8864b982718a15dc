"""Which records a run sees."""

import subprocess
import sys
from pathlib import Path

import pytest

from data.rows import holdout, sft_mix, with_system
from store.records import Instruction, Preference, Turn

USER = Turn(role="user", content="hi")
SYSTEM = Turn(role="system", content="Be brief.")


def taught(*replies: str, prompt: str = "hi") -> list[Instruction]:
    return [
        Instruction(prompt=(Turn(role="user", content=prompt),), completion=reply)
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
    mix = sft_mix(
        taught(*(f"new {i}" for i in range(new))),
        taught(*(f"old {i}" for i in range(100))),
        replay,
        seed=0,
    )
    assert len(mix.new) == new
    assert len(mix.replayed) == expected


def test_where_little_was_learned_all_of_it_is_replayed() -> None:
    mix = sft_mix(taught(*"abcdefgh"), taught("x", "y"), 0.4, seed=0)
    assert replies(mix.replayed) == ["x", "y"]


def test_the_newest_of_the_same_is_kept() -> None:
    first, other, last = taught("a", "b", "a")
    mix = sft_mix([first, other, last], [], 0.4, seed=0)
    assert mix.new == (other, last)
    assert sft_mix([last], [first, other], 0.5, seed=0).replayed == (other,)


def test_another_prompt_is_another_instruction() -> None:
    mix = sft_mix([*taught("a"), *taught("a", prompt="there")], [], 0.4, seed=0)
    assert len(mix.new) == 2


def test_the_mix_depends_on_the_seed_alone() -> None:
    new, learned = taught(*"abcdefgh"), taught(*(f"old {i}" for i in range(50)))
    mixes = [sft_mix(new, learned, 0.4, seed=seed) for seed in (1, 1, 2)]
    assert mixes[0] == mixes[1]
    assert mixes[0].replayed != mixes[2].replayed
    order = [learned.index(record) for record in mixes[0].replayed]
    assert order == sorted(order)
    assert len(set(order)) == len(order)


def imported(number: int) -> Preference:
    prompt = (Turn(role="user", content=f"question {number}"),)
    return Preference(prompt=prompt, chosen="a", rejected="b")


def test_a_fifth_is_held_out_in_the_given_order() -> None:
    records = [imported(number) for number in range(1000)]
    train, held = holdout(records)
    assert 150 < len(held) < 250
    assert sorted([*train, *held], key=records.index) == records
    assert held == [record for record in records if record in held]


def test_a_conversation_is_never_on_both_sides() -> None:
    prompts = [(Turn(role="user", content=f"turn {i}"),) for i in range(5)]
    records = [
        Instruction(conversation_id=f"c{number}", prompt=prompt, completion="x")
        for number in range(50)
        for prompt in prompts
    ]
    train, held = holdout(records)
    assert held
    assert not {r.conversation_id for r in train} & {r.conversation_id for r in held}


def test_a_side_is_for_ever() -> None:
    records = [imported(number) for number in range(60)]
    held = holdout(records[:30])[1]
    assert held
    assert [record for record in holdout(records)[1] if record in records[:30]] == held
    again = [imported(number) for number in range(30)]
    assert [r.prompt for r in holdout(again)[1]] == [r.prompt for r in held]


def test_a_side_is_the_same_in_every_process() -> None:
    code = (
        "from tests.data.test_rows import imported, holdout\n"
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
