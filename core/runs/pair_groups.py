"""Which pairs are alike: those of one conversation or with the same prompt."""

from collections.abc import Hashable, Iterable

from store.records import Preference


def pair_groups(pairs: Iterable[Preference]) -> dict[str, Hashable]:
    """Return the group of each pair, by its id.

    Pairs share a group if a chain of equal prompts and common conversations connects them.
    """
    pairs = tuple(pairs)
    parents: dict[Hashable, Hashable] = {}

    def root(key: Hashable) -> Hashable:
        parents.setdefault(key, key)
        while parents[key] is not key:
            parents[key] = parents[parents[key]]
            key = parents[key]
        return key

    for pair in pairs:
        if pair.conversation_id:
            parents[root(pair.prompt)] = root(pair.conversation_id)
    return {pair.id: root(pair.prompt) for pair in pairs}
