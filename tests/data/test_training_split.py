"""Which records a run sees."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.training_split import Split, group_keys, group_numbers, groups, holdout, mix, with_system
from store.records import ChatMessage, Instruction, Preference, Record, Verdict

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


def both(split: Split) -> list[Record]:
    return [*split.train, *split.held_out]


def imported(number: int) -> Preference:
    prompt = (ChatMessage(role="user", content=f"question {number}"),)
    return Preference(prompt=prompt, chosen="a", rejected="b")


def test_a_fifth_is_held_out_in_the_given_order() -> None:
    records: list[Record] = [imported(number) for number in range(1000)]
    split = holdout(records)
    assert 150 < len(split.held_out) < 250
    assert sorted(both(split), key=records.index) == records
    assert list(split.held_out) == [record for record in records if record in split.held_out]


def test_a_conversation_is_never_on_both_sides() -> None:
    prompts = [(ChatMessage(role="user", content=f"turn {i}"),) for i in range(5)]
    records = [
        Instruction(conversation_id=f"c{number}", prompt=prompt, completion="x")
        for number in range(50)
        for prompt in prompts
    ]
    split = holdout(records)
    assert split.held_out
    apart(split)


def apart(split: Split) -> None:
    """Assert that neither a conversation nor a prompt is on both sides."""
    train, held = ({key for r in side for key in group_keys(r)} for side in parts(split))
    assert not train & held


def parts(split: Split) -> tuple[tuple[Record, ...], tuple[Record, ...]]:
    return split.train, split.held_out


def in_conversation(conversation: str, *turns: str) -> Instruction:
    prompt = tuple(ChatMessage(role="user", content=turn) for turn in turns)
    return Instruction(conversation_id=conversation, prompt=prompt, completion="x")


def test_a_prompt_that_is_asked_again_is_never_on_both_sides() -> None:
    records = [in_conversation(f"c{number}", f"question {number % 10}") for number in range(100)]
    split = holdout(records)
    assert len(split.held_out) % 10 == 0
    apart(split)
    assert 0 < len({r.prompt for r in holdout(records, share=0.5).held_out}) < 10


def test_the_same_last_question_after_another_is_another_prompt() -> None:
    records = [in_conversation(f"c{number}", f"turn {number}", "Why?") for number in range(100)]
    assert 5 < len(holdout(records).held_out) < 40


def drawn(side: str, name: str, *turns: str) -> Instruction:
    """A record in a conversation that falls on `side` by itself."""
    found = (in_conversation(f"{name}{n}", *turns) for n in range(99))
    return next(record for record in found if getattr(holdout([record]), side))


def test_a_conversation_follows_the_one_it_repeats() -> None:
    first, again = drawn("held_out", "c", "hi"), drawn("train", "d", "hi")
    later = in_conversation(again.conversation_id or "", "hi", "Why?")
    assert holdout([again, later]) == Split((again, later), ())
    assert holdout([first, again, later]) == Split((), (first, again, later))


def test_a_correction_is_on_one_side_with_its_pair_and_its_thumb() -> None:
    records: list[Record] = []
    for number in range(100):
        said = in_conversation(f"c{number}", f"question {number}")
        about = {"conversation_id": said.conversation_id, "prompt": said.prompt}
        records += [
            said,
            Preference(**about, chosen="x", rejected="y"),
            Verdict(**about, completion="x", label=True),
        ]
    split = holdout(records)
    assert len(split.held_out) % 3 == 0
    assert {r.kind for r in split.held_out} == {"instruction", "preference", "verdict"}
    apart(split)


def test_a_prompt_that_comes_late_to_a_conversation_of_the_other_side_is_on_neither() -> None:
    early = drawn("train", "d", "hi", "Why?")
    held = drawn("held_out", "c", "hi")
    late = in_conversation(early.conversation_id or "", "hi")
    assert holdout([early, held, late]) == Split((early,), (held,))


def test_what_was_trained_on_is_not_held_out_whatever_its_hash() -> None:
    records = [in_conversation(f"c{n // 2}", f"question {n}") for n in range(200)]
    held = holdout(records).held_out
    trained = group_keys(held[0])[:1]
    split = holdout(records, trained=trained)
    same = [r for r in records if r.conversation_id == held[0].conversation_id]
    assert len(same) == 2
    assert set(held) - set(split.held_out) == set(same)
    assert set(same) < set(split.train)


records_of_any_kind = st.lists(
    st.builds(
        lambda kind, conversation, question: kind(
            conversation_id=conversation and f"c{conversation}",
            prompt=(ChatMessage(role="user", content=f"question {question}"),),
            **dict.fromkeys(set(kind.model_fields) & {"completion", "chosen", "rejected"}, "x"),
            **({"label": True} if kind is Verdict else {}),
        ),
        st.sampled_from([Instruction, Preference, Verdict]),
        st.none() | st.integers(1, 9),
        st.integers(0, 9),
    ),
    max_size=40,
)


@given(records_of_any_kind, st.integers(0, 40))
def test_sides_stay_when_records_are_added(records: list[Record], early: int) -> None:
    before, after = holdout(records[:early]), holdout(records)
    for side, later in zip(parts(before), parts(after), strict=True):
        assert later[: len(side)] == side
    apart(after)


@given(records_of_any_kind)
def test_groups_are_what_no_key_connects(records: list[Record]) -> None:
    found = groups(records)
    assert sorted([r for group in found for r in group], key=records.index) == records
    keys = [{key for record in group for key in group_keys(record)} for group in found]
    assert sum(map(len, keys)) == len(set().union(*keys))
    for group in found:
        reached = set(group_keys(group[0]))
        for _ in group:
            reached |= {k for r in group if reached & {*group_keys(r)} for k in group_keys(r)}
        assert all(reached & {*group_keys(record)} for record in group)


def test_conversations_and_equal_prompts_connect_records() -> None:
    def pair(text: str, conversation: str | None = None) -> Preference:
        prompt = (ChatMessage(role="user", content=text),)
        return Preference(prompt=prompt, chosen="yes", rejected="no", conversation_id=conversation)

    alone, first, second, third = pair("a"), pair("b", "x"), pair("c", "x"), pair("c", "y")
    fourth, twin = pair("d", "y"), pair("a")
    numbers = group_numbers([alone, first, second, third, fourth, twin])
    assert len({numbers[one.id] for one in (first, second, third, fourth)}) == 1
    assert numbers[alone.id] == numbers[twin.id] != numbers[first.id]
    assert len(numbers) == 6


def test_a_side_is_for_ever() -> None:
    records = [imported(number) for number in range(60)]
    held = holdout(records[:30]).held_out
    assert held
    assert tuple(r for r in holdout(records).held_out if r in records[:30]) == held
    again = [imported(number) for number in range(30)]
    assert [r.prompt for r in holdout(again).held_out] == [r.prompt for r in held]


def test_a_side_is_the_same_in_every_process() -> None:
    code = (
        "from tests.data.test_training_split import imported, holdout\n"
        "print(*(r.prompt[0].content for r in holdout([imported(i) for i in range(30)]).held_out),"
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
    held = holdout([imported(number) for number in range(30)]).held_out
    assert done.stdout.strip().split(";") == [record.prompt[0].content for record in held]
