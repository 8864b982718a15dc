"""Files from elsewhere: what is usable is taken, the rest is told line by line."""

import json
import re
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from data import imports
from data.imports import Imported, Refused, read_file
from store.errors import TuteeError
from store.records import Instruction, Preference

GOOD = '{"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yo"}]}'
PAIR = '{"prompt": "hi", "chosen": "yo", "rejected": "no"}'
SHARED = Path(__file__).parents[2].parent / "shared" / "data"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "rows.jsonl"


def reply(text: str) -> str:
    return GOOD.replace('"yo"', json.dumps(text, ensure_ascii=False))


def lines(found: Imported) -> list[int]:
    return sorted(line for refused in found.refused for line in refused.lines)


def completions(found: Imported) -> list[str]:
    return [record.completion for record in found.records if isinstance(record, Instruction)]


def test_good_rows_survive_bad_ones(path: Path) -> None:
    texts = [GOOD, "", "{", reply(" "), GOOD, "[1]", reply("a\u2028b"), '"\\ud83d"', "  "]
    path.write_text("\n".join(texts), encoding="utf-8")
    found = read_file(path)
    assert (found.path, found.name, found.format, found.rows) == (path, path.name, "messages", 7)
    assert completions(found) == ["yo", "a\u2028b"]
    assert all(record.origin.source == "import:rows.jsonl" for record in found.records)
    assert lines(found) == [3, 4, 5, 6, 8]
    assert found.refused[0].reason.startswith("not valid JSON")
    assert found.refused[1] == Refused((4,), "empty reply")
    assert found.refused[2] == Refused((5,), "duplicate of line 1")
    assert found.refused[3] == Refused((6, 8), "not a JSON object", rows=2)


def test_formats_may_be_mixed_and_the_name_chosen(path: Path) -> None:
    path.write_text(f"{GOOD}\n{PAIR}\n")
    found = read_file(path, name="mine")
    assert (found.format, found.name) == ("messages, trl", "mine")
    assert [type(record) for record in found.records] == [Instruction, Preference]
    assert {record.origin.source for record in found.records} == {"import:mine"}
    assert found.refused == ()


def test_one_format_can_be_asked_for(path: Path) -> None:
    path.write_text(f"{GOOD}\n{PAIR}\n")
    found = read_file(path, format="trl")
    assert len(found.records) == 1
    assert found.refused == (Refused((1,), "not in the format trl; its keys: messages"),)


def test_an_array_is_read_with_its_lines(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    rows = [json.loads(PAIR), json.loads(PAIR), {"text": "?"}]
    path.write_text(json.dumps(rows, indent=2))
    found = read_file(path)
    assert len(found.records) == 1
    assert lines(found) == [7, 12]
    assert found.refused[0].reason == "duplicate of line 2"


def test_a_table_is_read(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("question,answer,label\nhi,yo,👍\nhi,no,0\nhi,,1\nhi,yes,maybe\n")
    found = read_file(path)
    assert found.format == "csv"
    assert [getattr(record, "label", None) for record in found.records] == [True, False]
    assert found.refused == (
        Refused((4,), "empty reply"),
        Refused((5,), "label 'maybe' is not yes or no"),
    )


def test_part_of_a_row_may_be_refused(path: Path) -> None:
    turns = [{"role": role, "content": "hi"} for role in ("user", "assistant") * 2]
    path.write_text(f"{reply('hi')}\n{json.dumps({'messages': turns})}\n")
    found = read_file(path)
    assert completions(found) == ["hi", "hi"]
    assert found.refused == (Refused((2,), "instruction 1: duplicate of line 1", partly=True),)


def test_what_is_too_long_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "_LONGEST", 6)
    path.write_text("\n".join([reply("yoyo"), reply("yoyoy"), PAIR]))
    found = read_file(path)
    assert completions(found) == ["yoyo"]
    assert found.refused == (Refused((2,), "too long (7 characters)"),)


def test_in_an_archive_the_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "rows.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.json", "[3]")
        archive.writestr("b.json", GOOD)
    found = read_file(path)
    assert completions(found) == ["yo"]
    assert found.refused == (Refused((1,), "a.json: not a JSON object"),)


