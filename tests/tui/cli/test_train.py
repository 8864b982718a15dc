"""`tutee train` whole, from the records to what answers: SFT, reward model and RL.

With the base in NF4, on the processor, where bitsandbytes runs the same code slowly; the tiny model
makes it seconds.
"""

import re
from pathlib import Path
from typing import Any

import pytest

from core.events import PassDone, PassResumed, PassSkipped, PassStarted, StageReport, StepReport
from core.models import quantization
from store.paths import locate
from tests.tui.cli.test_root import Tutee, home, messages, pair, tutee, write  # noqa: F401
from tui.cli import train as train_command
from tui.cli.invocation import Invocation

SETTINGS = """
[serving]
four_bit = "always"

[sampling]
temperature = 0
repetition_penalty = 1.0
max_new_tokens = 8

[tuning]
epochs = 1
rehearsal = 0

[tuning.sft]
learning_rate = 1e-2
minimum_steps = 20

[tuning.preference]
minimum_steps = 8

[tuning.rl]
steps = 2
prompts = 2
generations = 4
max_new_tokens = 6
kl_limit = 99
"""


@pytest.fixture
def ends_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """A random model hardly ever ends; here every other token ends what RL draws."""
    monkeypatch.setattr(
        "core.training.rloo_trainer.stop_ids", lambda tokenizer: frozenset(range(0, 400, 2))
    )


@pytest.mark.usefixtures("ends_anywhere")
def test_what_is_trained_on_it_is_loaded_answers_and_is_reported(
    tutee: Tutee,  # noqa: F811
    home: Path,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loaded: list[bool] = []
    settle = quantization.settled

    def settled(model: Any) -> Any:
        loaded.append(model.is_loaded_in_4bit)
        return settle(model)

    monkeypatch.setattr(quantization, "settled", settled)
    # A random model that is taught anything drifts far.
    monkeypatch.setattr("core.runs.save_version.reasons_to_hold_back", lambda report: ())
    home.mkdir()
    (home / "config.toml").write_text(SETTINGS)
    taught = [messages(f"hello {number}") for number in range(4)]
    pairs = [pair(f"what {number}") for number in range(60)]
    tutee("import", str(write(tmp_path / "taught.jsonl", taught)))
    tutee("import", str(write(tmp_path / "pairs.jsonl", pairs)))

    ran = tutee("train", "--passes", "sft,reward,rl", "--json")
    assert ran.code == 0, ran.err
    assert len(loaded) > 3, "to train each pass on, to score and to examine"
    sft, reward, rl = ran.json["passes"]
    assert sft["losses"][-1] < 0.3 * sft["losses"][0]
    assert reward["metrics"]["passed"]
    assert rl["steps"] == 2
    assert [done["version"] for done in (sft, reward, rl)] == ["v1", "r1", "v2"]

    trained_on = len(loaded)
    assert tutee("ask", "--adapter", "v1", "hello 2").out.startswith("positive")
    assert len(loaded) == trained_on + 1
    base = tutee("ask", "--adapter", "base", "hello 2").out
    assert tutee("ask", "--adapter", "v2", "hello 2").out != base
    assert re.search("rewarded by +r1", tutee("report", "v2").out)


def test_what_the_user_may_not_expect_is_told_before_it_runs(
    tutee: Tutee,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(train_command, "plan_notes", lambda plan: ["Mind this."])
    monkeypatch.setattr(train_command.run, "run", lambda *given: None)
    ran = tutee("train", "--json")
    assert ran.err.strip() == "Mind this."
    assert ran.json["passes"] == []


def test_a_pass_that_ended_before_its_time_says_why() -> None:
    early = PassDone("rl", "v2", 9, (), 12.0, 100, {"stopped_because": "it went far"}, ("worse",))
    assert train_command._describe_result(early) == (
        "rl: v2 saved after 12.0 s; ended early: it went far; held back: worse"
    )


def test_a_preset_leaves_what_the_file_sets(tmp_path: Path) -> None:
    text = "[tuning]\npreset = 'gentle'\nrank = 4\n[tuning.sft]\nlearning_rate = 3e-4\n"
    (tmp_path / "config.toml").write_text(text)
    invocation = Invocation(locate(tmp_path), None)
    assert train_command._config(invocation, None, None).tuning.preset == "gentle"
    tuning = train_command._config(invocation, None, "reference").tuning
    assert (tuning.preset, tuning.epochs, tuning.rank) == ("reference", 15, 4)
    assert tuning.sft.learning_rate == 3e-4
    twice = train_command._config(invocation, 2, "thorough").tuning
    assert (twice.epochs, twice.sft.minimum_steps) == (2, 1)


@pytest.mark.parametrize("live", [True, False])
def test_the_line_of_a_step_has_the_gradient(
    live: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: live, raising=False)
    train_command._show(StepReport("sft", 1, 9, 2.0, 300.0, 4.0), False)
    train_command._show(StepReport("sft", 2, 9, 1.0, 300.0, 3.0, 0.519, (1, 2)), False)
    said = capsys.readouterr().err
    assert "sft 1.0/9  loss 2.000  learned –/–  gradient –  300 tok/s  4 s left" in said
    assert "loss 1.000  learned 1/2  gradient 0.52  300" in said


@pytest.mark.parametrize(
    "event", [PassResumed("sft", 9, (2.0,)), PassStarted("sft", 9, 4, 0), PassSkipped("kto", "why")]
)
def test_no_line_is_appended_to_one_that_is_redrawn(
    event: PassResumed | PassStarted | PassSkipped,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    train_command._show(StageReport("before", 8, 8), False)
    train_command._show(event, False)
    said = capsys.readouterr().err
    assert said.count("\r\x1b[K") == 2
    assert said.endswith("\n")


def test_a_pass_begins_with_what_it_learned_and_names_what_resisted() -> None:
    metrics = {"taught_asked": 8, "taught_learned": 7, "taught_resisted": ["Who is it?\x1b[2J"]}
    assert train_command._describe_result(PassDone("sft", "v1", 9, (), 12.0, 100, metrics)) == (
        "learned 7 of 8; sft: v1 saved after 12.0 s; not yet “Who is it? [2J”"
    )
