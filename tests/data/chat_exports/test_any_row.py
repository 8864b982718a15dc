"""Whatever is in a row, a reader gives sound chats and records, or says why not."""

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.chat_exports import CHATS, join
from data.formats.common import Format, RowError
from tests.data.chat_exports import test_chatgpt as chatgpt
from tests.data.chat_exports import test_librechat as librechat
from tests.data.chat_exports import test_openassistant as openassistant
from tests.data.chat_exports import test_openwebui as openwebui
from tests.data.chat_exports.checks import ORIGIN, check, check_chat
from tests.data.chat_exports.test_flat_logs import A, U, turn

WHOLE: dict[str, dict[str, Any]] = {
    "openwebui": openwebui.annotated(rating=1, reason="other", comment="ok"),
    "openwebui-feedback": openwebui.feedback(openwebui._SHAPES[0]),
    "chatgpt": chatgpt.row(
        chatgpt.ROOT,
        chatgpt.ASKED,
        chatgpt.node("a", "u", "assistant", "yo【1†x】", metadata={"finish_details": {}}),
        current_node="a",
    ),
    "librechat": librechat.row(
        librechat.message("u1", None, createdAt="2024-05-28T18:08:55Z", children=[]),
        librechat.message("a1", "u1", content=[{"type": "text", "text": "yo"}], files=[],
                          feedback={"rating": "thumbsDown", "tag": {"key": "other"}}),
        options={"model": "m", "promptPrefix": "s"},
    ),
    "chatbotui": {"version": 4, "history": [{"id": "1", "name": "n", "messages": [U, A],
                                             "model": {"id": "m"}, "prompt": "s"}]},
    "llm": turn("1", system="s", prompt_fragments=[{"content": "f"}], attachments=[]),
    "openassistant": openassistant.row(
        openassistant.asked("hi", openassistant.reply("a", 0, **openassistant.thumbs(1)),
                            openassistant.reply("b", 1, replies=[openassistant.asked("q")]))
    ),
    "claude": {"uuid": "k", "name": "n", "created_at": "2026-01-02T03:04:05Z", "chat_messages": [
        {"uuid": "m1", "sender": "human", "text": "hi"},
        {"uuid": "m2", "sender": "assistant", "text": "", "content": [
            {"type": "thinking", "thinking": "x"}, {"type": "text", "text": "yo"}]},
    ]},
    "lmstudio": {"name": "n", "createdAt": 1735787045000, "systemPrompt": "s", "messages": [
        {"versions": [{"type": "singleStep", "role": "user",
                       "content": [{"type": "text", "text": "hi"}]}], "currentlySelected": 0},
        {"versions": [{"type": "multiStep", "role": "assistant", "senderInfo": {"senderName": "m"},
                       "steps": [{"type": "contentBlock",
                                  "content": [{"type": "text", "text": "yo"}]}]}],
         "currentlySelected": 0},
    ]},
    "aistudio": {"runSettings": {"model": "m"}, "chunkedPrompt": {"chunks": [
        {"role": "user", "text": "hi"}, {"role": "model", "text": "x", "isThought": True},
        {"role": "model", "text": "yo"},
    ]}},
    "message-lines": {"conv": {"id": "k", "name": "t", "currNode": "b"}, "messages": [
        {"id": "a", "parent": None, "role": "user", "content": "hi", "type": "text"},
        {"id": "b", "parent": "a", "role": "assistant", "content": "yo", "type": "text"},
    ]},
}  # fmt: skip
"""A sound row of each format."""

_ODD = (
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats()
    | st.sampled_from([10**400, -1, 0, 1e308, "", "\ud800", "\x00", "u1", "a1", "1", "<details>"])
    | st.text(st.characters(codec=None, exclude_categories=()), max_size=4)
)
_JUNK = st.recursive(
    _ODD,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)


def _places(value: Any, found: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """Every container in a row with each key in it."""
    keys = value.keys() if isinstance(value, dict) else range(len(value))
    for key in list(keys):
        found.append((value, key))
        if isinstance(value[key], dict | list):
            _places(value[key], found)
    return found


@st.composite
def _spoiled(draw: st.DrawFn, whole: dict[str, Any]) -> dict[str, Any]:
    """A sound row in which a few things are anything, missing, or from another place."""
    row = copy.deepcopy(whole)
    for _ in range(draw(st.integers(1, 4))):
        places = _places(row, [])
        if not places:
            break
        container, key = draw(st.sampled_from(places))
        act = draw(st.sampled_from(["junk", "drop", "swap"]))
        if act == "drop":
            del container[key]
        elif act == "swap":
            other, other_key = draw(st.sampled_from(places))
            container[key] = copy.deepcopy(other[other_key])
        else:
            container[key] = draw(_JUNK)
    return row


def _read(form: Format, row: dict[str, Any]) -> None:
    try:
        found = form.read(row, ORIGIN)
    except RowError:
        return
    check(found)
    for whole in join([*found.conversations, *found.conversations]):
        check_chat(whole)


@pytest.mark.parametrize("form", CHATS, ids=lambda form: form.name)
def test_a_sound_row_is_of_one_format_and_gives_something(form: Format) -> None:
    row = WHOLE[form.name]
    assert [known.name for known in CHATS if known.matches(row)] == [form.name]
    found = form.read(row, ORIGIN)
    check(found)
    assert found.records or found.conversations


@settings(max_examples=settings().max_examples * 4)
@given(st.sampled_from(sorted(WHOLE)).flatmap(lambda name: _spoiled(WHOLE[name])))
def test_a_spoiled_row_is_read_or_refused(row: dict[str, Any]) -> None:
    for form in CHATS:
        if form.matches(row):
            _read(form, row)


_KEYS = sorted(
    {key for row in WHOLE.values() for one, key in _places(copy.deepcopy(row), [])
     if isinstance(one, dict)}
)  # fmt: skip
_WILD = st.recursive(
    _ODD | st.sampled_from(["user", "assistant", "text", "hi", "all"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(_KEYS) | st.text(max_size=2), inner, max_size=5)
    ),
    max_leaves=20,
)


@settings(max_examples=settings().max_examples * 3)
@given(st.dictionaries(st.sampled_from(_KEYS), _WILD, max_size=8))
def test_any_object_of_known_keys_is_read_or_refused(row: dict[str, Any]) -> None:
    for form in CHATS:
        if form.matches(row):
            _read(form, row)
