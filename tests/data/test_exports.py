"""What is exported comes back as it was, and nothing is left out in silence."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data import formats
from data.exports import KINDS, Choices, Exported, export, select, write_table
from data.imports import read_file
from data.thoughts import split_thoughts
from store.errors import TuteeError
from store.feedback import dedup_key
from store.records import (
    REASONS,
    ChatMessage,
    Instruction,
    Origin,
    Preference,
    Record,
    RecordKind,
    Sampling,
    Verdict,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(
    [
        "你好\n",
        "\u2028\u2029\x85",
        "a\r\nb",
        "a\rb",
        "👩‍👩‍👧",
        '"\\',
        "\x00",
        "\ufeff",
        "=1+1",
        "a,b;\tc",
    ]
)
TEXT = TEXT.filter(lambda text: split_thoughts(text) == ("", text))
SAID = TEXT.filter(str.strip)
TURN = st.builds(ChatMessage, role=st.just("user"), content=SAID)
PROMPT = st.builds(
    lambda system, earlier, last: (*system, *(turn for pair in earlier for turn in pair), last),
    st.lists(st.builds(ChatMessage, role=st.just("system"), content=TEXT), max_size=1),
    st.lists(
        st.tuples(TURN, st.builds(ChatMessage, role=st.just("assistant"), content=TEXT)), max_size=2
    ),
    TURN,
)
MOMENT = st.datetimes(
    datetime(2000, 1, 1),
    datetime(2100, 1, 1),
    timezones=st.just(UTC),
)
ORIGIN = st.builds(
    Origin,
    source=st.sampled_from(["chat", "import:a.jsonl", "starter"]),
    model=st.none() | SAID,
    adapter=st.none() | st.just("v3"),
    sampling=st.none() | st.builds(Sampling, temperature=st.floats(0, 5)),
    seed=st.none() | st.integers(0, 2**31),
    stopped=st.booleans(),
)
ABOUT = {
    "prompt": PROMPT,
    "origin": ORIGIN,
    "created": MOMENT,
    "message_id": st.none() | st.just("0123456789ab"),
    "conversation_id": st.none() | st.sampled_from([f"conversation-{n}" for n in range(9)]),
}
PAIR = st.lists(SAID, min_size=2, max_size=2, unique_by=str.strip)
RECORDS: dict[RecordKind, st.SearchStrategy[Record]] = {
    "instruction": st.builds(Instruction, **ABOUT, completion=SAID),
    "preference": st.builds(
        lambda pair, **about: Preference(chosen=pair[0], rejected=pair[1], **about), PAIR, **ABOUT
    ),
    "verdict": st.builds(
        Verdict,
        **ABOUT,
        completion=SAID,
        label=st.booleans(),
        reasons=st.lists(st.sampled_from(REASONS), unique=True).map(tuple),
        comment=TEXT,
    ),
}
CARRIED = [(kind, name) for kind in KINDS for name in formats.writers(kind)]


def asked(text: str) -> tuple[ChatMessage, ...]:
    return (ChatMessage(role="user", content=text),)


def instruction(text: str, conversation: str | None = None, **about: object) -> Instruction:
    fields = {"prompt": asked(text), "completion": f"{text}!", "conversation_id": conversation}
    return Instruction(**fields | about)


def in_file(exported: Exported) -> list[list[dict[str, object]]]:
    return [
        [json.loads(line) for line in file.path.read_text("utf-8").splitlines()]
        for file in exported.files
    ]


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


# -- round trips -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "name"), CARRIED)
@settings(max_examples=settings().max_examples * 30 // 100)
@given(data=st.data())
def test_what_is_exported_is_imported_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, kind: RecordKind, name: str, data: st.DataObject
) -> None:
    records = data.draw(st.lists(RECORDS[kind], min_size=1, max_size=4, unique_by=dedup_key))
    chosen = Choices(kinds=(kind,), format=name, card=False)
    selection = select(records, chosen)
    left_out = sum(int(reason.split()[0]) for reason in selection.left_out)
    assert sum(len(table.rows) for table in selection.tables) + left_out == len(records)
    if name not in ("alpaca", "csv"):
        assert left_out == 0
    carried = [record for record in records if formats.row(record, name) is not None]
    for table in selection.tables:
        path = tmp_path_factory.mktemp("exports") / table.name
        write_table(table, path)
        found = read_file(path)
        assert found.refused == ()
        assert list(map(dedup_key, found.records)) == list(map(dedup_key, carried))
        if name == "tutee":
            assert list(found.records) == records


@pytest.mark.parametrize(("kind", "name"), CARRIED)
def test_every_format_carries_plain_records(tmp_path: Path, kind: str, name: str) -> None:
    prompt = (ChatMessage(role="system", content="Be kind."), *asked("Hello?"))
    plain: dict[str, Record] = {
        "instruction": Instruction(prompt=prompt, completion="Hi."),
        "preference": Preference(prompt=prompt, chosen="Hi.", rejected="What?"),
        "verdict": Verdict(prompt=prompt, completion="Hi.", label=True),
    }
    (file,) = export([plain[kind]], Choices(format=name), tmp_path / "out").files
    (again,) = read_file(file.path).records
    assert dedup_key(again) == dedup_key(plain[kind])


@pytest.mark.parametrize("name", [None, *formats.writers("instruction")])
def test_what_is_kept_out_of_training_leaves_only_with_the_home(name: str | None) -> None:
    kept, learned = instruction("kept").model_copy(update={"excluded": True}), instruction("a")
    selection = select([kept, learned], Choices(format=name))
    (table,) = selection.tables
    if name == "tutee":
        assert table.records == (kept, learned)
        assert selection.left_out == ()
    else:
        assert table.records == (learned,)
        assert selection.left_out == (
            "1 × instruction: excluded from training (the format tutee keeps them)",
        )


# -- what is chosen --------------------------------------------------------------------------------


def three_kinds() -> list[Record]:
    return [
        instruction("one"),
        Preference(prompt=asked("two"), chosen="yes", rejected="no"),
        Verdict(prompt=asked("three"), completion="no", label=False),
    ]


def test_each_kind_gets_a_file_in_the_format_of_its_tools(tmp_path: Path) -> None:
    exported = export(three_kinds(), Choices(), tmp_path / "new" / "out")
    assert [(file.path.name, file.kind, file.split, file.rows) for file in exported.files] == [
        ("instruction.jsonl", "instruction", "", 1),
        ("preference.jsonl", "preference", "", 1),
        ("verdict.jsonl", "verdict", "", 1),
    ]
    assert [set(rows[0]) for rows in in_file(exported)] == [
        {"messages"},
        {"prompt", "chosen", "rejected"},
        {"prompt", "completion", "label"},
    ]
    assert exported.counts == {"instruction": 1, "preference": 1, "verdict": 1}
    assert names(exported.folder) == {file.path.name for file in exported.files} | {"README.md"}


def test_each_kind_may_have_a_format_of_its_own() -> None:
    chosen = Choices(format="tutee", formats={"preference": "alpaca"})
    formats_used = [table.format for table in select(three_kinds(), chosen).tables]
    assert formats_used == ["tutee", "alpaca", "tutee"]


def test_everything_is_private(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    export(three_kinds(), Choices(dataset_info=True), folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


def test_only_the_kinds_and_the_time_that_were_chosen(tmp_path: Path) -> None:
    moment = datetime(2026, 3, 1, 12, tzinfo=UTC)
    old, new = (instruction(str(n), created=moment + timedelta(hours=n)) for n in (-1, 0))
    verdict = Verdict(prompt=asked("?"), completion="!", label=True, created=moment)
    chosen = Choices(kinds=("instruction",), since=moment)
    (table,) = select([old, new, verdict], chosen).tables
    assert table.records == (new,)


@given(st.lists(RECORDS["instruction"], max_size=20))
def test_a_split_loses_nothing_silently_and_keeps_conversations_whole(
    records: list[Instruction],
) -> None:
    selection = select(records, Choices(kinds=("instruction",), split=True))
    tables, left_out = selection.tables, "".join(selection.left_out)
    assert [table.split for table in tables] in ([], ["train"], ["test"], ["train", "test"])
    found = [record for table in tables for record in table.records]
    assert {*map(id, found)} <= {*map(id, records)}
    missing = len(records) - len(found)
    assert left_out.partition(" × ")[0] == (str(missing) if missing else "")
    sides: dict[str | None, set[str]] = {}
    for table in tables:
        for record in table.records:
            sides.setdefault(record.conversation_id, set()).add(table.split)
    sides.pop(None, None)
    assert all(len(side) == 1 for side in sides.values())


def test_all_kinds_are_split_alike() -> None:
    about = [{"conversation_id": f"c{n}", "prompt": asked(str(n))} for n in range(100)]
    records: list[Record] = [
        *(Instruction(**one, completion="!") for one in about),
        *(Preference(**one, chosen="!", rejected="?") for one in about),
    ]
    one, two = (
        {
            r.prompt
            for t in select(records, Choices(split=True)).tables
            if t.split == split
            for r in t.records
        }
        for split in ("train", "test")
    )
    assert one
    assert two
    assert not one & two


def test_the_split_is_about_a_fifth_and_stays(tmp_path: Path) -> None:
    records = [instruction(str(n), f"c{n}") for n in range(200)]
    sizes = {}
    for part in (records[:100], records):
        exported = export(part, Choices(split=True), tmp_path / str(len(part)))
        train, test = in_file(exported)
        sizes[len(part)] = (train, test)
        assert 0.1 < len(test) / len(part) < 0.3
    assert all(row in sizes[200][1] for row in sizes[100][1])


def test_redacting_hides_counts_and_leaves_out_what_became_the_same(tmp_path: Path) -> None:
    records: list[Record] = [
        instruction("I am a@b.io"),
        instruction("hello"),
        Preference(prompt=asked("?"), chosen="c@d.io", rejected="e@f.io"),
    ]
    exported = export(records, Choices(redact=True), tmp_path / "out")
    assert exported.redacted == 2
    assert exported.left_out == ("1 × preference: both replies are the same once redacted",)
    written = b"".join(path.read_bytes() for path in exported.folder.iterdir())
    assert b"@b.io" not in written
    assert b"I am [e-mail]" in written


def test_what_a_format_cannot_carry_is_counted_with_the_reason(tmp_path: Path) -> None:
    earlier = (*asked("a"), ChatMessage(role="assistant", content="b"))
    long = [instruction(str(n), prompt=(*earlier, *asked("c"))) for n in range(2)]
    exported = export([*long, *three_kinds()], Choices(format="csv"), tmp_path / "csv")
    assert exported.counts == {"instruction": 1, "preference": 1, "verdict": 1}
    assert exported.left_out == ("2 × instruction: the format csv cannot hold such a prompt",)
    exported = export(three_kinds(), Choices(format="kto"), tmp_path / "kto")
    assert exported.counts == {"verdict": 1}
    assert [reason.partition(" (")[0] for reason in exported.left_out] == [
        "1 × instruction: the format kto is not for this kind",
        "1 × preference: the format kto is not for this kind",
    ]


@pytest.mark.parametrize(
    ("records", "choices"),
    [
        ([], Choices()),
        ([instruction("a")], Choices(kinds=("verdict",))),
        ([instruction("a")], Choices(format="kto")),
        ([instruction("a")], Choices(format="xml")),
        ([instruction("a")], Choices(formats={"instruction": "xml"})),
        ([instruction("a")], Choices(kinds=(cast(RecordKind, "thumb"),))),
    ],
)
def test_nothing_to_write_is_an_error_and_makes_no_folder(
    tmp_path: Path, records: Sequence[Record], choices: Choices
) -> None:
    with pytest.raises(TuteeError, match="There is no"):
        export(records, choices, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_spreadsheet_formula_is_left_as_it_was_said(tmp_path: Path) -> None:
    exported = export([instruction('=1+1 "x",\ry')], Choices(format="csv"), tmp_path / "out")
    text = (exported.folder / "instruction.csv").read_bytes()
    assert text == b'system,prompt,completion\r\n,"=1+1 ""x"",\ry","=1+1 ""x"",\ry!"\r\n'


# -- the folder ------------------------------------------------------------------------------------


def test_an_earlier_export_is_replaced_and_leaves_nothing_behind(tmp_path: Path) -> None:
    records = [instruction(str(n), f"c{n}") for n in range(50)]
    export(records, Choices(split=True, dataset_info=True), tmp_path / "out")
    exported = export(records[:1], Choices(), tmp_path / "out")
    assert names(tmp_path / "out") == {"instruction.jsonl", "README.md"}
    assert len(in_file(exported)[0]) == 1


@pytest.mark.parametrize("name", ["notes.txt", "README.md"])
def test_a_folder_with_other_things_in_it_is_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(TuteeError, match=name):
        export(three_kinds(), Choices(), tmp_path)
    assert names(tmp_path) == {name}
    assert (tmp_path / name).read_text() == "mine"


def test_a_folder_that_cannot_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(TuteeError, match="Cannot write to"):
            export(three_kinds(), Choices(), folder)
    assert (tmp_path / "file").read_text() == "mine"


def test_a_file_that_cannot_be_written_leaves_what_was_there(tmp_path: Path) -> None:
    (table, *_) = select([instruction("a")], Choices()).tables
    with pytest.raises(TuteeError, match="Cannot write"):
        write_table(table, tmp_path / "nowhere" / "out.jsonl")
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_export_left_is_taken_away(tmp_path: Path) -> None:
    record = Instruction(prompt=(ChatMessage(role="user", content="Hi"),), completion="Ho")
    left = [tmp_path / f".{name}.l0_uq2oy.tmp" for name in ("instruction.jsonl", "README.md")]
    for path in left:
        path.write_text("half of it")
    export([record], Choices(), tmp_path)
    assert not any(path.exists() for path in left)
    export([record], Choices(), tmp_path)
    (tmp_path / ".mine.jsonl.l0zuq2oy.tmp").touch()
    with pytest.raises(TuteeError, match=r"contains other files, such as \.mine\.jsonl"):
        export([record], Choices(), tmp_path)
