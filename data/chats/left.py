"""What was left out of a row, counted by reason."""

from collections import Counter


class Left:
    """Parts of a row that could not be taken."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()

    def out(self, what: str, reason: str, count: int = 1) -> None:
        self._counts[what, reason] += count

    def told(self) -> tuple[str, ...]:
        """One sentence a reason, in the order in which they were met."""
        return tuple(
            f"{count} {what}{'s' if count > 1 else ''} left out: {reason}"
            for (what, reason), count in self._counts.items()
            if count
        )
