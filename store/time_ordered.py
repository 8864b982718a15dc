"""Items in the order of their time, cheap to keep while new ones come in."""

from collections.abc import Callable
from datetime import datetime
from typing import Generic, TypeVar

_Item = TypeVar("_Item")


class ByTime(Generic[_Item]):
    """Items by id, oldest first.

    What comes in is nearly always the newest, so the order is there already; sorting waits until
    somebody looks after something older came in.

    Args:
        time: The moment of an item.
    """

    def __init__(self, time: Callable[[_Item], datetime]) -> None:
        self._time = time
        self._items: dict[str, _Item] = {}
        self._newest: datetime | None = None
        self._sorted = True

    def put(self, item_id: str, item: _Item) -> None:
        """Add an item, or take the place of the one with its id."""
        self._items.pop(item_id, None)
        self._items[item_id] = item
        moment = self._time(item)
        if self._newest is None or moment >= self._newest:
            self._newest = moment
        else:
            self._sorted = False

    def discard(self, item_id: str) -> None:
        """Take an item away if it is there."""
        self._items.pop(item_id, None)

    def all(self) -> list[_Item]:
        """All items, oldest first; those of one moment in the order they came."""
        if not self._sorted:
            pairs = sorted(self._items.items(), key=lambda pair: self._time(pair[1]))
            self._items = dict(pairs)
            self._sorted = True
        return list(self._items.values())
