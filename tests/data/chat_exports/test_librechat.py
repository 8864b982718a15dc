"""LibreChat's export: flat and nested, with options, thoughts, thumbs and errors."""

from typing import Any

import pytest

from data.chat_exports.librechat import LIBRECHAT
from data.formats.common import RowError
from store.records import Verdict
from tests.data.chat_exports.checks import ORIGIN, chat, read, said

NOBODY = "00000000-0000-0000-0000-000000000000"


def message(identity: str, parent: str | None, **more: Any) -> dict[str, Any]:
    return {
        "messageId": identity,
        "parentMessageId": parent,
        "isCreatedByUser": identity.startswith("u"),
        "text": identity,
        **more,
    }


def row(*messages: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"conversationId": "c", "title": "T", "messages": [*messages], **more}


def test_a_flat_list_names_its_parents() -> None:
    whole = chat(
        LIBRECHAT,
        row(
            message("u1", NOBODY, createdAt="2024-05-28T18:08:55.014Z"),
            message("a1", "u1", createdAt="2024-05-28T18:08:56Z", model="m"),
            message("a2", "u1", createdAt="2024-05-28T18:08:57Z", unfinished=True),
            options={"model": "usual", "promptPrefix": "Be brief."},
        ),
    )
    assert said(whole) == [("system", "Be brief."), ("user", "u1"), ("assistant", "a2")]
    origins = [m.origin for m in whole.messages if m.origin]
    assert [(o.model, o.stopped) for o in origins] == [("m", False), ("usual", True)]
    assert whole.conversation.created.isoformat() == "2024-05-28T18:08:55.014000+00:00"


@pytest.mark.parametrize("key", ["messages", "messagesTree"])
def test_a_nested_tree_is_the_same_conversation(key: str) -> None:
    flat = [
        message("u1", NOBODY, createdAt="2024-05-28T18:08:55Z"),
        *(message(one, parent) for one, parent in (("a1", "u1"), ("a2", "u1"), ("u2", "a2"))),
    ]
    tree = dict(flat[0], children=[flat[1], dict(flat[2], children=[flat[3]])])
    nested = {"conversationId": "c", "title": "T", "recursive": True, key: [tree]}
    assert chat(LIBRECHAT, nested) == chat(LIBRECHAT, row(*flat))


def test_very_deep_trees_are_read() -> None:
    deepest: dict[str, Any] = message("a0", None)
    for index in range(1, 3000):
        deepest = message(f"{'ua'[index % 2 == 0]}{index}", None, children=[deepest])
    assert len(chat(LIBRECHAT, row(deepest)).messages) == 3000


def test_parts_are_read_without_thoughts() -> None:
    parts = [
        {"type": "think", "think": "hm"},
        {"type": "text", "text": "one"},
        {"type": "text", "text": {"value": "two"}},
    ]
    found = read(LIBRECHAT, row(message("u1", None), message("a1", "u1", content=parts, text="")))
    assert said(found.conversations[0])[-1] == ("assistant", "one\n\ntwo")
    assert not found.refused
    old = message("a1", "u1", text=":::thinking\nhm\n:::\n\nyo")
    assert said(chat(LIBRECHAT, row(message("u1", None), old)))[-1] == ("assistant", "yo")


def test_hostile_text_takes_no_time() -> None:
    for text in (":::thinking\n" * 80_000, ":::" + "\n" * 900_000 + "x"):
        given = row(message("u1", None), message("a1", "u1", text=text))
        assert said(chat(LIBRECHAT, given))[-1] == ("assistant", text)


@pytest.mark.parametrize(
    ("about", "reason"),
    [
        ({"content": [{"type": "tool_call", "tool_call": {}}, {"type": "text", "text": "yo"}]},
         "1 part left out: a tool call"),
        ({"attachments": [{}]}, "1 part left out: an image or a file"),
        ({"content": [{"type": "text", "text": "yo"}, 3]},
         "1 part left out: a part that is not text"),
    ],
)  # fmt: skip
def test_what_is_no_text_makes_a_reply_incomplete(about: dict[str, Any], reason: str) -> None:
    found = read(LIBRECHAT, row(message("u1", None), message("a1", "u1", **about)))
    assert found.refused == (reason,)
    assert len(found.incomplete) == 1


@pytest.mark.parametrize("about", [{"error": True}, {"content": [{"type": "error"}]}])
def test_an_error_is_no_reply(about: dict[str, Any]) -> None:
    found = read(
        LIBRECHAT,
        row(message("u1", None), message("a1", "u1", **about), message("a2", "u1")),
    )
    assert [m.content for m in found.conversations[0].messages] == ["u1", "a2"]
    assert found.refused == ("1 message left out: an error",)


@pytest.mark.parametrize(
    ("feedback", "label", "reasons", "comment"),
    [
        ({"rating": "thumbsUp", "tag": "accurate_reliable"}, True, (), "accurate reliable"),
        ({"rating": "thumbsDown", "tag": {"key": "not_matched"}, "text": "no"}, False,
         ("ignored the instruction",), "no"),
        ({"rating": "thumbsDown", "tag": "missing_image"}, False, (), "missing image"),
        ({"rating": "thumbsDown"}, False, (), ""),
    ],
)  # fmt: skip
def test_thumbs_become_verdicts(
    feedback: dict[str, Any], label: bool, reasons: tuple[str, ...], comment: str
) -> None:
    found = read(LIBRECHAT, row(message("u1", None), message("a1", "u1", feedback=feedback)))
    verdict = found.records[0]
    assert isinstance(verdict, Verdict)
    assert (verdict.label, verdict.reasons, verdict.comment) == (label, reasons, comment)
    assert len(found.records) == (2 if label else 1)


def test_a_conversation_without_messages_is_refused() -> None:
    with pytest.raises(RowError, match="the conversation has no messages"):
        LIBRECHAT.read({"messagesTree": []}, ORIGIN)
