"""ChatGPT's export: what was said, without what is there for the program alone."""

from typing import Any

import pytest

from data.chat_exports.chatgpt import CHATGPT
from data.formats.common import RowError
from tests.data.chat_exports.checks import chat, read, said


def node(
    identity: str, parent: str | None, role: str | None = None, text: str = "", **more: Any
) -> dict[str, Any]:
    message = role and {
        "author": {"role": role},
        "content": {"content_type": "text", "parts": [text]},
        "metadata": {},
        "recipient": "all",
        "weight": 1.0,
        **more,
    }
    return {"id": identity, "parent": parent, "message": message}


def row(*nodes: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "mapping": {one["id"]: one for one in nodes},
        "conversation_id": "c1",
        "title": "T",
        "default_model_slug": "gpt-4",
        **more,
    }


ROOT, ASKED = node("r", None), node("u", "r", "user", "hi")
HIDDEN = {"is_visually_hidden_from_conversation": True}


def test_a_conversation_is_read() -> None:
    reply = node("a", "u", "assistant", "yo", metadata={"model_slug": "o3"}, create_time=1700000000)
    whole = chat(CHATGPT, row(ROOT, ASKED, reply))
    assert said(whole) == [("user", "hi"), ("assistant", "yo")]
    assert whole.messages[-1].origin
    assert whole.messages[-1].origin.model == "o3"
    assert whole.messages[-1].created.timestamp() == 1700000000
    assert whole.conversation.title == "T"


def test_the_path_is_that_of_the_current_node() -> None:
    nodes = (ROOT, ASKED, node("a", "u", "assistant", "1"), node("b", "u", "assistant", "2"))
    for current, content in (("a", "1"), ("b", "2")):
        whole = chat(CHATGPT, row(*nodes, current_node=current))
        assert said(whole)[-1] == ("assistant", content)
        assert len(whole.messages) == 3


@pytest.mark.parametrize(
    "unsaid",
    [
        node("x", "u", "system", "You are ChatGPT", metadata=HIDDEN),
        node("x", "u", "user", "secret", weight=0),
        node("x", "u", "assistant", content={"content_type": "thoughts", "thoughts": []}),
        node("x", "u", "user", content={"content_type": "user_editable_context"}),
        node("x", "u"),
    ],
)
def test_what_was_never_said_is_passed_over(unsaid: dict[str, Any]) -> None:
    found = read(CHATGPT, row(ROOT, ASKED, unsaid, node("a", "x", "assistant", "yo")))
    assert said(found.conversations[0]) == [("user", "hi"), ("assistant", "yo")]
    assert not found.refused
    assert not found.incomplete


@pytest.mark.parametrize(
    ("lacking", "reason"),
    [
        (node("x", "u", "tool", "result", weight=0), "1 message left out: tool output"),
        (node("x", "u", "assistant", "search()", recipient="browser"),
         "1 message left out: a tool call"),
        (node("x", "u", "assistant", content={"content_type": "code", "text": "1+1"}),
         "1 message left out: a tool call"),
        (node("x", "u", "user", content={"content_type": "multimodal_text", "parts": [{}]}),
         "1 message left out: an image or a file"),
        (node("x", "u", "critic", "no"), "1 message left out: it has no known role"),
        (node("x", "u", "user", content={"content_type": "hologram"}),
         "1 message left out: a part that is not text"),
    ],
)  # fmt: skip
def test_a_reply_after_something_left_out_is_incomplete(
    lacking: dict[str, Any], reason: str
) -> None:
    found = read(CHATGPT, row(ROOT, ASKED, lacking, node("a", "x", "assistant", "yo")))
    assert said(found.conversations[0]) == [("user", "hi"), ("assistant", "yo")]
    assert found.refused == (reason,)
    assert found.incomplete == {found.conversations[0].messages[-1].id}


def test_the_text_beside_an_image_is_kept() -> None:
    parts = [{"content_type": "image_asset_pointer"}, "What is this?"]
    asked = node("u", "r", "user", content={"content_type": "multimodal_text", "parts": parts})
    found = read(CHATGPT, row(ROOT, asked, node("a", "u", "assistant", "A cat.")))
    assert said(found.conversations[0])[0] == ("user", "What is this?")
    assert len(found.incomplete) == 1


@pytest.mark.parametrize("whole", [True, False])
def test_spoken_words_are_what_was_understood_of_them(whole: bool) -> None:
    parts: list[dict[str, Any]] = [
        {"content_type": "audio_transcription", "text": "Good morning", "direction": "in"},
        {"content_type": "audio_asset_pointer"},
    ]
    spoken = {"content_type": "multimodal_text", "parts": parts if whole else parts[1:]}
    asked = node("x", "u", "user", content=spoken)
    found = read(CHATGPT, row(ROOT, ASKED, asked, node("a", "x", "assistant", "yo")))
    expected = "hi\n\nGood morning" if whole else "hi"
    assert said(found.conversations[0]) == [("user", expected), ("assistant", "yo")]
    assert bool(found.incomplete) is not whole


@pytest.mark.parametrize(
    ("text", "kept", "whole"),
    [
        ("It is so【6†source】【7:3†a.pdf】.", "It is so.", False),
        ("So \ue200cite\ue202turn0search1\ue202turn0search2\ue201it is.", "So it is.", False),
        ('In \ue200entity\ue202["city","Paris","capital"]\ue201 now', "In Paris now", True),
        ("【注意】请看", "【注意】请看", True),
    ],
)
def test_marks_of_tools_are_cut_out_of_replies(text: str, kept: str, whole: bool) -> None:
    found = read(CHATGPT, row(ROOT, ASKED, node("a", "u", "assistant", text)))
    assert said(found.conversations[0])[-1] == ("assistant", kept)
    assert bool(found.incomplete) is not whole


@pytest.mark.parametrize(
    ("about", "stopped"),
    [
        ({"status": "finished_successfully"}, False),
        ({"status": "in_progress"}, True),
        ({"status": "finished_partial_completion"}, True),
        ({"metadata": {"finish_details": {"type": "interrupted"}}}, True),
        ({"metadata": {"finish_details": {"type": "stop"}}}, False),
    ],
)
def test_a_reply_that_was_cut_off_is_stopped(about: dict[str, Any], stopped: bool) -> None:
    whole = chat(CHATGPT, row(ROOT, ASKED, node("a", "u", "assistant", "yo", **about)))
    origin = whole.messages[-1].origin
    assert origin
    assert origin.stopped is stopped


@pytest.mark.parametrize("mapping", [None, [], "x"])
def test_a_conversation_without_a_mapping_is_refused(mapping: object) -> None:
    with pytest.raises(RowError, match="no mapping of messages"):
        read(CHATGPT, {**row(), "mapping": mapping})
    broken = row()
    del broken["mapping"]
    with pytest.raises(RowError, match="no mapping of messages"):
        read(CHATGPT, broken)
