"""`tutee recipe` and `tutee adapters add` as a script meets them."""

import json
from pathlib import Path

import pytest

from tests.tui.cli.test_root import Tutee, corrections, home, tutee  # noqa: F401


def test_a_recipe_of_all_or_of_a_version(
    tutee: Tutee,  # noqa: F811
    corrections: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    assert tutee("import", str(corrections)).code == 0
    written = tutee("recipe", "-o", str(tmp_path / "all"), "--json").json
    assert set(written["passes"]) >= {"sft"}
    assert "trl sft --config sft.yaml" in (tmp_path / "all" / "README.md").read_text()

    assert "nothing yet" in tutee("recipe", "base", "-o", str(tmp_path / "none")).err
    assert tutee("train", "--epochs", "1", "--passes", "sft").code == 0
    told = tutee("recipe", "v1", "-o", str(tmp_path / "v1"))
    assert "README.md has the commands" in told.out
    facts = json.loads((tmp_path / "v1" / "recipe.json").read_text())
    learned = tutee("adapters", "--json").json["versions"][0]["records"]
    assert sorted(facts["passes"]["sft"]) == sorted(learned)
    assert facts["settings"]["epochs"] == 1


def test_an_adapter_is_added_and_answers(
    tutee: Tutee,  # noqa: F811
    corrections: Path,  # noqa: F811
    home: Path,  # noqa: F811
) -> None:
    assert tutee("import", str(corrections)).code == 0
    assert tutee("train", "--epochs", "1", "--passes", "sft").code == 0
    (first,) = home.glob("models/*/v1")
    added = tutee("adapters", "add", str(first), "--json").json
    assert added["version"] == "v2"
    assert tutee("report", "v2").code == 0


@pytest.mark.parametrize("arguments", [("recipe",), ("adapters", "add")])
def test_usage(tutee: Tutee, arguments: tuple[str, ...]) -> None:  # noqa: F811
    assert tutee(*arguments).code == 2


def test_no_adapter(tutee: Tutee, tmp_path: Path) -> None:  # noqa: F811
    ran = tutee("adapters", "add", str(tmp_path))
    assert ran.code == 1
    assert "contains no adapter" in ran.err
