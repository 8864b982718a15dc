"""Finding records by what a person types, and the line each gets."""

from datetime import UTC, datetime, timedelta

import pytest

from store.records import ChatMessage, Instruction, Origin, Preference, Record, Verdict
from tui.views.record_list import (
    RecordQuery,
    differing,
    lesson_view,
    lessons,
    parse_query,
    record_view,
    search,
    shared_prefixes,
)

ASKED = (
    ChatMessage(role="system", content="Be brief."),
    ChatMessage(role="user", content="Capital\nof France?"),
)
CREATED = datetime(2026, 3, 1, 12, tzinfo=UTC)

LIKED = Verdict(prompt=ASKED, completion="Paris.", label=True, created=CREATED)
REFUSED = Verdict(
    prompt=ASKED, completion="Lyon.", label=False, reasons=("wrong", "style"), comment="no!"
)
PAIR = Preference(
    prompt=ASKED, chosen="Paris.", rejected="Lyon", origin=Origin(source="import:Cities.jsonl")
)
LESSON = Instruction(prompt=ASKED, completion="巴黎。")
ALL: list[Record] = [LIKED, REFUSED, PAIR, LESSON]


def task_of(record: Record) -> str:
    return "code" if record is LESSON else "other"


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("", ALL),
        ("  ", ALL),
        ("PARIS", [LIKED, PAIR]),
        ("france lyon", [REFUSED, PAIR]),
        ("brief", ALL),
        ("巴黎", [LESSON]),
        ("👎", [REFUSED]),
        ("style", [REFUSED]),
        ("no!", [REFUSED]),
        ("kind:verdict", [LIKED, REFUSED]),
        ("Kind:Pref", [PAIR]),
        ("kind:verdict lyon", [REFUSED]),
        ("source:cities", [PAIR]),
        ("source:chat kind:instruction", [LESSON]),
        ("task:code", [LESSON]),
        ("task:other kind:p", [PAIR]),
        ("kind:", ALL),
        ("madrid", []),
        ("http://paris", []),
    ],
)
def test_what_is_typed_finds_what_is_meant(typed: str, found: list[Record]) -> None:
    assert search(ALL, parse_query(typed), task_of) == found


def test_a_colon_that_names_no_field_is_a_word() -> None:
    assert parse_query("at 12:30 kind:v") == RecordQuery(words=("at", "12:30"), kind="v")


def test_a_search_that_nobody_waits_for_ends() -> None:
    asked = iter([False, True])
    assert search(ALL, RecordQuery(), task_of, lambda: next(asked)) == [LIKED]


def test_a_line_says_what_there_is_to_know() -> None:
    today = CREATED + timedelta(days=1)
    line = record_view(REFUSED, task_of, {REFUSED.id: "v1 r2"}, {REFUSED.id: ["Repeated"]}, today)
    assert line.kind == "verdict 👎"
    assert (line.prompt, line.reply) == ("Capital of France?", "Lyon.")
    assert line.feedback == "wrong, style · no!"
    assert (line.task, line.source, line.learned) == ("other", "chat", "v1 r2")
    assert line.problems == ("Repeated",)
    assert record_view(PAIR, task_of, {}, {}, today).reply == "Paris. › Lyon"


@pytest.mark.parametrize(
    ("later", "when"),
    [
        (timedelta(), CREATED.astimezone().strftime("%H:%M")),
        (timedelta(days=2), "Mar 01"),
        (timedelta(days=400), "2026"),
    ],
)
def test_a_date_is_as_exact_as_it_is_recent(later: timedelta, when: str) -> None:
    assert record_view(LIKED, task_of, {}, {}, CREATED + later).when == when


def test_an_endless_text_does_not_make_an_endless_line() -> None:
    long = Instruction(
        prompt=(ChatMessage(role="user", content="a " * 10_000),), completion="b" * 10_000
    )
    line = record_view(long, task_of, {}, {}, CREATED)
    assert len(line.prompt) < 1000
    assert len(line.reply) < 1000


def test_what_rows_share_is_left_out_where_they_are_cut() -> None:
    texts = [
        "What is the sentiment of this review? a gob of drivel",
        "What is the sentiment of this review? a stirring film",
        "Something else",
    ]
    shared = shared_prefixes(texts)
    assert shared == [len("What is the sentiment of this review? a "), *[shared[1]], 0]
    assert differing(texts[0], shared[0], 30) == "What i… gob of drivel"
    assert differing(texts[0], shared[0], 80) == texts[0]
    assert differing(texts[2], 0, 9) == "Somethin…"
    assert shared_prefixes(["same text twice here", "same text twice here"]) == [0, 0]
    chinese = [
        "请判断这条评论的情感是正面还是负面：好看",
        "请判断这条评论的情感是正面还是负面：无聊",
    ]
    assert differing(chinese[1], shared_prefixes(chinese)[1], 20).endswith("… 无聊")


def test_records_of_one_act_are_one_lesson() -> None:
    pair = PAIR.model_copy(update={"act": "a1"})
    lesson = LESSON.model_copy(update={"act": "a1"})
    grouped = lessons([LIKED, pair, REFUSED, lesson])
    assert grouped == [(LIKED,), (pair, lesson), (REFUSED,)]
    view = lesson_view(grouped[1], task_of, {pair.id: "v1", lesson.id: "v1 v2"}, {}, CREATED)
    assert (view.id, view.kind, view.learned) == (pair.id, "✎ correction", "v1 v2")