def test_a_file_of_no_use_tells_why_row_by_row(path: Path) -> None:
    path.write_text('{"text": "hello"}\nworld\n')
    found = read_file(path)
    assert not found.useful
    assert lines(found) == [1, 2]


@pytest.mark.parametrize(
    ("content", "reason"), [(b"", "is empty"), (b"[]", "no rows"), (b"prompt,answer\n", "no rows")]
)
def test_a_file_without_rows_is_a_clear_error(path: Path, content: bytes, reason: str) -> None:
    path.write_bytes(content)
    with pytest.raises(TuteeError, match=reason) as caught:
        read_file(path)
    assert str(path) in caught.value.title


def test_a_name_that_is_no_text_is_made_one(tmp_path: Path) -> None:
    path = tmp_path / b"\xff.jsonl".decode("utf-8", "surrogateescape")
    path.write_text(GOOD)
    (record,) = read_file(path).records
    assert record.origin.source == "import:?.jsonl"


# -- labels that are numbers -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "labels", "kept"),
    [
        ("label", [1, 0, 1], [True, False, True]),
        ("label", [1, -1], [True, False]),
        ("label", [1, 1], [True, True]),
        ("label", [0, 1, 2], []),
        ("label", [-1, 0, 1], []),
        ("label", ["1", "5", "3"], []),
        ("label", [1, 0.5], []),
        ("rating", [1, -1], [True, False]),
        ("rating", [1, 0], [True, False]),
        ("rating", [1, 1], []),
        ("rating", [1, 4, 5], []),
        ("thumb", [True, "no", 1], [True, False, True]),
    ],
)
def test_a_number_is_a_thumb_only_if_no_row_shows_otherwise(
    path: Path, key: str, labels: list[object], kept: list[bool]
) -> None:
    rows = [{"question": "hi", "answer": f"a{at}", key: label} for at, label in enumerate(labels)]
    path.write_text("\n".join(map(json.dumps, rows)))
    found = read_file(path)
    assert [getattr(record, "label", None) for record in found.records] == kept
    assert found.lost == len(labels) - len(kept)


def test_stars_in_a_table_are_no_thumbs(tmp_path: Path) -> None:
    path = tmp_path / "stars.csv"
    path.write_text("prompt,response,rating\nhi,awful,1\nhi,fine,5\n")
    found = read_file(path)
    assert found.records == ()
    assert {*lines(found)} == {2, 3}


# -- thoughts --------------------------------------------------------------------------------------

THOUGHTFUL: list[dict[str, Any]] = [
    {"messages": [{"role": "user", "content": "hi"},
                  {"role": "assistant", "content": "<think>\nHm.\n</think>\n\nyo"}]},
    {"messages": [{"role": "user", "content": "hi"},
                  {"role": "assistant", "content": "Hm.\n</think>\n\nyo"}]},
    {"messages": [{"role": "user", "content": "hi"},
                  {"role": "assistant", "content": "yo", "reasoning_content": "Hm."}]},
    {"messages": [{"role": "user", "content": "hi"},
                  {"role": "assistant", "content": "yo", "thinking": "Hm."}]},
    {"messages": [{"role": "user", "content": "hi"},
                  {"role": "assistant", "content": [{"type": "thinking", "thinking": "Hm."},
                                                    {"type": "text", "text": "yo"}]}]},
    {"conversations": [{"from": "human", "value": "hi"},
                       {"from": "gpt", "value": "<think>Hm.</think>yo"}]},
    {"instruction": "hi", "output": "<think>Hm.</think>yo"},
    {"prompt": "hi", "completion": "<think>Hm.</think>yo"},
    {"question": "hi", "answer": "yo", "reasoning": "Hm."},
    {"contents": [{"role": "user", "parts": [{"text": "hi"}]},
                  {"role": "model", "parts": [{"text": "Hm.", "thought": True}, {"text": "yo"}]}]},
]  # fmt: skip


