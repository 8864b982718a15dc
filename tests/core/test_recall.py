"""Which records are put before a question, and when."""

from datetime import UTC, datetime, timedelta

from core.recall import TOKENS, Recall, placed
from store.records import ChatMessage, Instruction, Preference, Record, Verdict


def user(text: str) -> ChatMessage:
    return ChatMessage(role="user", content=text)


def assistant(text: str) -> ChatMessage:
    return ChatMessage(role="assistant", content=text)


def record(record_id: str, reply: str, *prompt: str | ChatMessage) -> Instruction:
    messages = tuple(user(one) if isinstance(one, str) else one for one in prompt)
    return Instruction(id=record_id, prompt=messages, completion=reply)


BAKERY = record("bakery", "Teodora Finch runs it.", "Who runs the Marlow bakery?")
CODE = record("code", "The code is 58-13-K.", "What is the door code of the studio?")
ASKED = "Who is in charge of the Marlow bakery?"


def recalled(
    records: list[Record], *conversation: str | ChatMessage, learned: tuple[str, ...] = ()
) -> list[str]:
    messages = [user(one) if isinstance(one, str) else one for one in conversation]
    examples = Recall().examples(messages, records, learned, lambda text: len(text.split()))
    return [example.record_id for example in examples]


def test_a_similar_correction_is_put_before_the_question() -> None:
    examples = Recall().examples([user(ASKED)], [BAKERY, CODE], (), len)
    assert [one.messages for one in examples] == [
        (user("Who runs the Marlow bakery?"), assistant("Teodora Finch runs it."))
    ]


def test_nothing_is_recalled_for_other_questions_or_none() -> None:
    assert recalled([BAKERY, CODE], "What is the capital of Peru?") == []
    assert recalled([BAKERY, CODE]) == []
    assert recalled([BAKERY, CODE], "and why?") == []
    assert recalled([], ASKED) == []


def test_a_learned_record_leaves_and_returns() -> None:
    recall = Recall()
    for learned, expected in (((), 1), (("bakery",), 0), ((), 1)):
        found = recall.examples([user(ASKED)], [BAKERY, CODE], learned, len)
        assert len(found) == expected


def test_of_contradictions_the_newest_counts_learned_or_not() -> None:
    newer = record("newer", "Marco runs it now.", "who runs the  Marlow bakery")
    assert recalled([BAKERY, newer], ASKED) == ["newer"]
    assert recalled([BAKERY, newer], ASKED, learned=("bakery",)) == ["newer"]
    assert recalled([BAKERY, newer], ASKED, learned=("newer",)) == []


def test_a_changed_record_counts_as_it_is_now() -> None:
    recall = Recall()
    recall.examples([user(ASKED)], [BAKERY], (), len)
    changed = BAKERY.model_copy(update={"completion": "Marco runs it now."})
    (example,) = recall.examples([user(ASKED)], [changed], (), len)
    assert example.messages[-1].content == "Marco runs it now."
    assert recall.examples([user(ASKED)], [], (), len) == ()


def test_what_the_conversation_says_already_is_not_repeated() -> None:
    reply = assistant(" Teodora Finch runs it.\n")
    assert recalled([BAKERY], "Who runs the Marlow bakery?", reply, ASKED) == []
    other = assistant("I do not know.")
    assert recalled([BAKERY], "Who runs the Marlow bakery?", other, ASKED) == ["bakery"]


def test_only_what_is_worth_learning_counts() -> None:
    prompt = BAKERY.prompt
    others: list[Record] = [
        Verdict(prompt=prompt, completion="Nobody.", label=False),
        Preference(prompt=prompt, chosen="Some baker.", rejected="Nobody."),
        record("empty", "  ", *prompt),
        record("unasked", "Hello!"),
    ]
    assert recalled(others, ASKED) == []


def test_examples_keep_to_the_number_and_the_tokens_allowed() -> None:
    many: list[Record] = [
        record(f"r{i}", f"Answer {i}.", f"Who runs the Marlow bakery in town {i}?")
        for i in range(5)
    ]
    assert len(recalled(many, "Who runs the Marlow bakery in our town?")) == 2
    long = record("long", "word " * TOKENS, "Who runs the Marlow bakery?")
    assert recalled([long, many[0]], "Who runs the Marlow bakery?") == ["r0"]


def test_the_most_similar_stands_last() -> None:
    far = record("far", "Since 1950.", "Since when has there been the Marlow bakery?")
    assert recalled([BAKERY, far], "Who runs the Marlow bakery?") == ["far", "bakery"]


def test_a_follow_up_is_found_after_the_same_question_only() -> None:
    first = "Why is the Lark project late?"
    why = record("why", "The parts are missing.", first, assistant("It is."), "And why?")
    ask = ("Why is the Lark project so late?", assistant("It is late."))
    assert recalled([why], *ask, "and why?") == ["why"]
    assert recalled([why], *ask, "who is it?") == []
    assert recalled([why], "Who runs the Marlow bakery?", assistant("Teodora."), "and why?") == []
    assert recalled([why], first) == []
    (example,) = Recall().examples([*map(user, ask[:1]), ask[1], user("And why?")], [why], (), len)
    assert [one.content for one in example.messages][:2] == [first, "It is."]


def test_a_long_conversation_is_matched_by_its_last_question() -> None:
    late = record("late", "At 14:15.", "Hello!", assistant("Hi."), "When is the team meeting?")
    assert recalled([late], "Team meeting time?") == ["late"]
    (example,) = Recall().examples([user("Team meeting time?")], [late], (), len)
    assert example.messages[0].content == "When is the team meeting?"


def test_many_records_are_indexed_step_by_step() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    records: list[Record] = [
        record(f"r{i}", "Yes.", f"Is part {i * 7919} of machine {i} ready?").model_copy(
            update={"created": start + timedelta(seconds=i)}
        )
        for i in range(1_000)
    ]
    recall = Recall()
    assert recall.examples([user(ASKED)], records, (), len) == ()
    found = recall.examples([user(ASKED)], [*records, BAKERY], (), len)
    assert [one.record_id for one in found] == ["bakery"]


def test_what_asks_alike_stands_in_the_question_and_other_material_before_it() -> None:
    alike = Recall().examples([user(ASKED)], [BAKERY], (), len)
    preface = "Who runs the Marlow bakery?\nTeodora Finch runs it.\n\n"
    assert placed(alike) == ((), preface)

    line = "Name the item and its price:"
    records: list[Record] = [
        record(name, reply, f"{line} {text}")
        for name, reply, text in (
            ("a", "vase, 135", "A vase costs 135."),
            ("b", "tea, 2", "2 for tea"),
        )
    ]
    other = Recall().examples([user(f"{line} My bicycle was 900 dollars")], records, (), len)
    assert placed(other).preface == ""
    assert len(placed(other).turns) == 4
    assert placed([]) == ((), "")
