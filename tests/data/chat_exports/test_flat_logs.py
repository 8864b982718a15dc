"""Chatbot UI and `llm`: programs that keep plain lists of what was said; and joining."""

from typing import Any

import pytest

from data.chat_exports import join
from data.chat_exports.chatbotui import CHATBOTUI
from data.chat_exports.llm import LLM
from data.chat_exports.openwebui import OPENWEBUI
from data.formats.common import RowError
from store.records import ImportedConversation
from tests.data.chat_exports.checks import chat, check_chat, read, said
from tests.data.chat_exports.test_openwebui import message
from tests.data.chat_exports.test_openwebui import row as webui_row

U, A = {"role": "user", "content": "hi"}, {"role": "assistant", "content": "yo"}


def test_chatbotui_holds_many_conversations_and_one_bad_one_loses_no_other() -> None:
    good = {"id": "1", "name": "One", "messages": [U, A], "prompt": "Be brief."}
    found = read(CHATBOTUI, {
        "version": 4,
        "history": [
            dict(good, model={"id": "m"}), dict(good, id="2", messages=[U]), 3,
            dict(good, id="4", messages=[U, {"role": "tool", "content": "x"}, A]),
        ],
    })  # fmt: skip
    assert [said(one) for one in found.conversations] == [
        [("system", "Be brief."), ("user", "hi"), ("assistant", "yo")]
    ] * 2
    assert found.conversations[0].conversation.title == "One"
    assert found.conversations[0].messages[-1].origin
    assert found.conversations[0].messages[-1].origin.model == "m"
    assert found.refused == (
        "conversation 2: no reply",
        "conversation 3: no user message",
        "conversation 4: 1 message left out: it has no known role",
    )
    assert found.incomplete == {found.conversations[1].messages[-1].id}


@pytest.mark.parametrize(
    ("history", "reason"),
    [([], "there is no conversation in it"), ([{}], "conversation 1: no user message")],
)
def test_chatbotui_without_a_conversation_is_refused(history: list[Any], reason: str) -> None:
    with pytest.raises(RowError) as raised:
        read(CHATBOTUI, {"version": 4, "history": history})
    assert str(raised.value) == reason


def turn(identity: str, prompt: str = "hi", minute: int = 0, **more: Any) -> dict[str, Any]:
    return {
        "id": identity,
        "conversation_id": "c",
        "conversation_name": "T",
        "model": "m",
        "prompt": prompt,
        "system": None,
        "response": f"re: {prompt}",
        "datetime_utc": f"2025-02-16T22:{minute:02}:30.374882+00:00",
        **more,
    }


def turns(*rows: dict[str, Any]) -> ImportedConversation:
    (whole,) = join([chat(LLM, one) for one in rows])
    check_chat(whole)
    return whole


def test_a_row_of_llm_is_one_turn() -> None:
    whole = chat(LLM, turn("1", system="Be brief.", resolved_model="m-2"))
    assert said(whole) == [("system", "Be brief."), ("user", "hi"), ("assistant", "re: hi")]
    assert whole.conversation.title == "T"
    assert whole.messages[-1].origin
    assert whole.messages[-1].origin.model == "m-2"


def test_the_rows_of_a_conversation_follow_one_another_in_time() -> None:
    first, second, third = (turn(str(n), f"q{n}", n, system="Be brief.") for n in range(3))
    whole = turns(second, third, first)
    assert said(whole) == [
        ("system", "Be brief."), ("user", "q0"), ("assistant", "re: q0"), ("user", "q1"),
        ("assistant", "re: q1"), ("user", "q2"), ("assistant", "re: q2"),
    ]  # fmt: skip
    assert whole.conversation.created.minute == 0
    assert whole.conversation.updated.minute == 2


def test_the_same_row_twice_adds_nothing() -> None:
    assert turns(turn("1"), turn("1")) == chat(LLM, turn("1"))


def test_two_rows_of_one_id_that_differ_are_two_turns() -> None:
    assert len(turns(turn("1", "a"), turn("1", "b")).messages) == 4


def test_a_row_without_a_conversation_is_one_by_itself() -> None:
    first, second = (chat(LLM, turn(one, conversation_id=None)) for one in "12")
    assert first.conversation.id != second.conversation.id


@pytest.mark.parametrize(
    ("about", "reason"),
    [
        ({"attachments": [{}]}, "1 part left out: an image or a file"),
        ({"tool_results": [{}]}, "1 part left out: tool output"),
        ({"tool_calls": [{}]}, "1 part left out: a tool call"),
        ({"prompt_fragments": [{"content": "x" * 97 + "..."}]},
         "1 part left out: the rest of a fragment"),
    ],
)  # fmt: skip
def test_what_llm_does_not_print_makes_a_turn_incomplete(
    about: dict[str, Any], reason: str
) -> None:
    found = read(LLM, turn("1", **about))
    assert found.refused == (reason,)
    assert len(found.incomplete) == 1


def test_fragments_come_before_the_prompt() -> None:
    found = read(LLM, turn("1", prompt_fragments=[{"content": "A novel."}], system_fragments=[
        {"content": "Be brief."}]))  # fmt: skip
    assert said(found.conversations[0])[:2] == [("system", "Be brief."), ("user", "A novel.\nhi")]
    assert not found.incomplete


@pytest.mark.parametrize(("key", "reason"), [("prompt", "no user"), ("response", "no reply")])
def test_half_a_turn_is_refused(key: str, reason: str) -> None:
    with pytest.raises(RowError, match=reason):
        read(LLM, {**turn("1"), key: None})


def test_snapshots_of_a_chat_are_one_chat() -> None:
    first = webui_row(message("u1", None), message("a1", "u1"))
    later = webui_row(
        message("u1", None), message("a1", "u1", content="mended"), message("u0", None),
        message("a0", "u0"),
    )  # fmt: skip
    later["updated_at"] += 60
    (whole,) = join([chat(OPENWEBUI, later), chat(OPENWEBUI, first)])
    check_chat(whole)
    assert whole == chat(OPENWEBUI, later)
    assert said(whole) == [("user", "u0"), ("assistant", "a0")]


def test_an_older_snapshot_keeps_what_was_deleted_since() -> None:
    first = webui_row(message("u1", None), message("a1", "u1"), message("a2", "u1"))
    later = webui_row(message("u1", None), message("a1", "u1"))
    later["updated_at"] += 60
    (whole,) = join([chat(OPENWEBUI, first), chat(OPENWEBUI, later)])
    check_chat(whole)
    assert [m.content for m in whole.messages] == ["u1", "a2", "a1"]


def test_chats_of_different_conversations_stay_apart() -> None:
    given = [chat(LLM, turn(one, conversation_id=one)) for one in "ba"]
    assert join(given) == given
