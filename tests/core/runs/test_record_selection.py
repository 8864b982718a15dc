"""What is learned, what only measures, and that neither becomes the other."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.adapters.registry import Adapters
from core.runs.plan import RECORD_PASSES, Plan
from core.runs.record_selection import HOLDOUT_MINIMUM, instructions_kept_out
from data.training_split import group_keys, prompt_key
from store.feedback import JudgedReply, correct, thumb
from store.records import Instruction, Message, Preference, Record, Verdict
from tests.core.runs.plans import FOLDER, instructions, made, pairs, plan, prompt, thumbs


@pytest.fixture
def adapters(tmp_path: Path) -> Adapters:
    return Adapters(tmp_path / "models", FOLDER)


def test_nothing_is_held_out_of_a_few(adapters: Adapters) -> None:
    found = plan(adapters, instructions(31)).sft
    assert len(found.new) == 31
    assert found.held_out == ()


def test_a_sticky_part_is_held_out_of_many(adapters: Adapters) -> None:
    records = instructions(60)
    found = plan(adapters, records).sft
    assert 0 < len(found.held_out) < 24
    assert {*found.new, *found.held_out} == set(records)
    later = plan(adapters, [*records, *instructions(30, "later")]).sft
    assert set(found.held_out) <= set(later.held_out)
    assert not set(found.held_out) & set(later.new)


def test_one_long_conversation_is_learned_and_not_held_out(adapters: Adapters) -> None:
    for name in "abcdefgh":  # whichever side its name falls on
        found = plan(adapters, instructions(40, conversation=name)).sft
        assert len(found.new) == 40


def test_a_long_conversation_beside_others_leaves_them_held_out(adapters: Adapters) -> None:
    records = instructions(60)
    held = set(plan(adapters, records).sft.held_out)
    for name in "abcdefgh":
        assert set(plan(adapters, [*records, *instructions(90, name)]).sft.held_out) == held


def test_what_was_learned_before_there_were_many_does_not_measure(adapters: Adapters) -> None:
    records = instructions(60)
    held = plan(adapters, records).sft.held_out
    made(adapters, "sft", held[:2])
    assert set(plan(adapters, records).sft.held_out) == set(held[2:])


def test_prompts_of_rl_are_each_there_once_and_keep_to_their_side(adapters: Adapters) -> None:
    records: list[Record] = [*pairs(60), *thumbs(30, 30)]
    found = plan(adapters, records).rl
    assert len(found.train) + len(found.held_out) == 60
    assert not set(found.train) & set(found.held_out)
    assert found.held_out


def test_corrections_count_once_towards_the_minimum_though_they_are_two_records(
    adapters: Adapters,
) -> None:
    few, many = (list(corrections(n)) for n in (HOLDOUT_MINIMUM - 1, HOLDOUT_MINIMUM))
    assert not plan(adapters, few).sft.held_out
    assert plan(adapters, many).sft.held_out


def corrections(count: int) -> Iterator[Record]:
    for n in range(count):
        yield from correction(f"c{n}", f"question {n}", "Paris")


def correction(conversation: str, question: str, reply: str) -> tuple[Record, ...]:
    return correct(judged(conversation, question, "London"), reply).added


def judged(conversation: str, question: str, reply: str) -> JudgedReply:
    message = Message(conversation_id=conversation, role="assistant", content=reply)
    return JudgedReply(message, prompt(question), ())


def test_the_example_of_a_day_leaks_nothing(adapters: Adapters) -> None:
    """24 corrections, 16 👍 and 8 👎, each in its own chat."""
    records = [
        *corrections(24),
        *(
            r
            for n in range(16)
            for r in thumb(judged(f"u{n}", f"up {n}", "yes"), True, (), "").added
        ),
        *(
            r
            for n in range(8)
            for r in thumb(judged(f"d{n}", f"no {n}", "no"), False, (), "").added
        ),
    ]
    found = plan(adapters, records)
    assert found.sft.held_out
    assert found.dpo.held_out
    leak_free(found, set())
    kept = {record.id for record in found.sft.held_out}
    assert instructions_kept_out(records, adapters) == kept


def test_what_another_kind_of_pass_learned_does_not_measure(adapters: Adapters) -> None:
    records = list(corrections(60))
    held = plan(adapters, records).sft.held_out
    pair = next(r for r in records if r.kind == "preference" and r.act == held[0].act)
    made(adapters, "dpo", [pair])
    found = plan(adapters, records)
    assert found.sft.held_out == held[1:]
    assert held[0] in found.sft.new


def test_what_was_learned_and_deleted_since_does_not_measure(adapters: Adapters) -> None:
    records = instructions(60)
    held = plan(adapters, records).sft.held_out
    gone = held[0].model_copy(update={"id": "gone"})
    made(adapters, "sft", [gone], groups=group_keys(gone))
    assert plan(adapters, records).sft.held_out == held[1:]
    assert plan(adapters, records, rebuild=True).sft.held_out == held


def test_two_conversations_with_a_common_prompt_are_spared_together(adapters: Adapters) -> None:
    for name in "abcdefgh":
        long = instructions(50, conversation=name)
        other = [r.model_copy(update={"id": f"{r.id}+", "conversation_id": "z"}) for r in long[:2]]
        leak_free(plan(adapters, [*instructions(60), *long, *other]), set())


# -- many runs in a row ----------------------------------------------------------------------------


@dataclass
class Taught:
    """What a user did between two runs: (kind, conversation, question) of each act."""

    acts: list[tuple[str, int, int]]
    adopted: bool
    """The version made then is activated."""
    rebuild: bool
    records: list[Record] = field(default_factory=list)


acts = st.tuples(
    st.sampled_from(["correct", "like", "dislike", "import"]),
    st.integers(0, 60),
    st.integers(0, 60),
)
days = st.lists(
    st.builds(Taught, st.lists(acts, max_size=60), st.booleans(), st.booleans()), max_size=5
)


def told(act: tuple[str, int, int], number: int) -> tuple[Record, ...]:
    kind, conversation, question = act
    reply = judged(f"c{conversation}", f"question {question}", f"reply {number % 3}")
    match kind:
        case "correct":
            return correct(reply, f"better {number % 3}").added
        case "like" | "dislike":
            return thumb(reply, kind == "like", (), "").added
    about = prompt(f"question {question}")
    return (
        Instruction(prompt=about, completion="x"),
        Preference(prompt=about, chosen="x", rejected="y"),
    )


@settings(deadline=None, max_examples=60)
@given(days)
def test_nothing_held_out_is_ever_trained(days: list[Taught]) -> None:
    with tempfile.TemporaryDirectory() as home:
        adapters = Adapters(Path(home), FOLDER)
        records: list[Record] = []
        known: dict[str, set[str]] = {"base": set()}
        """By version: the keys of all that it and its ancestors were trained on."""
        for day in days:
            records += [r for n, act in enumerate(day.acts) for r in told(act, n + len(records))]
            found = plan(adapters, records, rebuild=day.rebuild)
            leak_free(found, known[found.parent])
            if not found.sft.new:
                continue
            active, learned = adapters.active(), trained(found)
            adapters.use(found.parent)
            made(adapters, "sft", [r for name in RECORD_PASSES for r in found.records(name).train])
            known[adapters.active()] = known[found.parent] | learned
            if not day.adopted:
                adapters.use(active)


def trained(found: Plan) -> set[str]:
    """Return the keys of all prompts and conversations that any pass of the plan trains on."""
    records = [r for name in RECORD_PASSES for r in found.records(name).train]
    return {k for r in records for k in group_keys(r)} | set(map(prompt_key, found.rl.train))


def leak_free(found: Plan, earlier: set[str]) -> None:
    """Assert that nothing held out is trained by a pass of the plan, or was before it."""
    held = [r for name in RECORD_PASSES for r in found.records(name).held_out]
    keys = {key for record in held for key in group_keys(record)}
    keys |= set(map(prompt_key, found.rl.held_out))
    assert not keys & (trained(found) | earlier)
    replies = {reply for r in held for reply in said(r)}
    assert not replies & {
        reply for name in RECORD_PASSES for r in found.records(name).train for reply in said(r)
    }


def said(record: Record) -> set[tuple[object, str]]:
    match record:
        case Preference():
            return {(record.prompt, record.chosen), (record.prompt, record.rejected)}
        case Instruction() | Verdict():
            return {(record.prompt, record.completion)}
