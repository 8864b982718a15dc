"""Writing settings: what the person wrote around them stays, and nothing bad is written."""

from pathlib import Path

import pytest

from core import config, config_file
from core.config import Config
from store.errors import TuteeError

OWN = """\
# my settings
[sampling]
temperature = 0.5   # warm enough

[tuning]  # careful
# three was too much
epochs = 2
rank = 8
"""


def test_one_value_changes_and_all_else_stays() -> None:
    changed = config_file.with_value(OWN, "tuning", "epochs", 4)
    assert changed == OWN.replace("epochs = 2", "epochs = 4")
    warmer = config_file.with_value(OWN, "sampling", "temperature", 0.7)
    assert warmer == OWN.replace("0.5 ", "0.7 ")


def test_a_section_and_a_key_that_were_not_there_are_added() -> None:
    changed = config_file.with_value(OWN, "screen", "theme", "light")
    assert changed.startswith(OWN)
    assert changed.endswith('[screen]\ntheme = "light"\n')
    assert "[tuning]  # careful" in config_file.with_value(OWN, "tuning", "alpha", 16)


def test_a_first_setting_makes_the_file(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    config_file.change(path, "tuning.sft", "learning_rate", 1e-5)
    assert path.read_text(encoding="utf-8").startswith("#")
    assert path.stat().st_mode & 0o077 == 0
    assert config.load(path).tuning.sft.learning_rate == 1e-5


@pytest.mark.parametrize(
    "prompt", ["", "Be brief.\nBe kind.", 'Say "hi" \\ [b]no[/b]', "用中文回答。"]
)
def test_any_system_prompt_comes_back_as_it_was(tmp_path: Path, prompt: str) -> None:
    path = tmp_path / "config.toml"
    assert config_file.change(path, "chat", "system_prompt", prompt).chat.system_prompt == prompt
    assert config.load(path).chat.system_prompt == prompt


def test_a_value_is_taken_out_again() -> None:
    assert config_file.without(OWN, "tuning", "rank") == OWN.replace("rank = 8\n", "")
    assert config_file.without(OWN, "screen", "theme") == OWN


def test_nothing_bad_is_written(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(OWN, encoding="utf-8")
    with pytest.raises(TuteeError, match=r"tuning\.epochs"):
        config_file.change(path, "tuning", "epochs", 0)
    assert path.read_text(encoding="utf-8") == OWN
    path.write_text("[tuning\n", encoding="utf-8")
    with pytest.raises(TuteeError, match="TOML"):
        config_file.change(path, "tuning", "epochs", 3)


def test_every_setting_says_what_it_means() -> None:
    tuning = Config().tuning
    nested = (tuning.sft, tuning.preference, tuning.reward, tuning.rl)
    for section in (Config().chat, Config().sampling, Config().screen, tuning, *nested):
        for name, field in type(section).model_fields.items():
            assert field.description or getattr(section, name) in nested, name


FLAT = """\
# my settings
[tuning]  # careful
# of everything

# three was too much
epochs = 2
# few, but
# good ones
rl_steps = 3  # ok
learning_rate = 1e-3
rank = 8

# looks
[screen]
bell = false
"""
NESTED = """\
# my settings
[tuning]  # careful
# of everything

# three was too much
epochs = 2
rank = 8

[tuning.rl]
# few, but
# good ones
steps = 3  # ok

[tuning.sft]
learning_rate = 1e-3

# looks
[screen]
bell = true
"""


def test_flat_names_move_to_their_tables_with_their_comments_on_a_write(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(FLAT, encoding="utf-8")
    before = config.load(path)
    assert (before.tuning.rl.steps, before.tuning.sft.learning_rate) == (3, 1e-3)
    changed = config_file.change(path, "screen", "bell", True)
    assert path.read_text(encoding="utf-8") == NESTED
    assert changed.tuning == before.tuning
    assert config_file.with_value(NESTED, "screen", "bell", False) == NESTED.replace(
        "true", "false"
    )


@pytest.mark.parametrize(
    "text",
    [
        "tuning.rl_steps = 3\ntuning.epochs = 2\n[screen]\nbell = false\n",
        "tuning = {epochs = 2, rl_steps = 3}  # mine\n",
        "[tuning]\nepochs = 2\nrl_steps = 3\n\n[screen]\nbell = true\n\n[tuning.rl]\nprompts = 2\n",
        "[tuning]\nrl.prompts = 3\nrl_steps = 3\nepochs = 2",
        "[tuning]\nepochs = 2\nrl_steps = 3\n\n# RL\n[tuning.rl]\nbeta = 1\n\n# looks\n[screen]\n",
        "[tuning.rl]\nsteps = 3\n[tuning]\nepochs = 2\n",
    ],
)
def test_flat_names_move_however_they_are_written(text: str) -> None:
    path = Path("config.toml")
    before = config.parse(text, path)
    changed = config_file.with_value(text, "tuning.rl", "generations", 8)
    rl = before.tuning.rl.model_copy(update={"generations": 8})
    tuning = before.tuning.model_copy(update={"rl": rl})
    assert config.parse(changed, path) == before.model_copy(update={"tuning": tuning})
    assert "rl_steps" not in changed
    assert changed.count("#") == text.count("#")
    taken = config_file.without(text, "tuning.rl", "steps")
    assert config.parse(taken, path).tuning.rl.steps == Config().tuning.rl.steps
    assert config_file.without(text, "tuning.rl", "generations") == text


def test_a_value_goes_above_the_comments_of_the_next_table() -> None:
    changed = config_file.with_value("[chat]\n\n# looks\n[screen]\n", "chat", "model", "mine")
    assert changed == '[chat]\nmodel = "mine"\n\n# looks\n[screen]\n'
