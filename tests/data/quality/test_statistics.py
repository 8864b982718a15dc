"""What there is, counted, and what is thin."""

import json
from collections.abc import Sequence
from dataclasses import asdict

import pytest

from data.quality.statistics import Needs, Statistics, statistics
from data.quality.task_labels import merged
from store.records import ChatMessage, Instruction, Origin, Preference, Record, Verdict


def asked(question: str) -> tuple[ChatMessage, ...]:
    return (ChatMessage(role="user", content=question),)


def taught(question: str, reply: str = "Paris.", source: str = "chat") -> Instruction:
    return Instruction(prompt=asked(question), completion=reply, origin=Origin(source=source))


def corrected(message: str, question: str = "Why?") -> list[Record]:
    pair = Preference(
        act=message, message_id=message, prompt=asked(question), chosen="Yes", rejected="No"
    )
    instruction = Instruction(
        act=message, message_id=message, prompt=asked(question), completion="Yes"
    )
    return [instruction, pair]


def rated(label: bool, message: str = "m", reasons: Sequence[str] = ()) -> Verdict:
    return Verdict(
        prompt=asked("Why?"),
        message_id=message,
        completion="So.",
        label=label,
        reasons=tuple(reasons),
    )


def gap(found: Statistics, word: str) -> list[str]:
    return [sentence for sentence in found.gaps if word in sentence]


ALIKE = [
    taught(question)
    for question in (
        *(f"What is {n}?" for n in range(4)),
        *(f"Translate: {n}" for n in range(4)),
        *(f"Summarize {n}" for n in range(4)),
        *(f"Classify {n}" for n in range(4)),
        *(f"Write a poem on {n}" for n in range(4)),
        *(f"Write code for {n}" for n in range(4)),
    )
]
"""Four of each task."""


def test_nothing_yet_says_how_to_begin() -> None:
    found = statistics([])
    assert (found.records, found.lessons) == (0, 0)
    assert found.kinds == found.trained == {"instruction": 0, "preference": 0, "verdict": 0}
    assert found.labels == {"liked": 0, "disliked": 0}
    assert len(found.gaps) == 1
    assert "rate a reply" in found.gaps[0]


def test_records_are_counted_by_kind_and_lessons_by_act() -> None:
    records = [
        *corrected("a", "Translate into French: house"),
        taught("用一句话总结：下雨了。", "下雨了。" * 30, source="import:zh"),
        rated(True),
        rated(False, "n", ["wrong", "style"]),
        rated(False, "o", ["wrong"]),
    ]
    found = statistics(records, frozenset([records[0].id, records[3].id]))
    assert found.records == 6
    assert found.lessons == 5
    assert found.kinds == {"instruction": 2, "preference": 1, "verdict": 3}
    assert found.trained == {"instruction": 1, "preference": 0, "verdict": 1}
    assert found.labels == {"liked": 1, "disliked": 2}
    assert found.reasons == {"wrong": 2, "style": 1}
    assert found.tasks == {"question answering": 3, "summary": 1, "translation": 1}
    assert found.languages == {"en": 4, "zh": 1}
    assert found.lengths == {"up to 100 characters": 4, "101 to 400": 1}
    assert found.sources == {"chat": 4, "import:zh": 1}


def test_it_can_be_written_as_json_in_the_order_shown() -> None:
    found = statistics([taught("Why?"), taught("Write a poem."), taught("Why not?")])
    assert list(json.loads(json.dumps(asdict(found)))["tasks"]) == ["question answering", "writing"]


def test_the_rules_of_the_person_count() -> None:
    found = statistics([taught("Cook rice.")], rules=merged({"recipes": ["cook"]}))
    assert found.tasks == {"recipes": 1}


def test_what_the_passes_lack_is_named_with_its_number() -> None:
    found = statistics([rated(True)])
    assert gap(found, "SFT") == [
        "No good replies to imitate: SFT wants 4. Correct a reply, or give a 👍."
    ]
    assert gap(found, "KTO") == ["1 👍 and 0 👎: KTO wants 4 of each."]
    assert gap(found, "DPO")
    enough = statistics(
        [rated(True), rated(False), *corrected("m"), taught("x")],
        needs=Needs(instructions=2, preferences=1, of_each_label=1),
    )
    assert not gap(enough, "wants")


def test_thumbs_that_nobody_gave_are_not_asked_for() -> None:
    assert not gap(statistics([taught("x")]), "KTO")


def test_a_dislike_without_a_correction_is_half_a_lesson() -> None:
    found = statistics([rated(False, "m"), rated(False, "n"), *corrected("n")])
    assert gap(found, "no correction") == [
        "1 disliked reply has no correction, which would teach what to say instead."
    ]
    imported = rated(False).model_copy(update={"message_id": None})
    assert not gap(statistics([imported]), "no correction")


@pytest.mark.parametrize(("given", "said"), [(1, True), (2, False)])
def test_dislikes_without_reasons_are_counted(given: int, said: bool) -> None:
    found = statistics([rated(False, reasons=["wrong"] if n < given else []) for n in range(4)])
    assert bool(gap(found, "give no reason")) is said


def test_imported_dislikes_owe_no_reasons() -> None:
    imported = [rated(False).model_copy(update={"message_id": None, "act": str(n)}) for n in "abcd"]
    assert not gap(statistics(imported), "give no reason")


def test_thin_tasks_are_named() -> None:
    assert not gap(statistics(ALIKE), "Few or no samples")
    found = statistics([*ALIKE[:12], taught("Qui est-ce ? Le roi ?")])
    assert gap(found, "Few or no samples") == [
        "Few or no samples: classification (0), writing (0), code (0)."
    ]
    assert not gap(statistics(ALIKE[:5]), "Few or no samples")


def test_replies_of_one_length_are_named() -> None:
    assert gap(statistics(ALIKE), "a similar length")
    longer = [taught(f"Why {n}?", "Because. " * 30) for n in range(4)]
    assert not gap(statistics([*ALIKE, *longer]), "a similar length")


def test_a_few_lessons_among_many_imported_ones_are_named() -> None:
    many = [taught(f"Why {n}?", source="import:many") for n in range(60)]
    assert gap(statistics([*many, taught("What?")]), "Only 1 of 61 samples are your own")
    assert not gap(statistics(many), "Your own")
    assert not gap(statistics([*many[:5], taught("What?")]), "Your own")


def test_what_is_kept_out_of_training_is_counted_and_missed_by_the_passes() -> None:
    records = [taught("What?"), taught("Why?").model_copy(update={"excluded": True})]
    found = statistics(records, needs=Needs(instructions=2))
    assert (found.records, found.excluded, found.kinds["instruction"]) == (2, 1, 2)
    assert gap(found, "SFT") == [
        "1 good reply to imitate: SFT wants 2. Correct a reply, or give a 👍."
    ]
