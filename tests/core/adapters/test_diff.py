"""Two versions are compared by how they were made and what they learned."""

from core.adapters.diff import Difference
from core.adapters.manifest import BASE
from core.adapters.registry import Adapters
from tests.versions import add_version


def test_two_versions_differ_in_what_made_them_and_what_they_learned(adapters: Adapters) -> None:
    add_version(adapters, "a", settings={"rank": 8, "seed": 0}, libraries={"trl": "1.16"}, data="x")
    metrics = {"seconds": 3.0, "losses": [1.0], "steps": 2}
    add_version(
        adapters,
        *("b", "c"),
        parent="v1",
        settings={"rank": 16, "seed": 0, "beta": 0.1},
        libraries={"trl": "1.16"},
        data="y",
        metrics=metrics,
    )
    found = adapters.diff("v1", "v2")
    assert (found.a, found.b) == ("v1", "v2")
    assert found.settings == {"rank": (8, 16), "beta": (None, 0.1)}
    assert found.libraries == {}
    assert found.facts == {"parent": (BASE, "v1"), "data": ("x", "y")}
    assert found.metrics == {"seconds": (None, 3.0), "steps": (None, 2)}
    assert (found.only_a, found.only_b, found.both) == ((), ("b", "c"), 1)


def test_a_version_is_compared_with_the_base(adapters: Adapters) -> None:
    add_version(adapters, "a")
    found = adapters.diff("v1", BASE)
    assert (found.only_a, found.only_b, found.both) == (("a",), (), 0)


def test_a_version_does_not_differ_from_itself(adapters: Adapters) -> None:
    add_version(adapters, "a", settings={"rank": 8})
    adapters.label("v1", "polite")
    assert adapters.diff("polite", "v1") == Difference("v1", "v1", both=1)
