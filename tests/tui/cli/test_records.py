"""`tutee stats`, `check`, `records`, `show` and `delete` as a script meets them."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from core.adapters.manifest import Kind, Manifest, write_manifest
from core.adapters.registry import Adapters
from core.models.folder import ModelFolder, find
from store.errors import TuteeError
from store.paths import locate
from store.records import ChatMessage, Instruction, Origin, Preference, Record, Verdict
from store.repository import Repository
from tui.cli.root import cli

Run = Callable[..., Result]


def asked(text: str) -> tuple[ChatMessage, ...]:
    return (ChatMessage(role="user", content=text),)


LIKED = Instruction(id="liked1", prompt=asked("Translate: house"), completion="Haus 🏠")
THUMB = Verdict(id="thumb1", prompt=asked("What is up?"), completion="\x1b[31mSky", label=True)
DISLIKED = Verdict(
    id="thumb2", prompt=asked("What is up?"), completion="Sky", label=False, reasons=("wrong",)
)
PAIR = Preference(
    id="pair1",
    prompt=asked("Write to a@corp-mail.org"),
    chosen="Dear A",
    rejected="No",
    origin=Origin(source="import:pairs.jsonl"),
)
OTHER = PAIR.model_copy(update={"id": "pair2", "act": "other", "prompt": asked("[bold]写信")})
RECORDS: list[Record] = [LIKED, THUMB, DISLIKED, PAIR, OTHER]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def run(home: Path, tiny_folder: ModelFolder) -> Run:
    """Run a command in a home with a few records; a `TuteeError` is left in the result."""
    with Repository.open(locate(home)) as repository:
        repository.add_imported(RECORDS)

    def run(*args: str, model: str = str(tiny_folder.path), answer: str = "") -> Result:
        line = ["--home", str(home), "--model", model, *args]
        return CliRunner().invoke(cli, line, input=answer)

    return run


def failed(result: Result) -> str:
    assert isinstance(result.exception, TuteeError)
    return str(result.exception)


def kept(home: Path) -> set[str]:
    with Repository.open(locate(home), write=False) as repository:
        return {record.id for record in repository.records()}


def read(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


# -- stats ---------------------------------------------------------------------------------------


def test_stats_keep_their_keys_and_tell_more(run: Run) -> None:
    found = read(run("stats", "--json"))
    assert found["conversations"] == 0
    assert found["instructions"] == found["to_learn"] == 1
    assert (found["preferences"], found["verdicts"], found["active"]) == (2, 2, "base")
    assert found["kinds"] == {"instruction": 1, "preference": 2, "verdict": 2}
    assert found["labels"] == {"liked": 1, "disliked": 1}
    assert found["sources"] == {"chat": 3, "import:pairs.jsonl": 2}
    assert any("KTO" in gap for gap in found["gaps"])


def test_stats_are_lines_for_a_person(run: Run) -> None:
    lines = run("stats").stdout.splitlines()
    assert "verdicts       2" in lines
    assert any(re.fullmatch(r"  translation +1", line) for line in lines)
    assert len({len(line) for line in lines if line.startswith("  ") and line[-1:].isdigit()}) == 1
    assert "what is thin" in lines


def test_the_needs_and_the_words_of_the_settings_count(run: Run, home: Path) -> None:
    (home / "config.toml").write_text(
        '[tuning]\nreward_minimum = 2\ndpo_minimum = 2\n[tasks]\nweather = ["what is up"]\n',
        encoding="utf-8",
    )
    found = read(run("stats", "--json"))
    assert found["tasks"]["weather"] == 2
    assert not any("reward model" in gap for gap in found["gaps"])


def test_what_any_model_has_learned_is_trained(
    run: Run, home: Path, tiny_folder: ModelFolder, tmp_path: Path
) -> None:
    adapters = Adapters(locate(home).models, find(str(tiny_folder.path), tmp_path, lambda _: None))
    learned: tuple[tuple[Kind, Record], ...] = (("adapter", LIKED), ("reward", PAIR))
    for kind, record in learned:
        with adapters.new_version(kind) as (version, directory):
            manifest = Manifest(
                version=version,
                kind=kind,
                model=adapters.folder.id,
                revision=adapters.folder.revision,
                records=(record.id,),
            )
            write_manifest(directory, manifest)
    adapters.use("v1")
    found = read(run("stats", "--json"))
    assert found["trained"] == {"instruction": 1, "preference": 1, "verdict": 0}
    assert found["to_learn"] == 0
    assert "Learned in   v1" in run("show", LIKED.id).stdout


# -- check ---------------------------------------------------------------------------------------


def test_findings_name_their_records_and_are_no_failure(run: Run) -> None:
    found = read(run("check", "--json"))
    assert [(finding["kind"], finding["record_ids"]) for finding in found] == [
        ("secret", ["pair1"])
    ]
    told = run("check")
    assert told.exit_code == 0
    assert "e-mail address" in told.stdout
    assert "pair1" in told.stdout
    assert told.stdout.endswith("5 records checked: 1 secret\n")
    assert "corp-mail" not in told.stdout


def test_what_is_too_long_for_the_model_is_found(run: Run, home: Path) -> None:
    long = Instruction(id="long1", prompt=asked("Why?"), completion="so " * 1500)
    limited = Instruction(id="long2", prompt=asked("How?"), completion="so " * 60)
    with Repository.open(locate(home)) as repository:
        repository.add_imported([long, limited])
    found = [f for f in read(run("check", "--json")) if f["kind"] == "too long"]
    assert [finding["record_ids"] for finding in found] == [["long1"]]
    assert "1,024 fit" in found[0]["message"]
    (home / "config.toml").write_text("[tuning]\nmax_length = 80\n", encoding="utf-8")
    found = [f for f in read(run("check", "--json")) if f["kind"] == "too long"]
    assert [finding["record_ids"] for finding in found] == [["long1"], ["long2"]]


def test_a_model_that_is_not_there_is_not_fetched_to_check(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUTEE_CACHE", str(tmp_path / "cache"))
    ran = run("check", model="builtin")
    assert ran.exit_code == 0
    assert "Lengths are not checked" in ran.stderr
    assert "1 secret" in ran.stdout


# -- records -------------------------------------------------------------------------------------


def test_records_are_one_line_each(run: Run) -> None:
    lines = run("records").stdout.splitlines()
    assert [line.split()[0] for line in lines] == [record.id for record in RECORDS]
    assert "Translate: house → Haus 🏠" in lines[0]
    assert "👎" in lines[2]
    assert "[bold]写信 → Dear A" in lines[4]
    assert not any("\x1b" in line for line in lines)


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["--kind", "verdict"], ["thumb1", "thumb2"]),
        (["--source", "pairs"], ["pair1", "pair2"]),
        (["--task", "translation"], ["liked1"]),
        (["--search", "sky wrong"], ["thumb2"]),
        (["--search", "SKY", "--kind", "instruction"], []),
    ],
)
def test_records_are_chosen_by_what_they_are(
    run: Run, options: list[str], found: list[str]
) -> None:
    lines = run("records", *options, "--json").stdout.splitlines()
    assert [json.loads(line)["id"] for line in lines] == found


def test_a_record_as_json_is_complete(run: Run) -> None:
    row = read(run("records", "--kind", "instruction", "--json"))
    assert row.pop("task") == "translation"
    assert Instruction.model_validate(row) == LIKED


# -- show ----------------------------------------------------------------------------------------


def test_a_record_is_shown_whole_and_as_it_is(run: Run) -> None:
    told = run("show", OTHER.id).stdout
    for part in ("[bold]写信", "Chosen", "Dear A", "Rejected", "import:pairs.jsonl", "pair2"):
        assert part in told
    assert "\x1b" not in run("show", THUMB.id).stdout
    assert "Sky" in run("show", THUMB.id).stdout
    assert Preference.model_validate(read(run("show", OTHER.id, "--json"))) == OTHER


def test_the_mask_is_what_is_learned(run: Run) -> None:
    told = run("show", LIKED.id, "--mask").stdout
    assert "<|im_start|>assistant\n⟦Haus 🏠<|im_end|>⟧" in told
    assert "are learned" in told
    assert "⟦" not in run("show", LIKED.id).stdout


def test_the_mask_of_a_pair_has_both_replies(run: Run) -> None:
    chosen, rejected = read(run("show", PAIR.id, "--mask", "--json"))["masks"]

    def learned(tokens: list[dict[str, Any]]) -> str:
        return "".join(token["text"] for token in tokens if token["trained"])

    assert (learned(chosen), learned(rejected)) == ("Dear A<|im_end|>", "No<|im_end|>")
    assert "a@corp-mail.org" in "".join(token["text"] for token in chosen)


def test_a_record_that_is_not_there(run: Run) -> None:
    assert "nothing" in failed(run("show", "nothing"))
    assert "nothing" in failed(run("delete", "nothing", "--yes"))


# -- delete --------------------------------------------------------------------------------------


def test_records_are_deleted_by_id(run: Run, home: Path) -> None:
    told = run("delete", "liked1", "thumb2", "liked1", "--yes")
    assert told.stdout == "Deleted 2 records (1 instruction, 1 verdict).\n"
    assert kept(home) == {"thumb1", "pair1", "pair2"}


@pytest.mark.parametrize("source", ["pairs.jsonl", "import:pairs.jsonl"])
def test_a_whole_source_is_deleted(run: Run, home: Path, source: str) -> None:
    run("delete", "--source", source, "--yes")
    assert kept(home) == {"liked1", "thumb1", "thumb2"}


def test_an_unknown_source_names_the_known_ones(run: Run, home: Path) -> None:
    assert "import:pairs.jsonl" in failed(run("delete", "--source", "x", "--yes"))
    assert len(kept(home)) == 5


@pytest.mark.parametrize(("answer", "left"), [("y\n", 4), ("n\n", 5), ("", 5)])
def test_the_person_is_asked_first(run: Run, home: Path, answer: str, left: int) -> None:
    ran = run("delete", "pair2", answer=answer)
    assert "Delete 1 record (1 preference)?" in ran.stderr
    assert "写信" in ran.stderr
    assert (ran.exit_code == 0) is (left == 4)
    assert len(kept(home)) == left


@pytest.mark.parametrize("args", [[], ["liked1", "--source", "chat"]])
def test_ids_or_a_source(run: Run, args: list[str]) -> None:
    assert run("delete", *args, "--yes").exit_code == 2
