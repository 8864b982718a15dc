"""What was left out of a row, counted by reason."""

from collections import Counter
from typing import Literal

from store.i18n import ngettext

SkippedPart = Literal["message", "earlier message", "part", "thumb", "verdict", "preference"]


class SkippedParts:
    def __init__(self) -> None:
        self._counts: Counter[tuple[SkippedPart, str]] = Counter()

    def add(self, part: SkippedPart, reason: str, count: int = 1) -> None:
        self._counts[part, reason] += count

    def sentences(self) -> tuple[str, ...]:
        """Return one sentence per reason, in the order they occurred."""
        return tuple(
            _sentence(part, count).format(count=count, reason=reason)
            for (part, reason), count in self._counts.items()
            if count
        )


def _sentence(part: SkippedPart, n: int) -> str:
    match part:
        case "message":
            return ngettext(
                "{count} message left out: {reason}", "{count} messages left out: {reason}", n
            )
        case "earlier message":
            return ngettext(
                "{count} earlier message left out: {reason}",
                "{count} earlier messages left out: {reason}",
                n,
            )
        case "part":
            return ngettext(
                "{count} part left out: {reason}", "{count} parts left out: {reason}", n
            )
        case "thumb":
            return ngettext(
                "{count} thumb left out: {reason}", "{count} thumbs left out: {reason}", n
            )
        case "verdict":
            return ngettext(
                "{count} verdict left out: {reason}", "{count} verdicts left out: {reason}", n
            )
        case "preference":
            return ngettext(
                "{count} preference left out: {reason}", "{count} preferences left out: {reason}", n
            )
