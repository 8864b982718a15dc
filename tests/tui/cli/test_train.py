"""`tutee train` whole, from the records to what answers: SFT, reward model and RL.

With the base in NF4, on the processor, where bitsandbytes runs the same code slowly; the tiny model
makes it seconds.
"""

import re
from pathlib import Path
from typing import Any

import pytest

from core.events import PassDone
from core.models import quantization
from tests.tui.cli.test_root import Tutee, home, messages, pair, tutee, write  # noqa: F401
from tui.cli import train as train_command

SETTINGS = """
[serving]
four_bit = "always"

[sampling]
temperature = 0
repetition_penalty = 1.0
max_new_tokens = 8

[tuning]
epochs = 1

[tuning.sft]
learning_rate = 1e-2
minimum_steps = 20
rehearsal = 0

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


def test_a_pass_that_ended_before_its_time_says_why() -> None:
    early = PassDone("rl", "v2", 9, (), 12.0, 100, {"stopped_because": "it went far"}, ("worse",))
    assert train_command._describe_result(early) == (
        "rl: v2 saved after 12.0 s; ended early: it went far; held back: worse"
    )


def test_a_pass_begins_with_what_it_learned_and_names_what_resisted() -> None:
    metrics = {"taught_asked": 8, "taught_learned": 7, "taught_resisted": ["Who is it?\x1b[2J"]}
    assert train_command._describe_result(PassDone("sft", "v1", 9, (), 12.0, 100, metrics)) == (
        "learned 7 of 8; sft: v1 saved after 12.0 s; not yet “Who is it? [2J”"
    )
