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
    config_file.change(path, "tuning", "learning_rate", 1e-5)
    assert path.read_text(encoding="utf-8").startswith("#")
    assert path.stat().st_mode & 0o077 == 0
    assert config.load(path).tuning.learning_rate == 1e-5


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
    for section in (Config().chat, Config().sampling, Config().screen, Config().tuning):
        for name, field in type(section).model_fields.items():
            assert field.description, name
