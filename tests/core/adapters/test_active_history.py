"""The active version, and the way back."""

import pytest

from core.adapters.manifest import BASE
from core.adapters.registry import Adapters
from store.errors import TuteeError
from tests.versions import add_version


def test_use_and_roll_back(adapters: Adapters) -> None:
    add_version(adapters, "a")
    add_version(adapters, "b", parent="v1")
    adapters.use("v1")
    adapters.use("v2")
    assert adapters.active() == "v2"
    assert adapters.rollback() == "v1"
    assert adapters.rollback() == BASE
    with pytest.raises(TuteeError, match="nothing to roll back"):
        adapters.rollback()


def test_a_damaged_pointer_is_named(adapters: Adapters) -> None:
    add_version(adapters)
    adapters.use("v1")
    (adapters.dir / "active.json").write_text("")
    with pytest.raises(TuteeError, match=r"active\.json"):
        adapters.active()


def test_a_version_removed_by_hand_is_passed_over(adapters: Adapters) -> None:
    add_version(adapters)
    add_version(adapters, parent="v1")
    adapters.use("v1")
    adapters.use("v2")
    for path in (adapters.dir / "v2").iterdir():
        path.unlink()
    (adapters.dir / "v2").rmdir()
    assert adapters.active() == "v1"


def test_rolling_back_passes_over_a_deleted_version(adapters: Adapters) -> None:
    for _ in range(2):
        add_version(adapters)
    for version in ("v1", "v2", "v1"):
        adapters.use(version)
    adapters.delete("v2")
    assert adapters.rollback() == BASE