@pytest.mark.parametrize("row", THOUGHTFUL)
def test_thoughts_are_no_part_of_a_reply(path: Path, row: dict[str, Any]) -> None:
    path.write_text(json.dumps(row))
    found = read_file(path)
    assert completions(found) == ["yo"]
    assert (found.thoughts, found.refused) == (1, ())


def test_thoughts_are_cut_from_both_sides_and_from_earlier_replies(path: Path) -> None:
    asked = [{"role": "user", "content": "hi"}]
    earlier = [*asked, {"role": "assistant", "content": "<think>Hm.</think>yo"}, *asked]
    path.write_text(
        json.dumps({"prompt": earlier, "chosen": "a</think>b", "rejected": "<think>c</think>\nd"})
    )
    (pair,) = read_file(path).records
    assert isinstance(pair, Preference)
    assert (pair.prompt[1].content, pair.chosen, pair.rejected) == ("yo", "b", "d")


def test_a_row_of_nothing_but_thoughts_is_refused(path: Path) -> None:
    rows = [
        reply("<think>Hm."),
        reply("<think>Hm.</think>\n"),
        reply("yo"),
        reply("`</think>` ends"),
    ]
    path.write_text("\n".join(rows))
    found = read_file(path)
    assert completions(found) == ["yo", "`</think>` ends"]
    assert found.thoughts == 0
    assert found.refused == (Refused((1, 2), "a reply is nothing but thoughts", rows=2),)


def test_thoughts_in_a_chat_are_left_out_of_it(path: Path) -> None:
    chat = webui(
        a=asked(None, "one"),
        b=replied("a", "<think>Hm.</think>\n\nuno", 1),
        c=asked("b", "two"),
        d=replied("c", "<think>Hm."),
        e=asked("d", "three"),
        f=replied("e", '<details type="reasoning">Hm.</details>\ntres'),
    )
    path.write_text(json.dumps(chat))
    found = read_file(path, learn=True)
    assert sorted(completions(found)) == ["tres", "uno"]
    assert found.thoughts == 1
    assert [one.reason for one in found.refused] == [
        "1 message left out: it is nothing but thoughts"
    ]
    (stored,) = found.conversations
    assert [m.content for m in stored.messages] == ["one", "uno", "two\n\nthree", "tres"]


# -- bounds ----------------------------------------------------------------------------------------


def test_no_more_rows_are_read_than_a_home_can_hold(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "_MOST_ROWS", 3)
    path.write_text("\n".join(reply(f"r{number}") for number in range(4)))
    found = read_file(path)
    assert completions(found) == ["r0", "r1", "r2"]
    assert found.unread
    path.write_text("\n".join(reply(f"r{number}") for number in range(3)))
    assert not read_file(path).unread


@pytest.mark.parametrize("content", ["[1" + ",1" * 1_999 + "]", "{}\n" * 2_000], ids=["1", "{}"])
def test_of_refused_rows_only_the_first_are_kept(path: Path, content: str) -> None:
    path.write_text(content)
    found = read_file(path)
    (refused,) = found.refused
    assert refused.rows == found.lost == found.rows == 2_000
    assert len(refused.lines) == imports._MOST_LINES


def test_a_file_of_nothing_useful_is_given_up(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "_MOST_USELESS", 3)
    path.write_text("{}\n" * 5)
    found = read_file(path)
    assert (found.rows, found.unread) == (3, True)


def test_many_reasons_are_told_in_few_lines(path: Path) -> None:
    path.write_text("\n".join(json.dumps({f"k{number}": 1}) for number in range(2_000)))
    found = read_file(path)
    assert found.lost == 2_000
    assert len(found.refused) == imports._MOST_REASONS + 1
    assert found.refused[-1].reason == "other reasons"
    assert found.refused[-1].rows == 1_500


# -- conversations -------------------------------------------------------------------------------


