"""Render tokens in the terminal, highlighting the ones that carry loss."""

from collections.abc import Iterable

from rich.console import Console
from rich.text import Text

from tui.text_format import harmless


def render_tokens(pieces: Iterable[tuple[str, bool]], console: Console) -> Text:
    """Render `(text, carries loss)` pieces.

    Every other highlighted token is underlined, so that their boundaries show. Without color,
    tokens that carry loss are enclosed in brackets.
    """
    color = console.is_terminal and not console.no_color
    text = Text()
    inside = False
    for number, (token, trained) in enumerate(pieces):
        if trained != inside and not color:
            text.append("⟦" if trained else "⟧")
        inside = trained
        style = ("bold green" if number % 2 else "bold green underline") if trained else "dim"
        text.append(harmless(token), style)
    if inside and not color:
        text.append("⟧")
    return text
