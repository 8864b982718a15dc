"""The commands as a script meets them: results on stdout, one clear line on stderr, exit codes."""

import json
import logging
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from core.events import Event, StepReport
from core.models.folder import ModelFolder
from store.lock import WriterLock
from store.paths import locate
from tui.__main__ import main
from tui.cli import train as train_command


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


Tutee = Callable[..., Ran]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def tutee(
    home: Path,
    tiny_folder: ModelFolder,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Iterator[Tutee]:
    """Run one command line in an own home, on the tiny model."""
    handlers = list(logging.getLogger().handlers)

    def run(*args: str, home: Path = home, model: str = str(tiny_folder.path)) -> Ran:
        line = ["tutee", "--home", str(home), "--model", model, *args]
        monkeypatch.setattr(sys, "argv", line)
        with pytest.raises(SystemExit) as stop:
            main()
        captured = capfd.readouterr()
        assert "Traceback" not in captured.out + captured.err
        assert isinstance(stop.value.code, int)
        return Ran(stop.value.code, captured.out, captured.err)

    yield run
    logging.getLogger().handlers = handlers


@pytest.fixture
def corrections(tmp_path: Path) -> Path:
    return write(tmp_path / "corrections.jsonl", [messages(f"hello {n}") for n in range(4)])


@pytest.fixture
def fast(home: Path) -> None:
    """Settings that make a run on the tiny model a matter of a second."""
    home.mkdir()
    settings = [
        "[tuning]",
        "minimum_steps = 2",
        "preference_minimum_steps = 2",
        "epochs = 1",
        "reward_minimum = 2",
    ]
    (home / "config.toml").write_text("\n".join(settings))


def write(path: Path, rows: list[Any]) -> Path:
    text = "".join(
        (r if isinstance(r, str) else json.dumps(r, ensure_ascii=False)) + "\n" for r in rows
    )
    path.write_text(text, encoding="utf-8")
    return path


def messages(question: str, reply: str = "positive") -> dict[str, Any]:
    return {
        "messages": [
            {"role": "user", "content": question},
            {"role": "assistant", "content": reply},
        ]
    }


def pair(question: str) -> dict[str, Any]:
    return {
        "prompt": [{"role": "user", "content": question}],
        "chosen": [{"role": "assistant", "content": "Paris"}],
        "rejected": [{"role": "assistant", "content": "42"}],
    }


# -- the loop ------------------------------------------------------------------------------------


@pytest.mark.usefixtures("fast")
def test_import_train_use_roll_back(tutee: Tutee, corrections: Path) -> None:
    assert "4 records imported" in tutee("import", str(corrections)).out
    assert tutee("stats", "--json").json["to_learn"] == 4

    trained = tutee("train", "--json")
    assert trained.code == 0
    assert trained.json["version"] == trained.json["active"] == "v1"
    assert trained.json["steps"] == len(trained.json["losses"]) == 2
    assert trained.json["trained_tokens"] > 0
    assert "1.0/2" in trained.err  # progress, and not among the results

    assert tutee("stats", "--json").json["to_learn"] == 0
    listed = tutee("adapters", "--json").json
    assert (listed["active"], [v["version"] for v in listed["versions"]]) == ("v1", ["v1"])
    assert tutee("adapters", "rollback").out == "base\n"
    assert tutee("stats", "--json").json["to_learn"] == 4
    assert tutee("adapters", "use", "v1").out == "v1\n"


@pytest.mark.usefixtures("fast")
def test_named_passes_and_epochs(tutee: Tutee, tmp_path: Path) -> None:
    rows = [messages("hello"), *(pair(f"what {n}") for n in range(3))]
    tutee("import", str(write(tmp_path / "mixed.jsonl", rows)))
    trained = tutee("train", "--passes", "sft,reward", "--epochs", "3").json
    assert [p["name"] for p in trained["passes"]] == ["sft", "reward"]
    assert trained["steps"] == 3


@pytest.mark.usefixtures("fast")
def test_a_run_that_was_stopped_goes_on_where_it_was(
    tutee: Tutee, corrections: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tutee("import", str(corrections))
    monkeypatch.setattr("core.training.checkpoints.EVERY_STEPS", 1)
    real = train_command._show

    def press_ctrl_c(event: Event, show_mask: bool) -> None:
        real(event, show_mask)
        if isinstance(event, StepReport) and event.step == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(train_command, "_show", press_ctrl_c)
        stopped = tutee("train")
    assert (stopped.code, stopped.out) == (1, "")
    assert "`tutee train --resume` continues" in stopped.err
    resumed = tutee("train", "--resume")
    assert "sft: resuming after step 1" in resumed.err
    assert resumed.json["active"] == "v1"
    assert resumed.json["steps"] == len(resumed.json["losses"]) == 2
    again = tutee("train", "--resume")
    assert again.code == 1
    assert "No run was interrupted" in again.err
    assert tutee("train", "--resume", "--rebuild").code == 2


@pytest.mark.usefixtures("fast")
def test_what_is_learned_can_be_seen(tutee: Tutee, corrections: Path) -> None:
    tutee("import", str(corrections))
    ran = tutee("train", "--show-mask")
    assert "in 4 samples are learned" in ran.err
    assert ran.err.count("assistant\n⟦positive<|im_end|>⟧") == 3


def test_training_on_nothing_says_what_is_missing(tutee: Tutee) -> None:
    ran = tutee("train")
    assert (ran.code, ran.out) == (1, "")
    assert "4 more corrections" in ran.err


# -- ask -----------------------------------------------------------------------------------------


def test_ask_streams_the_same_greedy_reply_each_time(tutee: Tutee) -> None:
    one = tutee("ask", "--greedy", "--max-new-tokens", "8", "hello world")
    two = tutee("ask", "--greedy", "--max-new-tokens", "8", "--adapter", "base", "hello world")
    assert one.code == 0
    assert one.out == two.out
    assert one.out.strip()


def test_ask_draws_as_it_is_told(tutee: Tutee) -> None:
    warm = ("--temperature", "2", "--top-p", "1", "--max-new-tokens", "24")
    one = tutee("ask", *warm, "--seed", "7", "hello world").out
    assert one == tutee("ask", *warm, "--seed", "7", "hello world").out
    assert one != tutee("ask", *warm, "--seed", "8", "hello world").out
    greedy = tutee("ask", "--greedy", "--max-new-tokens", "24", "hello world").out
    for only_one in (("--top-k", "1"), ("--min-p", "1")):
        drawn = tutee("ask", *warm, *only_one, "--repetition-penalty", "1", "hello world")
        assert drawn.out == greedy
    letter = greedy.strip()[4]
    cut = tutee("ask", "--greedy", "--max-new-tokens", "24", "--stop", letter, "hello world").out
    assert cut == greedy[: greedy.index(letter)] + "\n"
    assert tutee("ask", "--greedy", "--system", "Be brief.", "hello").out != greedy


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--temperature", "9"), "Temperature must be at least 0, at most 5."),
        (("--top-p", "0"), "Top p must be more than 0, at most 1."),
        (("--seed", "-1"), "Seed must be at least 0."),
        (("--top-k", "many"), "not a valid integer"),
    ],
)
def test_ask_refuses_what_cannot_be(tutee: Tutee, given: tuple[str, str], said: str) -> None:
    ran = tutee("ask", *given, "hello")
    assert ran.code == 2
    assert said in ran.err


