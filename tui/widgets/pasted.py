"""Long texts that the prompt shows as one short placeholder each.

Every key redraws what is in a text area, so that a line of 50,000 characters would make typing
slow. The placeholder is edited as one: no edit leaves half of it.
"""

import re
from dataclasses import replace

from textual.widgets.text_area import Edit, Location

from store.i18n import _

LONG_PASTE = 1_000
"""A paste of more characters becomes a placeholder."""
LONG_TEXT = 10_000
"""So does a text of more characters that comes back into the prompt as a whole."""


class Pasted:
    """The texts behind the placeholders of one prompt.

    They are kept as long as the prompt, because undo brings placeholders back.
    """

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}

    def fold(self, text: str) -> str:
        """Return a placeholder for `text` that no other text has."""
        label = _("[pasted {count:,} characters]").format(count=len(text))
        number = 1
        while self._texts.setdefault(label, text) != text:
            number += 1
            label = _("[pasted {count:,} characters, {number}]").format(
                count=len(text), number=number
            )
        return label

    def whole(self, text: str) -> str:
        """Return `text` with every placeholder replaced by what it stands for."""
        found = self._labels()
        return found.sub(lambda label: self._texts[label[0]], text) if found else text

    def spared(self, edit: Edit, lines: list[str]) -> Edit:
        """Return `edit` so that it affects whole placeholders only.

        A placeholder that it would cut is removed; text typed inside one goes behind it.

        Args:
            lines: The lines of the first and the last place of the edit.
        """
        if not self._texts:
            return edit
        first, last = edit.top, edit.bottom
        start, end = self._around(first, lines[0]), self._around(last, lines[1])
        if first == last:
            return replace(edit, from_location=end[1], to_location=end[1])
        return replace(edit, from_location=start[0], to_location=end[1])

    def _around(self, place: Location, line: str) -> tuple[Location, Location]:
        """Return both ends of the placeholder around `place`, or else twice `place`."""
        row, column = place
        found = self._labels()
        for label in found.finditer(line) if found else ():
            if label.start() < column < label.end():
                return (row, label.start()), (row, label.end())
        return place, place

    def _labels(self) -> re.Pattern[str] | None:
        return re.compile("|".join(map(re.escape, self._texts))) if self._texts else None