def webui(**nodes: dict[str, Any]) -> dict[str, Any]:
    """An Open WebUI chat; each node names its parent, and the last one is the current."""
    messages = {name: {"id": name, "timestamp": 1700000000, **node} for name, node in nodes.items()}
    history = {"messages": messages, "currentId": list(nodes)[-1]}
    return {"id": "c", "user_id": "u", "title": "t", "chat": {"history": history}}


def asked(parent: str | None, text: str) -> dict[str, Any]:
    return {"parentId": parent, "role": "user", "content": text}


def replied(parent: str, text: str, rating: int | None = None) -> dict[str, Any]:
    judged = {"annotation": {"rating": rating}} if rating else {}
    return {"parentId": parent, "role": "assistant", "content": text, "model": "m", **judged}


TREE = webui(
    a=asked(None, "one"),
    b=replied("a", "left behind"),
    c=replied("a", "uno"),
    d=asked("c", "two"),
    e=replied("d", "dos", -1),
    f=asked("e", "three"),
    g=replied("f", "tres", 1),
)


def test_a_chat_is_kept_and_only_what_was_judged_is_learned(path: Path) -> None:
    path.write_text(json.dumps([TREE, TREE]))
    found = read_file(path)
    (chat,) = found.conversations
    assert len(chat.messages) == 7
    assert found.useful
    assert completions(found) == ["tres"]
    assert Counter(record.kind for record in found.records) == {"instruction": 1, "verdict": 2}


def test_the_replies_of_a_chat_are_learned_where_that_is_asked_for(path: Path) -> None:
    path.write_text(json.dumps([TREE]))
    found = read_file(path, learn=True)
    assert sorted(completions(found)) == ["tres", "uno"]  # not the disliked, not the left behind
    uno = next(r for r in found.records if isinstance(r, Instruction) and r.completion == "uno")
    (chat,) = found.conversations
    assert uno.conversation_id == chat.conversation.id
    assert uno.message_id in {message.id for message in chat.messages}
    assert uno.origin.source == f"import:{path.name}"
    assert uno.origin.model == "m"
    assert [turn.content for turn in uno.prompt] == ["one"]


def test_what_is_cut_off_or_incomplete_is_never_learned(path: Path) -> None:
    image = {"type": "image_url", "image_url": {"url": "x"}}
    chat = webui(
        a=asked(None, "look") | {"content": [{"type": "text", "text": "look"}, image]},
        b=replied("a", "a cat"),
    )
    stopped = {
        "conversationId": "s",
        "messages": [
            {"messageId": "1", "parentMessageId": None, "isCreatedByUser": True, "text": "go"},
            {"messageId": "2", "parentMessageId": "1", "isCreatedByUser": False, "text": "I wi",
             "unfinished": True},
        ],
    }  # fmt: skip
    path.write_text(f"{json.dumps(chat)}\n{json.dumps(stopped)}")
    found = read_file(path, learn=True)
    assert len(found.conversations) == 2
    assert found.records == ()


# -- real files ----------------------------------------------------------------------------------