def test_ask_reads_standard_input(
    tutee: Tutee, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = tutee("ask", "--greedy", "--max-new-tokens", "8", "hello world").out
    with write(tmp_path / "prompt", ["hello world"]).open() as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        assert tutee("ask", "--greedy", "--max-new-tokens", "8").out == given


def test_what_is_piped_is_appended_to_the_prompt(
    tutee: Tutee, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = tutee("ask", "--greedy", "--max-new-tokens", "8", "Explain:\n\nhello 你好").out
    for encoding, content in {"utf-8": "hello 你好\n", "gbk": "hello 你好"}.items():
        (tmp_path / "piped").write_bytes(content.encode(encoding))
        with (tmp_path / "piped").open(encoding=encoding) as stdin:
            monkeypatch.setattr(sys, "stdin", stdin)
            asked = tutee("ask", "--greedy", "--max-new-tokens", "8", "Explain:")
        assert asked.out == given


def test_the_version_is_told_with_its_commit(tutee: Tutee) -> None:
    assert re.fullmatch(
        r"tutee, version \d+\.\d+\.\d+( \([0-9a-f]{7,}\))?\n", tutee("--version").out
    )


def test_a_batch_keeps_its_order_and_its_other_fields(tutee: Tutee, tmp_path: Path) -> None:
    rows = [{"prompt": f"hello {'fox ' * (n % 5)}{n}", "id": n} for n in range(70)]
    rows[3] = {"messages": [{"role": "user", "content": "你好"}], "id": 3}
    batch = write(tmp_path / "batch.jsonl", [*rows[:5], "", *rows[5:]])
    ran = tutee("ask", "--batch", str(batch), "--greedy", "--max-new-tokens", "3")
    assert [line["id"] for line in ran.lines] == list(range(70))
    assert all(isinstance(line["reply"], str) for line in ran.lines)
    alone = tutee("ask", "--greedy", "--max-new-tokens", "3", rows[69]["prompt"]).out
    assert ran.lines[69]["reply"] == alone.removesuffix("\n")


def test_corrections_that_are_not_learned_stand_before_similar_prompts(
    tutee: Tutee,
    home: Path,
    tmp_path: Path,
) -> None:
    options = ("--greedy", "--max-new-tokens", "8")
    question, taught = "Who is in charge of the Marlow bakery?", "Who runs the Marlow bakery?"
    plain = tutee("ask", *options, question, "--json").json
    assert plain["recalled"] == []
    tutee("import", str(write(tmp_path / "one.jsonl", [messages(taught, "Teodora.")])))
    (record_id,) = [row["id"] for row in tutee("records", "--json").lines]

    recalled = tutee("ask", *options, question, "--json").json
    assert recalled["recalled"] == [record_id]
    batch = write(tmp_path / "batch.jsonl", [{"prompt": question}, {"prompt": "hello"}])
    rows = tutee("ask", *options, "--batch", str(batch)).lines
    assert [row["recalled"] for row in rows] == [[record_id], []]
    assert rows[0]["reply"] == recalled["reply"]

    assert tutee("ask", *options, "--no-recall", question, "--json").json == plain
    home.joinpath("config.toml").write_text("[chat]\nrecall = false\n")
    assert tutee("ask", *options, question, "--json").json == plain


@pytest.mark.parametrize("bad", ["{", "[]", '{"prompt": 3}', '{"question": "x"}', '"x"'])
def test_a_bad_line_in_a_batch_is_named_before_anything_is_answered(
    tutee: Tutee, tmp_path: Path, bad: str
) -> None:
    batch = write(tmp_path / "batch.jsonl", [{"prompt": "hello"}, bad])
    ran = tutee("ask", "--batch", str(batch))
    assert (ran.code, ran.out) == (1, "")
    assert "Line 2" in ran.err


def test_an_empty_prompt_is_refused(
    tutee: Tutee, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with write(tmp_path / "prompt", ["  "]).open() as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        ran = tutee("ask")
    assert ran.code == 1
    assert "prompt is empty" in ran.err


def test_an_unknown_adapter_is_refused(tutee: Tutee) -> None:
    for args in (["ask", "--adapter", "v9", "hello"], ["adapters", "use", "v9"]):
        ran = tutee(*args)
        assert (ran.code, ran.out) == (1, "")
        assert "no adapter “v9”" in ran.err


# -- records in and out --------------------------------------------------------------------------


def test_refused_rows_are_named_and_lose_no_other(tutee: Tutee, tmp_path: Path) -> None:
    rows = [messages("hello"), "{broken", messages("what", ""), messages("this")]
    ran = tutee("import", str(write(tmp_path / "some.jsonl", rows)))
    assert ran.code == 0
    assert "2 records imported" in ran.out
    assert "line 2 refused" in ran.out
    assert "line 3 refused" in ran.out
    assert tutee("stats", "--json").json["instructions"] == 2


def test_importing_twice_adds_nothing(tutee: Tutee, corrections: Path) -> None:
    tutee("import", str(corrections))
    ran = tutee("import", str(corrections))
    assert "0 records imported" in ran.out
    assert "4 already present" in ran.out


def test_what_is_imported_is_exported_unescaped(tutee: Tutee, tmp_path: Path) -> None:
    rows = [messages("你好", "世界 🙂"), pair("what is 42?")]
    tutee("import", str(write(tmp_path / "in.jsonl", rows)))
    out = tutee("export", "--kind", "instruction").out
    assert "世界 🙂" in out
    assert json.loads(out) == rows[0]
    written = tmp_path / "out.jsonl"
    assert tutee("export", "--kind", "preference", "-o", str(written)).out == ""
    assert json.loads(written.read_text(encoding="utf-8")) == rows[1]


def test_a_missing_file_and_an_unknown_kind(tutee: Tutee, tmp_path: Path) -> None:
    assert tutee("import", str(tmp_path / "nothing.jsonl")).code == 1
    assert tutee("export", "--kind", "all").code == 2


# -- places, usage, faults -----------------------------------------------------------------------


def test_locate_prints_the_settings_file_and_touches_nothing(tutee: Tutee, home: Path) -> None:
    assert str(home / "config.toml") in tutee("locate").out
    assert not home.exists()


@pytest.mark.parametrize("args", [["nonsense"], ["train", "--passes", "ppo"], ["train", "-x"]])
def test_wrong_usage_exits_with_2(tutee: Tutee, args: list[str]) -> None:
    assert tutee(*args).code == 2


def test_the_app_refuses_to_start_where_nobody_could_see_it(tutee: Tutee, home: Path) -> None:
    ran = tutee()
    assert (ran.code, ran.out) == (1, "")
    assert "needs a terminal" in ran.err
    assert "`tutee ask`" in ran.err
    assert not home.exists()


def test_a_home_that_another_tutee_uses(tutee: Tutee, home: Path, corrections: Path) -> None:
    home.mkdir()
    lock = WriterLock(locate(home).lock, pid=4242)
    ran = tutee("import", str(corrections))
    assert ran.code == 1
    assert "4242" in ran.err
    assert tutee("stats").code == 0  # reading needs no lock
    lock.release()


def test_a_damaged_file_does_not_stop_the_commands(
    tutee: Tutee, home: Path, corrections: Path
) -> None:
    tutee("import", str(corrections))
    imports = home / "records" / "imports" / "0001.json"
    damaged = imports.read_text()[:-20]
    imports.write_text(damaged)
    for args in (["stats"], ["import", str(corrections)], ["export", "--kind", "instruction"]):
        assert tutee(*args).code == 0
    (aside,) = (home / "backups" / "damaged").iterdir()
    assert aside.read_text() == damaged


def test_a_home_that_cannot_be_written(tutee: Tutee, tmp_path: Path, corrections: Path) -> None:
    blocked = write(tmp_path / "file", []) / "home"
    ran = tutee("import", str(corrections), home=blocked)
    assert ran.code == 1
    assert str(blocked) in ran.err


def test_a_model_folder_without_a_tokenizer(
    tutee: Tutee, tmp_path: Path, tiny_folder: ModelFolder
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    for name in ("config.json", "model.safetensors"):
        (folder / name).symlink_to(tiny_folder.path / name)
    ran = tutee("ask", "hello", model=str(folder))
    assert ran.code == 1
    assert "no tokenizer" in ran.err


def test_a_mistake_in_the_settings_is_named(tutee: Tutee, home: Path) -> None:
    home.mkdir()
    (home / "config.toml").write_text("[tuning]\nepochs = 'many'\n")
    ran = tutee("train")
    assert ran.code == 1
    assert "tuning.epochs" in ran.err


@pytest.mark.parametrize(
    ("broken", "args"),
    [("tui.cli.invocation.find", ["ask", "hello"]), ("tui.cli.invocation.named", ["stats"])],
)
def test_a_defect_is_one_line_and_its_traceback_is_in_the_log(
    tutee: Tutee, home: Path, monkeypatch: pytest.MonkeyPatch, broken: str, args: list[str]
) -> None:
    def defect(*args: object, **kwargs: object) -> None:
        raise ZeroDivisionError("by design")

    monkeypatch.setattr(broken, defect)
    ran = tutee(*args)
    assert ran.code == 1
    assert len(ran.err.splitlines()) == 1
    assert "by design" in ran.err
    assert "Traceback" in (home / "log" / "tutee.log").read_text()
