"""Compare two versions: how they were made, and what they have learned.

Records are compared over all ancestors, because a version knows what its parents learned too.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from core.adapters.manifest import Manifest

Pair = tuple[Any, Any]
"""The value in the first version and in the second; None where it is missing."""

_FACTS = ("kind", "pass_name", "parent", "revision", "template", "data", "held_back")
_LONG = (list, tuple, dict)
"""Curves and the like, which would swamp a list of differences."""


@dataclass(frozen=True)
class Difference:
    """What differs between versions `a` and `b`; equal values are left out."""

    a: str
    b: str
    facts: Mapping[str, Pair] = field(default_factory=dict)
    """The pass, the parent, the hash of the data and so on."""
    settings: Mapping[str, Pair] = field(default_factory=dict)
    libraries: Mapping[str, Pair] = field(default_factory=dict)
    metrics: Mapping[str, Pair] = field(default_factory=dict)
    """Single numbers; no curves."""
    only_a: tuple[str, ...] = ()
    """Ids of the records that only `a` has learned."""
    only_b: tuple[str, ...] = ()
    both: int = 0
    """Number of records that both have learned."""


def difference(
    a: Manifest, b: Manifest, learned_a: frozenset[str], learned_b: frozenset[str]
) -> Difference:
    """Compare two manifests, and the records each version has learned with its ancestors."""
    facts = {name: (getattr(a, name), getattr(b, name)) for name in _FACTS}
    return Difference(
        a=a.version,
        b=b.version,
        facts={name: pair for name, pair in facts.items() if pair[0] != pair[1]},
        settings=_differing(a.settings, b.settings),
        libraries=_differing(a.libraries, b.libraries),
        metrics=_differing(_figures(a.metrics), _figures(b.metrics)),
        only_a=tuple(sorted(learned_a - learned_b)),
        only_b=tuple(sorted(learned_b - learned_a)),
        both=len(learned_a & learned_b),
    )


def _differing(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, Pair]:
    names = dict.fromkeys((*a, *b))
    return {name: (a.get(name), b.get(name)) for name in names if a.get(name) != b.get(name)}


def _figures(metrics: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in metrics.items() if not isinstance(value, _LONG)}
