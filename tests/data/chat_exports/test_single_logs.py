"""Exports of one conversation or account: messages by lines, Claude, LM Studio, AI Studio."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from data.imports import Imported, read_file


def read(path: Path, content: Any) -> Imported:
    path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return read_file(path)


def said(found: Imported) -> list[list[tuple[str, str]]]:
    return [[(one.role, one.content) for one in chat.messages] for chat in found.conversations]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "chat.json"


LINES: list[dict[str, Any]] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "Hello!", "reasoning_content": "Hm.", "model": "m"},
]
TOLD = [("system", "Be brief."), ("user", "Hi"), ("assistant", "Hello!")]


def lines(*rows: object) -> str:
    return "\n".join(map(json.dumps, rows))


def test_one_message_a_line_is_one_conversation(path: Path) -> None:
    found = read(path, lines(*LINES))
    assert (found.format, found.refused, found.thoughts) == ("message-lines", (), 1)
    assert said(found) == [TOLD]
    reply = found.conversations[0].messages[-1]
    assert reply.origin
    assert reply.origin.model == "m"


def test_each_header_begins_a_conversation(path: Path) -> None:
    header = {"type": "session", "id": "s1", "name": "Greeting"}
    found = read(path, lines(header, *LINES, {**header, "id": "s2", "name": ""}, *LINES))
    assert said(found) == [TOLD, TOLD]
    assert [chat.conversation.title for chat in found.conversations] == ["Greeting", "Hi"]


def test_an_array_and_messages_with_their_ids_are_read_too(path: Path) -> None:
    assert said(read(path, LINES)) == [TOLD]
    wrapped = [{"type": "message", "id": "x", "message": one} for one in LINES]
    assert said(read(path, lines({"type": "session"}, *wrapped))) == [TOLD]


def test_a_zip_of_such_files_has_a_conversation_each(tmp_path: Path) -> None:
    path = tmp_path / "all.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.jsonl", lines({"type": "session", "id": "a"}, *LINES))
        archive.writestr("b.jsonl", lines({"type": "session", "id": "b"}, *LINES[1:]))
    assert said(read_file(path)) == [TOLD, TOLD[1:]]


def test_the_tree_of_the_older_export_is_read(path: Path) -> None:
    def node(name: str, parent: str | None, role: str, text: str) -> dict[str, Any]:
        return {"id": name, "parent": parent, "role": role, "content": text, "type": "text"}

    messages = [
        {**node("r", None, "system", ""), "type": "root"},
        node("a", "r", "user", "Hi"),
        node("b", "a", "assistant", "No"),
        node("c", "a", "assistant", "Hello!"),
    ]
    found = read(path, [{"conv": {"id": "k", "name": "t", "currNode": "c"}, "messages": messages}])
    assert said(found) == [[("user", "Hi"), ("assistant", "No"), ("assistant", "Hello!")]]


def test_rows_of_another_format_after_messages_are_read(path: Path) -> None:
    found = read(path, lines(*LINES, {"prompt": "hi", "completion": "yo"}, {"text": "?"}))
    assert len(found.conversations) == len(found.records) == found.lost == 1


def test_messages_without_a_reply_are_refused(path: Path) -> None:
    found = read(path, lines(*LINES[:2]))
    assert not found.useful
    assert found.refused[0].reason == "no reply"


def test_claude_is_read_without_thoughts(path: Path) -> None:
    chat = {
        "uuid": "k1",
        "name": "Greeting",
        "created_at": "2026-01-02T03:04:05Z",
        "chat_messages": [
            {"uuid": "m1", "sender": "human", "text": "Name a colour"},
            {
                "uuid": "m2",
                "sender": "assistant",
                "text": "",
                "content": [
                    {"type": "thinking", "thinking": "x"},
                    {"type": "text", "text": "Blue"},
                ],
            },
        ],
    }
    found = read(path, [chat, {**chat, "uuid": "k2", "chat_messages": []}])
    assert said(found) == [[("user", "Name a colour"), ("assistant", "Blue")]]
    assert (found.format, found.thoughts, found.lost) == ("claude", 1, 1)
    assert found.conversations[0].conversation.title == "Greeting"


def test_lm_studio_is_read_in_its_selected_versions(path: Path) -> None:
    def reply(text: str) -> dict[str, Any]:
        thinks = {"type": "contentBlock", "style": {"type": "thinking"}, "content": [
            {"type": "text", "text": "Hm."}]}  # fmt: skip
        says = {"type": "contentBlock", "content": [{"type": "text", "text": text}]}
        return {
            "type": "multiStep",
            "role": "assistant",
            "senderInfo": {"senderName": "qwen"},
            "steps": [thinks, says, {"type": "debugInfoBlock"}],
        }

    asked = {"type": "singleStep", "role": "user", "content": [{"type": "text", "text": "Hi"}]}
    found = read(
        path,
        {
            "name": "Greeting",
            "createdAt": 1735787045000,
            "systemPrompt": "Be brief.",
            "messages": [
                {"versions": [asked], "currentlySelected": 0},
                {"versions": [reply("No"), reply("Hello!")], "currentlySelected": 1},
            ],
        },
    )
    assert said(found) == [TOLD]
    assert (found.format, found.thoughts, found.refused) == ("lmstudio", 1, ())


def test_ai_studio_is_read_without_thoughts(path: Path) -> None:
    chunks = [
        {"role": "user", "text": "Hi"},
        {"role": "model", "text": "Hm.", "isThought": True},
        {"role": "model", "text": "Hello!", "finishReason": "STOP"},
    ]
    prompt = {
        "runSettings": {"model": "models/gemini-2.5-pro"},
        "systemInstruction": {"text": "Be brief."},
        "chunkedPrompt": {"chunks": chunks, "pendingInputs": []},
    }
    found = read(path, prompt)
    assert said(found) == [TOLD]
    assert (found.format, found.thoughts, found.refused) == ("aistudio", 1, ())
