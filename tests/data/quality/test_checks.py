"""What is wrong with the records as a whole."""

from collections.abc import Sequence

import pytest

from data.quality.checks import KINDS, Finding, check
from store.records import ChatMessage, Instruction, Preference, Record, Verdict

LONG = "Because " + " ".join(f"reason number {n} is as good as the others" for n in range(10))


def asked(question: str) -> tuple[ChatMessage, ...]:
    return (ChatMessage(role="user", content=question),)


def taught(reply: str, question: str = "Why?", **fields: str) -> Instruction:
    return Instruction(prompt=asked(question), completion=reply, **fields)


def rated(reply: str, label: bool, question: str = "Why?", **fields: str) -> Verdict:
    return Verdict(prompt=asked(question), completion=reply, label=label, **fields)


def paired(chosen: str, rejected: str, question: str = "Why?", **fields: str) -> Preference:
    return Preference(prompt=asked(question), chosen=chosen, rejected=rejected, **fields)


def liked(reply: str, act: str) -> list[Record]:
    return [taught(reply, act=act), rated(reply, True, act=act)]


def corrected(original: str, better: str, act: str) -> list[Record]:
    return [taught(better, act=act), paired(better, original, act=act)]


def found(records: Sequence[Record], kind: str) -> list[Finding]:
    return [finding for finding in check(records) if finding.kind == kind]


def ids(*records: Record) -> tuple[str, ...]:
    return tuple(record.id for record in records)


def test_good_records_have_no_findings() -> None:
    records = [
        *liked("So.", "a"),
        *corrected("No.", "Yes.", "b"),
        rated("No.", False),
        taught("So.", "Why not?"),
    ]
    assert check(records) == []
    assert check([]) == []


# -- repetitions ---------------------------------------------------------------------------------


def test_copies_are_named_once() -> None:
    records = [*liked("So.", "a"), taught("Thus."), *liked("So.", "b")]
    (finding,) = check(records)
    assert finding.kind == "duplicate"
    assert finding.record_ids == ids(records[0], records[3])
    assert finding.message == "2 instructions say the same: “Why?”"


def test_one_act_is_no_repetition() -> None:
    assert check(liked("So.", "a")) == []


def test_nearly_the_same_is_named() -> None:
    one, other = taught(LONG), taught(LONG.replace("number 4", "number four"))
    assert check([one, other]) == [
        Finding("near duplicate", ids(one, other), "2 instructions are nearly the same: “Why?”")
    ]


def test_copies_are_not_nearly_the_same_as_well() -> None:
    assert [finding.kind for finding in check([taught(LONG), taught(LONG)])] == ["duplicate"]


def test_records_of_different_sorts_are_no_copies() -> None:
    liked_then_not = [rated(LONG, True, "Why?"), rated(LONG + " Yes.", False, "Why?")]
    assert check([*liked_then_not, taught(LONG + " So.")]) == []
    assert check([paired(LONG, "No."), paired("No.", LONG, "Why not?")]) == []


# -- contradictions ------------------------------------------------------------------------------


def test_a_reply_liked_and_disliked() -> None:
    records = [*liked("So.", "a"), rated("So.", False), rated("So.", False, "Why not?")]
    (finding,) = found(records, "contradiction")
    assert finding.record_ids == ids(*records[:3])
    assert "liked and disliked" in finding.message


def test_a_correction_to_what_was_disliked() -> None:
    records = [rated("So.", False), *corrected("No.", "So.", "b")]
    (finding,) = found(records, "contradiction")
    assert finding.record_ids == ids(records[0], records[1])


def test_two_corrections_of_one_prompt() -> None:
    records = [*corrected("No.", "Yes.", "a"), *corrected("No.", "Maybe.", "b")]
    (finding,) = found(records, "contradiction")
    assert finding.record_ids == ids(records[0], records[2])
    assert "2 different corrections" in finding.message


def test_two_good_replies_are_no_contradiction() -> None:
    assert check([*liked("Yes.", "a"), *liked("Sure.", "b"), taught("Of course.")]) == []
    assert found([*corrected("No.", "Yes.", "a"), *corrected("Nope.", "Yes.", "b")], KINDS[0]) == []


def test_a_pair_and_its_reverse() -> None:
    records = [paired("Yes.", "No."), paired("No.", "Yes."), paired("No.", "Yes.", "Why not?")]
    (finding,) = check(records)
    assert (finding.kind, finding.record_ids) == ("contradiction", ids(*records[:2]))


def test_another_context_is_another_prompt() -> None:
    before = (
        ChatMessage(role="user", content="Hi"),
        ChatMessage(role="assistant", content="Hello"),
    )
    later = Verdict(prompt=(*before, *asked("Why?")), completion="So.", label=False)
    assert found([rated("So.", True), later], "contradiction") == []


# -- secrets and length --------------------------------------------------------------------------

ADDRESS = "jane.doe@corp-mail.org"


@pytest.mark.parametrize(
    "record",
    [
        taught("So.", f"Write to {ADDRESS}, please."),
        taught(f"Ask {ADDRESS}."),
        paired(f"Ask {ADDRESS}.", "No."),
        paired("No.", f"Ask {ADDRESS}."),
        rated("So.", False, "Why?").model_copy(update={"comment": f"It is {ADDRESS}."}),
    ],
)
def test_an_address_is_found_wherever_it_is_and_never_repeated(record: Record) -> None:
    (finding,) = check([record])
    assert finding.kind == "secret"
    assert finding.record_ids == (record.id,)
    assert "e-mail address" in finding.message
    assert ADDRESS not in finding.message


def test_a_secret_is_reported_once_a_lesson() -> None:
    records = liked(f"Ask {ADDRESS}.", "a")
    assert [finding.record_ids for finding in check(records)] == [ids(*records)]


def test_what_does_not_fit_is_named_with_its_length() -> None:
    short, long = taught("So."), taught("Thus.", "How?")
    lengths = {short.id: 1024, long.id: 1300}
    assert check([short, long], lengths, 1024) == [
        Finding("too long", (long.id,), "1,300 tokens, but only 1,024 fit: “How?”")
    ]
    assert check([short, long], lengths) == []


# -- all of them ---------------------------------------------------------------------------------


def test_what_harms_most_comes_first() -> None:
    records = [
        *liked("So.", "a"),
        *liked("So.", "b"),
        rated("So.", False),
        taught(f"Ask {ADDRESS}."),
        taught(LONG, "How?"),
        taught(LONG + " Yes.", "How?"),
    ]
    findings = check(records, {records[0].id: 9}, 8, {records[2].id: "no"})
    assert [finding.kind for finding in findings] == list(KINDS)


def test_a_long_question_is_cut() -> None:
    (finding,) = check([taught("So.", "Why? " * 50), taught("So.", "Why? " * 50)])
    assert finding.message.endswith("Why? Why?…”")
    assert len(finding.message) < 100
