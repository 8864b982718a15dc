"""The title line of a screen."""

from textual.content import Content

from tui.theme import MUTED


def title_line(title: str, detail: str = "") -> Content:
    return Content.assemble((title, "bold"), "  ", (detail, MUTED))
