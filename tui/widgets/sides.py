"""One line with text on the left and on the right."""

from textual.content import Content
from textual.widgets import Static


class Sides(Static):
    """Both sides in one widget instead of three, because a chat has many such lines."""

    _left = _right = Content("")

    def show(self, left: Content, right: Content) -> None:
        self._left, self._right = left, right
        self.refresh()

    def render(self) -> Content:
        room = max(self.content_size.width - self._left.cell_length - 2, 0)
        right = self._right.truncate(room, ellipsis=True)
        gap = room + 2 - right.cell_length
        return Content.assemble(self._left, " " * gap, right)
