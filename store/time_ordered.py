"""Items ordered by time, cheap to keep ordered as new ones arrive."""

from collections.abc import Callable
from datetime import datetime
from typing import Generic, TypeVar

_Item = TypeVar("_Item")


class TimeOrdered(Generic[_Item]):
    """Items by id, oldest first.

    New items are nearly always the newest, so the order holds already; sorting is deferred until
    the items are read after an older one arrived.
    """

    def __init__(self, time: Callable[[_Item], datetime]) -> None:
        self._time = time
        self._items: dict[str, _Item] = {}
        self._newest: datetime | None = None
        self._sorted = True

    def put(self, item_id: str, item: _Item) -> None:
        """Add an item, or replace the one with the same id."""
        self._items.pop(item_id, None)
        self._items[item_id] = item
        moment = self._time(item)
        if self._newest is None or moment >= self._newest:
            self._newest = moment
        else:
            self._sorted = False

    def discard(self, item_id: str) -> None:
        """Remove an item if it is there."""
        self._items.pop(item_id, None)

    def all(self) -> list[_Item]:
        """Return all items, oldest first; items of the same time in the order they were added."""
        if not self._sorted:
            self._items = dict(sorted(self._items.items(), key=lambda pair: self._time(pair[1])))
            self._sorted = True
        return list(self._items.values())
