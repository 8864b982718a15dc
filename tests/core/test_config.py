"""Settings: every default in place, every mistake named."""

from pathlib import Path
from typing import get_args

import pytest

from core import config
from core.config import PRESETS, TUNING_PRESETS, Config, RewardTuning, RLTuning, Tuning
from store.errors import TuteeError


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_no_file_means_defaults(tmp_path: Path) -> None:
    assert config.load(tmp_path / "config.toml") == Config()


def test_what_is_set_is_taken_and_the_rest_stays(tmp_path: Path) -> None:
    found = config.load(written(tmp_path, "[sampling]\ntemperature = 0.2\n"))
    assert found.sampling.temperature == 0.2
    assert found.tuning == Config().tuning


@pytest.mark.parametrize("name", ["chat.like", '"chat.like"'])
def test_the_id_of_a_key_may_be_quoted(tmp_path: Path, name: str) -> None:
    found = config.load(written(tmp_path, f'[keys]\n{name} = "f2,ctrl+l"\n'))
    assert found.keys == {"chat.like": "f2,ctrl+l"}


def test_words_of_ones_own_name_tasks(tmp_path: Path) -> None:
    found = config.load(written(tmp_path, '[tasks]\ntranslation = ["into Latin"]\nrecipes = []\n'))
    assert found.tasks == {"translation": ("into Latin",), "recipes": ()}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[tuning]\nepochs = 0", "tuning.epochs"),
        ("[tuning]\nepoch = 3", "tuning.epoch"),
        ("[tuning.rl]\nsteps = 0", r"tuning\.rl\.steps"),
        ("[tuning]\nrl_steps = 0", r"tuning\.rl_steps"),
        ("[tuning]\nrl_steps = 3\nrl.steps = 2", r"tuning\.rl_steps"),
        ("[tuning]\nrl_steps = 3\nrl = 2", r"tuning\.rl"),
        ("[sampling]\ntemperature = 'hot'", "sampling.temperature"),
        ("[chat", "not valid TOML"),
        ("a = " + "[" * 5000, "not valid TOML"),
        ("[tuning]\nrank = " + "9" * 5000, "not valid TOML"),
        ("[tuning.preference]\nbeta = inf", r"tuning\.preference\.beta"),
        ("[tuning]\nsft_weight = inf", r"tuning\.sft_weight"),
        ("[tuning]\nrehearsal = inf", r"tuning\.rehearsal"),
        ("[tuning.rl]\nkl_limit = inf", r"tuning\.rl\.kl_limit"),
        ("[tuning.rl]\nbeta = nan", r"tuning\.rl\.beta"),
        ("[tuning]\nwarmup = 1e300", r"tuning\.warmup"),
        ("[tuning]\nrank = 99999999999", r"tuning\.rank"),
        ("[tuning]\nseed = true", r"tuning\.seed"),
        ("[tuning]\nseed = -1", r"tuning\.seed"),
        ("[tuning]\nepochs = true", r"tuning\.epochs"),
        ("[tuning]\nrehearsal = true", r"tuning\.rehearsal"),
        ("[sampling]\nseed = true", r"sampling\.seed"),
        ("[serving]\ncache_mb = 100000000000000", r"serving\.cache_mb"),
        ("[chat]\nmodel = ''", r"chat\.model"),
        ("[tasks]\ntranslation = 'into Latin'", "tasks.translation"),
        ("[tasks]\ntranslation = [' ']", "tasks.translation.0"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(TuteeError, match=named):
        config.load(written(tmp_path, text))


def test_a_file_that_is_not_text_is_named(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(TuteeError, match=r"config\.toml"):
        config.load(path)


def test_flat_names_of_earlier_versions_are_understood(tmp_path: Path) -> None:
    flat = "[tuning]\nepochs = 2\nlearning_rate = 1e-3\nkl_limit = 2\n[tuning.rl]\nsteps = 9\n"
    tuning = config.load(written(tmp_path, flat)).tuning
    assert (tuning.epochs, tuning.sft.learning_rate) == (2, 1e-3)
    assert (tuning.rl.kl_limit, tuning.rl.steps) == (2, 9)


def test_manifests_and_saved_runs_hold_flat_names() -> None:
    tuning = Tuning(rank=4, rl=RLTuning(prompts=2), reward=RewardTuning(incremental=True))
    flat = tuning.model_dump()
    assert (flat["rank"], flat["rl_prompts"], flat["reward_incremental"]) == (4, 2, True)
    assert len(flat) == 32
    assert not any(isinstance(value, dict) for value in flat.values())
    assert Tuning.model_validate(flat) == tuning
    assert Tuning.model_validate_json(tuning.model_dump_json()) == tuning
    assert Tuning.model_validate({"rank": 4, "rl": {"prompts": 2}, "reward": {"incremental": True}})


def test_a_preset_gives_the_defaults_and_what_is_set_wins(tmp_path: Path) -> None:
    text = "[tuning]\npreset = 'reference'\nrank = 8\n[tuning.sft]\nlearning_rate = 3e-4\n"
    tuning = config.load(written(tmp_path, text)).tuning
    assert (tuning.preset, tuning.epochs, tuning.warmup) == ("reference", 15, 10)
    assert (tuning.rank, tuning.sft.learning_rate, tuning.sft.minimum_steps) == (8, 3e-4, 1)
    assert tuning.rl == RLTuning()
    flat = config.load(written(tmp_path, "[tuning]\npreset = 'thorough'\nlearning_rate = 3e-4"))
    assert flat.tuning.sft.learning_rate == 3e-4


def test_each_preset_is_one_of_its_own_and_survives_a_manifest() -> None:
    presets = [Tuning.model_validate({"preset": name}) for name in TUNING_PRESETS]
    assert presets[0] == Tuning()
    values = [{**tuning.model_dump(), "preset": ""} for tuning in presets]
    assert all(values.count(one) == 1 for one in values)
    assert [Tuning.model_validate(tuning.model_dump()) for tuning in presets] == presets
    assert set(TUNING_PRESETS) == set(get_args(Tuning.model_fields["preset"].annotation))


def test_a_saved_value_that_equals_the_usual_default_is_not_overridden() -> None:
    flat = Tuning(epochs=3).model_dump() | {"preset": "reference"}
    assert Tuning.model_validate(flat).epochs == 3


@pytest.mark.parametrize("text", ["preset = 'wild'", "preset = 3", "preset = 'gentle'\nsft = 2"])
def test_a_bad_preset_or_section_is_an_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(TuteeError, match=r"tuning\.(preset|sft)"):
        config.load(written(tmp_path, f"[tuning]\n{text}"))


def test_the_sampling_of_the_reference_run_is_a_preset() -> None:
    found = PRESETS["reference"].sampling()
    assert (found.temperature, found.top_p, found.repetition_penalty) == (0.7, 0.9, 1.1)
    assert found.max_new_tokens == 100
