"""Open WebUI: chats as trees with annotations, and feedback with a snapshot of its chat."""

from datetime import UTC, datetime
from typing import Any

import pytest

from data.chat_exports.openwebui import OPENWEBUI
from data.chat_exports.openwebui_feedback import OPENWEBUI_FEEDBACK
from data.formats.common import RowError
from store.records import Instruction, Verdict
from tests.data.chat_exports.checks import ORIGIN, chat, read, said


def message(identity: str, parent: str | None, **more: Any) -> dict[str, Any]:
    role = "user" if identity.startswith("u") else "assistant"
    return {"id": identity, "parentId": parent, "role": role, "content": identity, **more}


def history(*messages: dict[str, Any], current: str | None = None) -> dict[str, Any]:
    by_id = {one["id"]: one for one in messages}
    return {"messages": by_id, "currentId": current or messages[-1]["id"]}


def row(*messages: dict[str, Any], **more: Any) -> dict[str, Any]:
    kept = {"title": "A chat", "history": history(*messages), **more}
    return {"id": "c1", "chat": kept, "created_at": 1700000000, "updated_at": 1700000100}


def annotated(**annotation: Any) -> dict[str, Any]:
    return row(message("u1", None), message("a1", "u1", annotation=annotation, model="m"))


def test_a_chat_is_read_with_its_times_and_its_model() -> None:
    given = row(
        message("u1", None, timestamp=1700000001),
        message("a1", "u1", timestamp=1700000002000, model="m", done=False),
        params={"system": "Be brief."},
    )
    whole = chat(OPENWEBUI, given)
    assert said(whole) == [("system", "Be brief."), ("user", "u1"), ("assistant", "a1")]
    assert whole.conversation.title == "A chat"
    assert whole.conversation.created == datetime.fromtimestamp(1700000000, UTC)
    assert whole.conversation.updated == datetime.fromtimestamp(1700000100, UTC)
    last = whole.messages[-1]
    assert last.created == datetime.fromtimestamp(1700000002, UTC)
    assert last.origin
    assert (last.origin.model, last.origin.stopped) == ("m", True)


def test_siblings_live_side_by_side() -> None:
    given = row(message("u1", None), message("a1", "u1"), message("a2", "u1"))
    given["chat"]["history"]["currentId"] = "a1"
    whole = chat(OPENWEBUI, given)
    assert [m.content for m in whole.messages] == ["u1", "a2", "a1"]
    assert whole.messages[1].parent_id == whole.messages[2].parent_id


@pytest.mark.parametrize("rating", [1, "1"])
def test_an_annotation_up_is_a_verdict_and_an_instruction(rating: object) -> None:
    found = read(OPENWEBUI, annotated(rating=rating, reason="accurate_information", comment="ok"))
    verdict, instruction = found.records
    assert isinstance(verdict, Verdict)
    assert isinstance(instruction, Instruction)
    assert (verdict.label, verdict.reasons) == (True, ())
    assert verdict.comment == "accurate information; ok"


@pytest.mark.parametrize(
    ("reason", "reasons", "comment"),
    [
        ("not_factually_correct", ("wrong",), ""),
        ("didnt_fully_follow_instructions", ("ignored the instruction",), ""),
        ("Didn't fully follow instructions", ("ignored the instruction",), ""),
        ("too_verbose, dont_like_the_style", ("style",), ""),
        ("being_lazy", ("not helpful",), ""),
        ("other", ("other",), ""),
        ("asked_for_a_song", (), "asked for a song"),
        (None, (), ""),
        (7, (), ""),
    ],
)
def test_reasons_are_told_in_our_words(
    reason: object, reasons: tuple[str, ...], comment: str
) -> None:
    (verdict,) = read(OPENWEBUI, annotated(rating=-1, reason=reason)).records
    assert isinstance(verdict, Verdict)
    assert (verdict.label, verdict.reasons, verdict.comment) == (False, reasons, comment)


@pytest.mark.parametrize("rating", [None, 0, True, 2, "up", [1], {}])
def test_what_is_no_rating_judges_nothing(rating: object) -> None:
    assert read(OPENWEBUI, annotated(rating=rating)).records == ()


def details(kind: str, inside: str) -> str:
    return f'<details type="{kind}" done="true">\n<summary>…</summary>\n{inside}</details>'


@pytest.mark.parametrize(
    ("content", "spoken", "whole"),
    [
        (details("reasoning", "&gt; hm") + "\n255", "255", True),
        ("a " + details("reasoning", "x") + " b " + details("reasoning", "y"), "a  b", True),
        (details("tool_calls", "18C") + "It is warm.", "It is warm.", False),
        (details("code_interpreter", "1+1") + "2", "2", False),
        (details("reasoning", "<details><summary>s</summary>t</details>") + "255", "255", True),
        (details("reasoning", details("tool_calls", "t")) + "255", "255", True),
        ("<details><summary>More</summary>text</details>", None, True),
        ('<details type="reasoning">never closed', None, True),
        ("</details>255", None, True),
    ],
)
def test_folded_blocks_are_cut_out_of_replies(
    content: str, spoken: str | None, whole: bool
) -> None:
    given = row(
        message("u1", None),
        message("a1", "u1", content=content, annotation={"rating": 1}),
    )
    found = read(OPENWEBUI, given)
    assert found.conversations[0].messages[-1].content == (content if spoken is None else spoken)
    assert bool(found.incomplete) is not whole
    assert len(found.records) == (2 if whole else 0)


