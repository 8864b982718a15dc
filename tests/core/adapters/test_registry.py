"""What versions there are, which of them is active, and what each has learned."""

import pytest

from core.adapters.manifest import BASE
from core.adapters.registry import Adapters
from store.errors import TuteeError
from tests.versions import add_version


def test_nothing_but_the_base_at_first(adapters: Adapters) -> None:
    assert adapters.active() == BASE
    assert adapters.versions() == []
    assert adapters.path(BASE) is None
    assert adapters.learned() == frozenset()


def test_rolling_back_makes_the_records_of_the_abandoned_version_new_again(
    adapters: Adapters,
) -> None:
    add_version(adapters, "a")
    add_version(adapters, "b", "c", parent="v1")
    adapters.use("v1")
    adapters.use("v2")
    assert adapters.learned() == {"a", "b", "c"}
    adapters.rollback()
    assert adapters.learned() == {"a"}
    assert adapters.learned("v2") == {"a", "b", "c"}


def test_an_unknown_version_is_refused_with_those_there_are(adapters: Adapters) -> None:
    add_version(adapters)
    with pytest.raises(TuteeError, match="base, v1") as caught:
        adapters.use("v9")
    assert "v9" in caught.value.title
    assert adapters.active() == BASE


def test_a_reward_model_cannot_be_the_one_that_answers(adapters: Adapters) -> None:
    add_version(adapters, kind="reward")
    with pytest.raises(TuteeError, match="r1 is a reward model"):
        adapters.use("r1")
    assert adapters.active() == BASE


def test_what_a_deleted_parent_learned_is_still_known(adapters: Adapters) -> None:
    add_version(adapters, "a")
    add_version(adapters, "b", parent="v1")
    adapters.use("v2")
    assert adapters.delete("v1") == "v1"
    assert not (adapters.dir / "v1").exists()
    assert [m.version for m in adapters.versions()] == ["v2"]
    assert adapters.learned() == {"a", "b"}
    with pytest.raises(TuteeError, match="no adapter “v1”"):
        adapters.path("v1")


@pytest.mark.parametrize("version", ["v1", BASE])
def test_the_version_that_answers_is_not_deleted_nor_is_the_base(
    adapters: Adapters, version: str
) -> None:
    add_version(adapters)
    adapters.use("v1")
    with pytest.raises(TuteeError):
        adapters.delete(version)
    assert adapters.path("v1") == adapters.dir / "v1"
