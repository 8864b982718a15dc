"""From messages that name their parents to a conversation: what is kept, what is learned."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.chat_exports.message_tree import SourceConversation, SourceMessage, ordered, read_tree
from data.chat_exports.ratings import Thumb
from data.formats.common import ParsedRow, RowError
from store.records import ChatMessage, Instruction, Origin, Verdict
from tests.data.chat_exports.checks import ORIGIN, check, said


def source(**about: object) -> SourceConversation:
    return SourceConversation(**{"program": "test", "id": "c", "origin": ORIGIN, **about})  # type: ignore[arg-type]


def asks(
    identity: str, parent: str | None = None, content: str = "hi", **more: object
) -> SourceMessage:
    return SourceMessage(identity, parent, "user", content, **more)  # type: ignore[arg-type]


def replies(
    identity: str, parent: str | None, content: str = "yo", **more: object
) -> SourceMessage:
    return SourceMessage(identity, parent, "assistant", content, **more)  # type: ignore[arg-type]


def read(*messages: SourceMessage, **about: object) -> ParsedRow:
    whole = read_tree(source(**about), messages)
    check(whole)
    return whole


UP, DOWN = Thumb(True), Thumb(False, ("wrong",), "no")
LEFT_OUT = "the reply depends on something that was left out"


def test_a_thumb_up_is_a_verdict_and_an_instruction_of_one_act() -> None:
    whole = read(asks("a"), replies("b", "a", thumb=UP, model="m"), system="Be brief.")
    verdict, instruction = whole.records
    asked = (
        ChatMessage(role="system", content="Be brief."),
        ChatMessage(role="user", content="hi"),
    )
    assert isinstance(verdict, Verdict)
    assert isinstance(instruction, Instruction)
    assert (verdict.prompt, verdict.completion, verdict.label) == (asked, "yo", True)
    assert (instruction.prompt, instruction.completion) == (asked, "yo")
    assert verdict.act == instruction.act
    assert verdict.origin == Origin(source="import:x", model="m")
    assert verdict.conversation_id == whole.conversations[0].conversation.id
    assert verdict.message_id == whole.conversations[0].messages[-1].id


def test_a_thumb_down_is_a_verdict_with_its_reasons() -> None:
    (verdict,) = read(asks("a"), replies("b", "a", thumb=DOWN)).records
    assert isinstance(verdict, Verdict)
    assert (verdict.label, verdict.reasons, verdict.comment) == (False, ("wrong",), "no")


def test_nothing_is_learned_unless_judged() -> None:
    assert read(asks("a"), replies("b", "a")).records == ()


def test_ids_are_the_same_each_time_and_differ_between_conversations() -> None:
    messages = (asks("a"), replies("b", "a"))
    first, again, other = (read(*messages, id=one).conversations[0].messages for one in "cct")
    assert [m.id for m in first] == [m.id for m in again]
    assert not {m.id for m in first} & {m.id for m in other}


def test_the_path_leads_through_the_current_message() -> None:
    messages = (asks("a"), replies("b", "a", "one"), replies("c", "a", "two"), asks("d", "b", "on"))
    (whole,) = read(*messages, current="b").conversations
    assert said(whole) == [("user", "hi"), ("assistant", "one"), ("user", "on")]
    assert len(whole.messages) == 4
    (whole,) = read(*messages, current="c").conversations
    assert said(whole)[-1] == ("assistant", "two")


def test_the_newest_message_ends_the_path_where_none_is_current() -> None:
    times = [datetime(2024, 1, day, tzinfo=UTC) for day in (1, 3, 2)]
    messages = (
        asks("a", created=times[0]),
        replies("b", "a", "new", created=times[1]),
        replies("c", "a", "old", created=times[2]),
    )
    (whole,) = read(*messages).conversations
    assert said(whole)[-1] == ("assistant", "new")
    assert (whole.conversation.created, whole.conversation.updated) == (times[0], times[1])


def test_machinery_is_passed_over_without_a_gap() -> None:
    whole = read(
        SourceMessage("r", None, None),
        asks("a", "r"),
        SourceMessage("e", "a", None),
        replies("b", "e"),
    )
    assert said(whole.conversations[0]) == [("user", "hi"), ("assistant", "yo")]
    assert not whole.refused
    assert not whole.incomplete


def test_a_reply_that_rests_on_what_was_left_out_is_kept_but_not_learned() -> None:
    tool = SourceMessage("t", "a", None, lacks="tool output")
    whole = read(asks("a"), tool, replies("b", "t", thumb=UP), asks("c", "b"), replies("d", "c"))
    assert not whole.records
    assert whole.incomplete == {
        m.id for m in whole.conversations[0].messages if m.role == "assistant"
    }
    assert whole.refused == (
        "1 message left out: tool output",
        f"1 thumb left out: {LEFT_OUT}",
    )


def test_what_comes_before_a_gap_is_whole() -> None:
    whole = read(
        asks("a"), replies("b", "a", thumb=UP), asks("c", "b", lacks="an image"), replies("d", "c")
    )
    assert len(whole.records) == 2
    assert whole.incomplete == {whole.conversations[0].messages[-1].id}
    assert whole.refused == ("1 part left out: an image",)


def test_failed_replies_are_left_out_and_nothing_rests_on_them() -> None:
    whole = read(
        asks("a"), replies("b", "a", "500", failed="an error"), asks("c", "b", "Go on"),
        replies("d", "c", thumb=UP),
    )  # fmt: skip
    assert said(whole.conversations[0]) == [("user", "hi\n\nGo on"), ("assistant", "yo")]
    assert whole.records[0].prompt == (ChatMessage(role="user", content="hi\n\nGo on"),)
    assert whole.refused == ("1 message left out: an error",)


def test_messages_of_one_role_in_a_row_become_one() -> None:
    whole = read(asks("a"), replies("b", "a", "one"), replies("c", "b", "two", thumb=UP))
    assert said(whole.conversations[0]) == [("user", "hi"), ("assistant", "one\n\ntwo")]
    assert isinstance(whole.records[1], Instruction)
    assert whole.records[1].completion == "one\n\ntwo"


def test_a_beginning_stays_where_something_else_follows_it() -> None:
    whole = read(
        asks("a"), replies("b", "a", "one"), replies("c", "b", "two"), asks("d", "b"), current="d"
    )
    assert [m.content for m in whole.conversations[0].messages] == ["hi", "one", "one\n\ntwo", "hi"]


def test_a_thumb_on_a_part_of_a_reply_is_told() -> None:
    whole = read(asks("a"), replies("b", "a", thumb=UP), replies("c", "b"))
    assert whole.refused == ("1 thumb left out: it is about one part of a reply",)
    whole = read(asks("a", thumb=UP), replies("b", "a"))
    assert whole.refused == ("1 thumb left out: it is not about a reply",)


def test_a_message_whose_parent_is_missing_is_a_root_with_a_gap() -> None:
    whole = read(asks("a"), replies("b", "a"), asks("c", "gone"), replies("d", "c", thumb=UP))
    assert said(whole.conversations[0]) == [("user", "hi"), ("assistant", "yo")]
    assert whole.refused == (
        "1 earlier message left out: it is not in the file",
        f"1 thumb left out: {LEFT_OUT}",
    )


def test_circles_and_second_ids_are_left_out() -> None:
    whole = read(
        asks("a"), replies("b", "a"), asks("x", "y"), replies("y", "x"), asks("z", "z"),
        asks("a", "b"),
    )  # fmt: skip
    assert len(whole.conversations[0].messages) == 2
    assert whole.refused == (
        "1 message left out: another message has its id",
        "3 messages left out: it is part of a cycle",
    )


def test_a_system_prompt_amid_a_conversation_is_left_out() -> None:
    late = SourceMessage("s", "b", "system", "Be brief.")
    whole = read(asks("a"), replies("b", "a"), late, asks("c", "s"), replies("d", "c"))
    assert [m.role for m in whole.conversations[0].messages] == ["user", "assistant"] * 2
    assert whole.refused == (
        "1 message left out: a system prompt in the middle of the conversation",
    )
    assert len(whole.incomplete) == 1


def test_a_system_prompt_that_is_written_twice_is_one() -> None:
    root = SourceMessage("s", None, "system", "Be brief.")
    whole = read(root, asks("a", "s"), replies("b", "a", thumb=UP), system="Be brief.")
    assert said(whole.conversations[0])[0] == ("system", "Be brief.")
    assert len(whole.conversations[0].messages) == 3
    assert len(whole.records) == 2


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        ((), "no user message"),
        ((replies("a", None),), "no user message"),
        ((asks("a"),), "no reply"),
        ((asks("a"), replies("b", "a", " ")), "no reply"),
        (
            (asks("a"), replies("b", "a", failed="an error")),
            "no reply; 1 message left out: an error",
        ),
    ],
)
def test_a_conversation_without_both_sides_is_refused(
    messages: tuple[SourceMessage, ...], reason: str
) -> None:
    with pytest.raises(RowError) as raised:
        read(*messages)
    assert str(raised.value) == reason


def test_very_long_conversations_are_read() -> None:
    depth = 20_000
    turns = [
        (asks if index % 2 == 0 else replies)(str(index), str(index - 1) if index else None)
        for index in range(depth)
    ]
    assert len(read(*turns).conversations[0].messages) == depth
    alone = [asks(str(index), str(index - 1) if index else None) for index in range(depth)]
    (whole,) = read(*alone, replies("end", str(depth - 1))).conversations
    assert len(whole.messages) == 2
    assert len(whole.messages[0].content) > depth


_IDS = st.integers(0, 12).map(str)
_SAID = st.builds(
    SourceMessage,
    id=_IDS,
    parent=_IDS | st.none(),
    role=st.sampled_from(["system", "user", "assistant", None]),
    content=st.sampled_from(["", " ", "a", "b", "long"]),
    created=st.none() | st.datetimes(timezones=st.just(UTC)),
    stopped=st.booleans(),
    thumb=st.none() | st.sampled_from([UP, DOWN]),
    lacks=st.sampled_from(["", "", "", "an image"]),
    failed=st.sampled_from(["", "", "", "an error"]),
)


@given(st.lists(_SAID, max_size=20), st.none() | _IDS, st.sampled_from(["", "Be brief."]))
def test_any_tree_makes_a_sound_chat(
    messages: list[SourceMessage], current: str | None, system: str
) -> None:
    try:
        whole = read_tree(source(current=current, system=system), messages)
    except RowError:
        return
    check(whole)
    again = read_tree(source(current=current, system=system), messages)
    assert [m.id for m in again.conversations[0].messages] == [
        m.id for m in whole.conversations[0].messages
    ]


@given(st.dictionaries(_IDS, _IDS | st.none()), st.none() | _IDS)
def test_order_is_parents_first_and_the_current_way_last(
    parents: dict[str, str | None], current: str | None
) -> None:
    order = ordered(parents, current)
    place = {one: index for index, one in enumerate(order)}
    assert len(place) == len(order)
    for one in order:
        parent = parents[one]
        assert parent not in parents or place[parent] < place[one]
    for one in parents.keys() - place.keys():
        assert parents[one] in parents.keys() - place.keys(), "only circles are left out"
    if current in place:
        way, at = set(), order[-1]
        while at is not None and at in place:
            way.add(at)
            at = parents[at]  # type: ignore[assignment]
        assert current in way