REAL = [
    ("FastChat/dummy_conversation.json", "sharegpt", {"instruction": 834}, 0, 166, "duplicate of"),
    ("PandaLM/testset-v1.json", "", {}, 0, 999, "a prompt but no reply"),
    ("librechat-import-fixtures/chatbotui-export.json", "chatbotui", {}, 2, 0, ""),
    ("librechat-import-fixtures/chatgpt-citations.json", "", {}, 0, 1, "no user message"),
    ("librechat-import-fixtures/chatgpt-export.json", "chatgpt", {}, 2, 3, "tool (call|output)"),
    ("librechat-import-fixtures/chatgpt-tree.json", "chatgpt", {}, 1, 0, ""),
    ("librechat-import-fixtures/librechat-export.json", "librechat", {}, 1, 0, ""),
    ("librechat-import-fixtures/librechat-linear.json", "librechat", {}, 1, 0, ""),
    ("librechat-import-fixtures/librechat-opts-nonr-branches.json", "librechat", {}, 1, 0, ""),
    ("librechat-import-fixtures/librechat-tree.json", "librechat", {}, 1, 0, ""),
    ("llama-factory/alpaca_en_demo.json", "alpaca", {"instruction": 985}, 0, 14, "duplicate of"),
    ("llama-factory/alpaca_zh_demo.json", "alpaca", {"instruction": 992}, 0, 8, "duplicate of"),
    ("llama-factory/dpo_en_demo.json", "sharegpt", {"preference": 295}, 0, 5, "duplicate of"),
    ("llama-factory/dpo_zh_demo.json", "sharegpt", {"preference": 289}, 0, 11, "duplicate of"),
    ("llama-factory/kto_en_demo.json", "messages", {"verdict": 300}, 0, 0, ""),
    ("llm-logs/llm_logs_example.derived.json", "llm", {}, 1, 0, ""),
    ("llm-steer-instruct/ifeval_single_instr_format.jsonl", "", {}, 0, 163, "no reply"),
    (
        "open-assistant/en_100_tree.jsonl",
        "openassistant",
        {"instruction": 334, "preference": 429, "verdict": 430},
        0,
        23,
        "as many thumbs up as down",
    ),
    ("open-webui-export/openwebui-export.json", "openwebui", {}, 3, 1, "a tool call"),
    ("open-webui-feedback/feedback_example.derived.json", "", {}, 0, 1, "snapshot .* is empty"),
    ("openai-cookbook/drone_training.jsonl", "", {}, 0, 103, "a message calls a tool"),
    ("openai-cookbook/toy_chat_fine_tuning.jsonl", "messages", {"instruction": 7}, 0, 1, "no user"),
    (
        "rasbt-instruction/instruction-data-with-preference.json",
        "alpaca",
        {"preference": 1094},
        0,
        6,
        "chosen equals rejected",
    ),
]
REFUSED_WHOLE = [
    ("sst2-clairett/dev.tsv", "names no known columns: one long string of cliches, 0"),
    ("sst2-clairett/train.tsv", "names no known columns"),
]
needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="the shared data is not here")


@needs_shared
@pytest.mark.parametrize(("file", "format_name", "kinds", "chats", "refused", "reason"), REAL)
def test_a_real_file_is_taken_or_refused_for_the_right_reason(
    file: str, format_name: str, kinds: dict[str, int], chats: int, refused: int, reason: str
) -> None:
    found = read_file(SHARED / file)
    assert found.format == format_name
    assert Counter(record.kind for record in found.records) == kinds
    assert len(found.conversations) == chats
    assert found.lost == refused
    count = (SHARED / file).read_text("utf-8").count("\n") + 1
    assert all(1 <= line <= count for line in lines(found))
    assert [one.reason for one in found.refused if not re.search(reason, one.reason)] == []


@needs_shared
@pytest.mark.parametrize(("file", "reason"), REFUSED_WHOLE)
def test_a_real_file_without_a_known_shape_is_refused_whole(file: str, reason: str) -> None:
    with pytest.raises(TuteeError, match=reason):
        read_file(SHARED / file)


@needs_shared
def test_no_real_file_is_left_untried() -> None:
    tried = {file for file, *_ in [*REAL, *REFUSED_WHOLE]}
    there = imports.find_files(SHARED)
    assert {str(file.relative_to(SHARED)) for file in there} == tried


@needs_shared
def test_a_real_row_is_taken_as_it_is() -> None:
    found = read_file(SHARED / "llama-factory" / "dpo_en_demo.json")
    rows = json.loads((SHARED / "llama-factory" / "dpo_en_demo.json").read_text("utf-8"))
    first = found.records[0]
    assert isinstance(first, Preference)
    assert [turn.content for turn in first.prompt] == [m["value"] for m in rows[0]["conversations"]]
    assert (first.chosen, first.rejected) == (
        rows[0]["chosen"]["value"],
        rows[0]["rejected"]["value"],
    )
