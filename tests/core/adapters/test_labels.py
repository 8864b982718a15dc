"""Labels and notes name versions, and nothing else."""

from collections.abc import Callable

import pytest

from core.adapters.manifest import BASE
from core.adapters.registry import Adapters
from store.errors import TuteeError
from tests.versions import add_version


def test_a_version_is_found_by_its_label(adapters: Adapters) -> None:
    add_version(adapters, "a")
    add_version(adapters, "b")
    assert adapters.label("v2", "  polite   one ") == "v2"
    assert adapters.remark("v2").label == "polite one"
    assert adapters.resolve("polite one") == "v2"
    assert adapters.path("polite one") == adapters.dir / "v2"
    assert adapters.use("polite one") == adapters.active() == "v2"
    assert adapters.note("polite one", "for guests\n") == "v2"
    assert adapters.remark("v2").note == "for guests"
    adapters.label("v2", "curt")
    assert adapters.remark("v2").note == "for guests"
    with pytest.raises(TuteeError, match="no adapter “polite one”"):
        adapters.resolve("polite one")


def test_empty_words_take_label_and_note_away(adapters: Adapters) -> None:
    add_version(adapters)
    adapters.label("v1", "polite")
    adapters.note("v1", "for guests")
    adapters.label("v1", "")
    adapters.note("v1", " ")
    assert adapters.remarks() == {}


def test_a_label_names_one_version_only(adapters: Adapters) -> None:
    add_version(adapters)
    add_version(adapters, kind="reward")
    adapters.label("v1", "polite")
    adapters.label("v1", "polite")
    with pytest.raises(TuteeError, match="v1 already has the label “polite”"):
        adapters.label("r1", "polite")
    adapters.use(BASE)
    adapters.delete("polite")
    assert adapters.label("r1", "polite") == "r1"


@pytest.mark.parametrize("label", ["base", "v12", "R3", "-x", "a\x1b[2Jb", "x" * 41])
def test_a_label_is_no_version_no_option_and_short(adapters: Adapters, label: str) -> None:
    add_version(adapters)
    with pytest.raises(TuteeError):
        adapters.label("v1", label)
    assert adapters.remarks() == {}


def test_a_deleted_version_takes_its_words_with_it(adapters: Adapters) -> None:
    add_version(adapters)
    adapters.note("v1", "secret")
    adapters.delete("v1")
    assert b"secret" not in (adapters.dir / "labels.json").read_bytes()


@pytest.mark.parametrize("act", [Adapters.label, Adapters.note])
def test_the_base_has_neither_label_nor_note(
    adapters: Adapters, act: Callable[[Adapters, str, str], str]
) -> None:
    with pytest.raises(TuteeError, match="original model"):
        act(adapters, BASE, "x")


def test_damaged_labels_are_named_and_do_not_hide_the_versions(adapters: Adapters) -> None:
    add_version(adapters)
    adapters.label("v1", "polite")
    (adapters.dir / "labels.json").write_text("[]")
    assert adapters.use("v1") == "v1"
    with pytest.raises(TuteeError, match=r"labels\.json"):
        adapters.remarks()
