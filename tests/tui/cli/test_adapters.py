"""`tutee adapters` and `tutee report` as a script meets them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from core.adapters.registry import Adapters
from core.models.folder import ModelFolder
from store.errors import TuteeError
from store.paths import locate
from tests.core.adapters.test_merge import trained
from tests.lora import taught_version
from tests.versions import HOSTILE, add_version, examined_version
from tui.cli.adapters import _reward_result
from tui.cli.root import cli
from tui.text_format import harmless

Run = Callable[..., Result]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def versions(home: Path, tiny_folder: ModelFolder) -> Adapters:
    """Three versions and a reward model; the first answers."""
    adapters = Adapters(locate(home).models, tiny_folder)
    examined_version(adapters)
    add_version(adapters, "d", parent="v1", settings={"rank": 8})
    add_version(adapters, held_back=("probe loss rose by 9.0%",))
    add_version(
        adapters, kind="reward", pass_name="reward", metrics={"holdout_accuracy": 0.75, "passed": 1}
    )
    adapters.use("v1")
    return adapters


@pytest.fixture
def run(home: Path, tiny_folder: ModelFolder) -> Run:
    """Run a command in the home; a `TuteeError` is left in the result."""

    def run(*args: str, answer: str = "") -> Result:
        line = ["--home", str(home), "--model", str(tiny_folder.path), *args]
        return CliRunner().invoke(cli, line, input=answer)

    return run


def failed(result: Result) -> str:
    assert isinstance(result.exception, TuteeError)
    return str(result.exception)


def out(result: Result) -> str:
    assert result.exit_code == 0, result.output
    return result.stdout


def read(result: Result) -> Any:
    return json.loads(out(result))


# -- listing ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [("adapters",), ("adapters", "list")])
def test_the_list_shows_what_a_person_needs_to_choose(
    run: Run, versions: Adapters, command: tuple[str, ...]
) -> None:
    lines = out(run(*command)).splitlines()
    assert lines[0].startswith("  base")
    assert lines[1].startswith("● v1")
    assert lines[1].endswith("“yes <man>”  sft from base, 2 records + 1 replayed, loss 3.00 → 1.00")
    assert lines[2].strip() == harmless(HOSTILE)
    assert lines[4].startswith("  v3")
    assert lines[5].strip() == "held back: probe loss rose by 9.0%"
    assert lines[6].startswith("  r1")
    assert lines[6].endswith("reward from base, 75% ranked correctly")


@pytest.mark.parametrize("command", [("adapters", "--json"), ("adapters", "list", "--json")])
def test_the_list_for_a_program(run: Run, versions: Adapters, command: tuple[str, ...]) -> None:
    found = read(run(*command))
    assert found["active"] == "v1"
    assert [row["version"] for row in found["versions"]] == ["v1", "v2", "v3"]
    assert [row["version"] for row in found["rewards"]] == ["r1"]
    assert found["versions"][0]["label"] == "yes <man>"
    assert found["versions"][0]["note"] == HOSTILE
    assert found["versions"][1]["label"] == ""


# -- changing --------------------------------------------------------------------------------------


def test_a_label_names_a_version_in_every_command(run: Run, versions: Adapters) -> None:
    assert out(run("adapters", "label", "v2", "polite")) == "v2\n"
    assert out(run("adapters", "use", "polite")) == "v2\n"
    assert versions.active() == "v2"
    assert out(run("adapters", "note", "polite", "for guests")) == "v2\n"
    assert read(run("report", "polite", "--json"))["note"] == "for guests"
    assert read(run("adapters", "diff", "polite", "v1", "--json"))["a"] == "v2"
    assert out(run("adapters", "rollback")) == "v1\n"
    assert out(run("adapters", "delete", "polite", "--yes")) == "Deleted v2.\n"


def test_without_words_label_and_note_are_taken_away(run: Run, versions: Adapters) -> None:
    out(run("adapters", "label", "v1"))
    out(run("adapters", "note", "v1"))
    assert versions.remarks() == {}


def test_deleting_asks_first(run: Run, versions: Adapters) -> None:
    assert run("adapters", "delete", "v2", answer="n\n").exit_code == 1
    assert [m.version for m in versions.versions()] == ["v1", "v2", "v3"]
    assert "Deleted v2" in out(run("adapters", "delete", "v2", answer="y\n"))
    assert [m.version for m in versions.versions()] == ["v1", "v3"]


def test_the_version_that_answers_is_not_deleted(run: Run, versions: Adapters) -> None:
    assert "v1 is active" in failed(run("adapters", "delete", "v1", "--yes"))


@pytest.mark.parametrize(
    "command",
    [
        ("adapters", "use", "v9"),
        ("adapters", "delete", "v9"),
        ("adapters", "label", "v9", "x"),
        ("adapters", "diff", "v1", "v9"),
        ("adapters", "merge", "v9", "-o", "out"),
        ("report", "v9"),
    ],
)
def test_an_unknown_version_is_named_with_those_there_are(
    run: Run, versions: Adapters, command: tuple[str, ...]
) -> None:
    assert "no adapter “v9”. Available: base, v1, v2, v3, r1." in failed(run(*command))


# -- comparing -------------------------------------------------------------------------------------


def test_differences_are_lines_for_a_person(run: Run, versions: Adapters) -> None:
    lines = [
        " ".join(line.split()) for line in out(run("adapters", "diff", "v1", "v2")).split("\n")
    ]
    assert lines[0] == "v1 v2"
    assert "rank 16 8" in lines
    assert "learning_rate 0.0002 –" in lines
    assert "records: 2 learned by both" in lines
    assert "1 only by v2: d" in lines


def test_differences_for_a_program(run: Run, versions: Adapters) -> None:
    found = read(run("adapters", "diff", "v1", "v2", "--json"))
    assert found["settings"]["rank"] == [16, 8]
    assert (found["only_a"], found["only_b"], found["both"]) == ([], ["d"], 2)


# -- merging ---------------------------------------------------------------------------------------


def test_a_merged_model_answers_as_the_adapter_does(
    run: Run, home: Path, tiny_folder: ModelFolder, tmp_path: Path
) -> None:
    trained(locate(home).models, tiny_folder)
    target = tmp_path / "merged"
    # Packed, the sum is rounded otherwise than base and adapter are.
    locate(home).config_file.write_text('[serving]\nprecision = "fp32"\n')
    found = read(run("adapters", "merge", "v1", "-o", str(target), "--json"))
    assert found["path"] == str(target)
    assert found["difference"] < 1e-3
    asked = ("ask", "--greedy", "--max-new-tokens", "8", "hello world")
    tuned = out(run(asked[0], "--adapter", "v1", *asked[1:]))
    line = ["--home", str(home), "--model", str(target), *asked]
    assert CliRunner().invoke(cli, line).stdout == tuned
    assert tuned != out(run(*asked))
    assert "already exists" in failed(run("adapters", "merge", "v1", "-o", str(target)))


def test_an_adapter_is_exported_for_llama_cpp(
    run: Run, home: Path, tiny_folder: ModelFolder
) -> None:
    version = taught_version(Adapters(locate(home).models, tiny_folder))
    found = read(run("adapters", "export", version, "--gguf", "--json"))
    file = Path(found["path"])
    assert file.parent == locate(home).exports
    assert file.read_bytes()[:4] == b"GGUF"
    assert "exists already" in failed(run("adapters", "export", version, "--gguf"))
    assert "not a trained version" in failed(run("adapters", "export", "base", "--gguf"))
    assert run("adapters", "export", version).exit_code == 2


# -- reports ---------------------------------------------------------------------------------------


def test_the_report_is_of_the_version_that_answers(run: Run, versions: Adapters) -> None:
    assert out(run("report")).startswith("v1 “yes <man>” · supervised fine-tuning (SFT)\n")
    versions.use("base")
    assert out(run("report")).startswith("v3 ·")  # the newest
    assert out(run("report", "r1")).startswith("r1 · reward model")


def test_without_a_version_there_is_no_report(run: Run) -> None:
    assert "nothing to report yet" in failed(run("report"))
    assert "The base has no report" in failed(run("report", "base"))


def test_the_report_for_a_program(run: Run, versions: Adapters) -> None:
    found = read(run("report", "v1", "--json"))
    assert (found["version"], found["label"], found["verdict"]) == ("v1", "yes <man>", "passed")
    figures = {figure["name"]: figure for figure in found["figures"]}
    assert figures["hold-out loss"]["before"] == 2.5
    assert figures["hold-out loss"]["after"] == 0.5
    assert figures["hold-out loss"]["trend"] == "better"
    assert found["curves"]["loss"] == [3.0, 2.0, 1.0]
    assert found["probes"][0]["prompt"] == f"Why? {HOSTILE}"
    assert found["manifest"]["settings"]["rank"] == 16


@pytest.mark.parametrize(
    ("name", "option", "begin"),
    [
        ("card.html", None, "<!doctype html>"),
        ("card.md", None, "# v1"),
        ("card.json", None, '{"version": "v1"'),
        ("card.txt", None, "v1 “yes"),
        ("card.txt", "--html", "<!doctype html>"),
    ],
)
def test_a_report_is_written_to_a_file(
    run: Run, versions: Adapters, tmp_path: Path, name: str, option: str | None, begin: str
) -> None:
    path = tmp_path / name
    result = run("report", *([option] if option else []), "-o", str(path))
    assert out(result) == ""
    assert path.name in result.stderr
    text = path.read_text(encoding="utf-8")
    assert text.startswith(begin)
    assert "\x1b" not in text
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_report_that_cannot_be_written_is_an_error(
    run: Run, versions: Adapters, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("mine")
    assert "Cannot write" in failed(run("report", "-o", str(tmp_path / "file" / "r.md")))


@pytest.mark.parametrize(("option", "begin"), [("--html", "<!doctype"), ("--markdown", "# v1")])
def test_a_report_on_standard_output(run: Run, versions: Adapters, option: str, begin: str) -> None:
    assert out(run("report", option)).startswith(begin)


def test_a_merged_model_as_gguf_for_other_programs(
    run: Run, home: Path, tiny_folder: ModelFolder, tmp_path: Path
) -> None:
    trained(locate(home).models, tiny_folder)
    target = tmp_path / "merged"
    found = read(run("adapters", "merge", "v1", "-o", str(target), "--gguf", "f16", "--json"))
    file = target / "model-f16.gguf"
    assert found["gguf"] == str(file)
    assert file.read_bytes()[:4] == b"GGUF"
    assert f"FROM ./{file.name}" in (target / "Modelfile").read_text()


@pytest.mark.parametrize(
    ("metrics", "said"),
    [
        ({}, "Added r1, but it is not trusted: there are no held-out pairs"),
        (
            {
                "holdout_pairs": 20,
                "holdout_accuracy": 0.9,
                "holdout_interval": (0.7, 0.97),
                "passed": True,
            },
            "Added r1. It is trusted: it ranks 90% of 20 held-out pairs correctly (70% to 97%).",
        ),
        (
            {
                "holdout_pairs": 8,
                "holdout_accuracy": 0.5,
                "holdout_interval": (0.2, 0.8),
                "passed": False,
            },
            "Added r1, but it is not trusted: the reward model ranks 4 of 8 pairs right; from 7 on "
            "it is more than chance.",
        ),
    ],
)
def test_what_a_reward_model_from_elsewhere_is_reward_result(
    metrics: dict[str, Any], said: str
) -> None:
    assert said in _reward_result("r1", metrics)
