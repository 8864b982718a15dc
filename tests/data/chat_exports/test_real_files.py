"""Files that the programs themselves wrote."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from data.chat_exports import CHATS, join
from data.formats.common import RowError
from tests.data.chat_exports.checks import ORIGIN, check, check_chat, said

DATA = Path(__file__).parents[4] / "shared" / "data"
LIBRECHAT = "librechat-import-fixtures"

pytestmark = pytest.mark.skipif(not DATA.exists(), reason="the sample files are not here")


def _rows(name: str) -> list[dict[str, Any]]:
    content = (DATA / name).read_text(encoding="utf-8-sig")
    if name.endswith(".jsonl"):
        return [json.loads(line) for line in content.splitlines()]
    whole = json.loads(content)
    return whole if isinstance(whole, list) else [whole]


@pytest.mark.parametrize(
    ("name", "form", "messages", "incomplete", "records", "refused"),
    [
        (f"{LIBRECHAT}/chatbotui-export.json", "chatbotui", [5, 3], 0, {}, []),
        (f"{LIBRECHAT}/chatgpt-citations.json", "chatgpt", [], 0, {}, ["no user message"]),
        (f"{LIBRECHAT}/chatgpt-export.json", "chatgpt", [6, 4], 3, {}, []),
        (f"{LIBRECHAT}/chatgpt-tree.json", "chatgpt", [11], 0, {}, []),
        (f"{LIBRECHAT}/librechat-export.json", "librechat", [6], 0, {}, []),
        (f"{LIBRECHAT}/librechat-linear.json", "librechat", [2], 0, {}, []),
        (f"{LIBRECHAT}/librechat-opts-nonr-branches.json", "librechat", [5], 0, {}, []),
        (f"{LIBRECHAT}/librechat-tree.json", "librechat", [10], 0, {}, []),
        ("open-webui-export/openwebui-export.json", "openwebui", [2, 2, 2], 1, {}, []),
        ("open-webui-feedback/feedback_example.derived.json", "openwebui-feedback", [], 0, {},
         ["the snapshot of the chat is empty"]),
        ("llm-logs/llm_logs_example.derived.json", "llm", [4], 0, {}, []),
        ("open-assistant/en_100_tree.jsonl", "openassistant", [], 0,
         {"verdict": 430, "instruction": 334, "preference": 429}, []),
    ],
)  # fmt: skip
def test_a_file_of_each_program_is_read(
    name: str,
    form: str,
    messages: list[int],
    incomplete: int,
    records: dict[str, int],
    refused: list[str],
) -> None:
    found, reasons = [], []
    for row in _rows(name):
        (known,) = [known for known in CHATS if known.matches(row)]
        assert known.name == form
        try:
            found.append(known.read(row, ORIGIN))
        except RowError as error:
            reasons.append(str(error).split(";")[0])
        else:
            check(found[-1])
    chats = join([chat for one in found for chat in one.conversations])
    for chat in chats:
        check_chat(chat)
    assert [len(chat.messages) for chat in chats] == messages
    assert sum(len(one.incomplete) for one in found) == incomplete
    assert Counter(record.kind for one in found for record in one.records) == records
    assert reasons == refused


def test_what_is_said_in_the_exports_of_open_webui() -> None:
    chats = [
        chat
        for row in _rows("open-webui-export/openwebui-export.json")
        for known in CHATS
        if known.matches(row)
        for chat in known.read(row, ORIGIN).conversations
    ]
    assert [said(chat)[-1][1] for chat in chats] == [
        "255",
        "The weather in Paris is 18C with rain.",
        "Hi there!",
    ]