@pytest.mark.parametrize("tag", ["<details ", '<details type="x">', '<details type="x" '])
def test_hostile_text_takes_no_time(tag: str) -> None:
    content = tag * 50_000 + "y"
    given = row(message("u1", None), message("a1", "u1", content=content))
    assert said(chat(OPENWEBUI, given))[-1] == ("assistant", content)


def test_what_a_person_writes_is_left_as_it_is() -> None:
    content = details("reasoning", "mine") + " look"
    given = row(message("u1", None, content=content), message("a1", "u1"))
    assert said(chat(OPENWEBUI, given))[0] == ("user", content)


@pytest.mark.parametrize(
    ("asked", "reply", "reason"),
    [
        ({"files": [{"type": "image"}]}, {}, "1 part left out: an image or a file"),
        ({}, {"sources": [{}]}, "1 part left out: the sources it is based on"),
        ({}, {"output": [{"type": "function_call"}]}, "1 part left out: a tool call"),
        ({"content": [{"type": "text", "text": "See"}, {"type": "image_url"}]}, {},
         "1 part left out: an image or a file"),
    ],
)  # fmt: skip
def test_what_a_reply_draws_on_makes_it_incomplete(
    asked: dict[str, Any], reply: dict[str, Any], reason: str
) -> None:
    found = read(OPENWEBUI, row(message("u1", None, **asked), message("a1", "u1", **reply)))
    assert found.refused == (reason,)
    assert len(found.incomplete) == 1


def test_an_error_is_no_reply() -> None:
    given = row(
        message("u1", None), message("a1", "u1", error={"content": "500"}), message("a2", "u1")
    )
    found = read(OPENWEBUI, given)
    assert said(found.conversations[0]) == [("user", "u1"), ("assistant", "a2")]
    assert found.refused == ("1 message left out: an error",)


def test_a_list_of_messages_is_a_chat_without_branches() -> None:
    given = {"id": "c", "chat": {"messages": [{"role": "user", "content": "hi"},
                                              {"role": "assistant", "content": "yo"}]}}  # fmt: skip
    assert said(chat(OPENWEBUI, given)) == [("user", "hi"), ("assistant", "yo")]


def test_a_chat_alone_is_the_chat_in_its_wrapping() -> None:
    given = row(message("u1", None), message("a1", "u1"))
    alone = {"id": "c1", **given["chat"]}
    assert [m.id for m in chat(OPENWEBUI, alone).messages] == [
        m.id for m in chat(OPENWEBUI, given).messages
    ]


@pytest.mark.parametrize("messages", [None, {}, [], 3])
def test_a_chat_without_messages_is_refused(messages: object) -> None:
    with pytest.raises(RowError, match="the chat has no messages"):
        OPENWEBUI.read({"chat": {"history": {"messages": messages}}}, ORIGIN)


def feedback(snapshot: object, rated: str | None = "a1", **data: Any) -> dict[str, Any]:
    return {
        "id": "f1",
        "type": "rating",
        "data": {"rating": -1, "reason": "not_helpful", "comment": "too short", **data},
        "meta": {"chat_id": "c1", "message_id": rated},
        "snapshot": snapshot,
        "created_at": 1700000200,
    }


_TREE = history(message("u1", None), message("a1", "u1", feedbackId="f1"), message("u2", "a1"))
_SHAPES: list[dict[str, Any]] = [
    {"chat": {"id": "c1", "title": "A chat", "chat": {"history": _TREE}}},
    {"chat": {"id": "c1", "title": "A chat", "history": _TREE}},
    {"chat": {"id": "c1", "title": "A chat"}, "history": _TREE},
    {"history": {**_TREE, "messages": [*_TREE["messages"].values()]}},
]


@pytest.mark.parametrize("snapshot", _SHAPES)
def test_feedback_is_a_verdict_with_the_chat_it_was_given_in(snapshot: dict[str, Any]) -> None:
    found = read(OPENWEBUI_FEEDBACK, feedback(snapshot))
    (verdict,) = found.records
    assert isinstance(verdict, Verdict)
    assert (verdict.completion, verdict.reasons, verdict.comment) == (
        "a1", ("not helpful",), "too short"
    )  # fmt: skip
    assert verdict.created == datetime.fromtimestamp(1700000200, UTC)
    exported = chat(OPENWEBUI, row(*_TREE["messages"].values()))
    assert [m.id for m in found.conversations[0].messages] == [m.id for m in exported.messages]
    assert verdict.conversation_id == exported.conversation.id


def test_the_message_that_names_its_feedback_is_the_rated_one() -> None:
    (verdict,) = read(OPENWEBUI_FEEDBACK, feedback(_SHAPES[0], rated=None)).records
    assert isinstance(verdict, Verdict)
    assert verdict.completion == "a1"


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (feedback(_SHAPES[0], rating=0), "the rating is neither 1 nor -1"),
        (feedback(None), "the snapshot of the chat is empty"),
        (feedback({"history": {"messages": {}}}), "the snapshot of the chat is empty"),
        (feedback(_SHAPES[0], rated="gone"), "the rated message is not in the snapshot"),
    ],
)
def test_feedback_that_teaches_nothing_is_refused(given: dict[str, Any], reason: str) -> None:
    with pytest.raises(RowError) as raised:
        read(OPENWEBUI_FEEDBACK, given)
    assert str(raised.value) == reason


def test_only_the_rated_message_is_judged() -> None:
    tree = history(
        message("u1", None), message("a1", "u1"), message("a2", "u1", annotation={"rating": 1})
    )
    (verdict,) = read(OPENWEBUI_FEEDBACK, feedback({"history": tree})).records
    assert isinstance(verdict, Verdict)
    assert verdict.completion == "a1"
