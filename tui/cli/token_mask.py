"""Tokens on the terminal, those that are learned told from the others."""

from collections.abc import Iterable

from rich.text import Text

from tui.text_format import harmless


def shown(pieces: Iterable[tuple[str, bool]], *, colours: bool) -> Text:
    """The texts of tokens with whether each is learned.

    Every other learned one is underlined, so that one sees where they end; without colours, the
    learned ones stand in brackets.
    """
    text = Text()
    inside = False
    for number, (token, trained) in enumerate(pieces):
        if trained != inside and not colours:
            text.append("⟦" if trained else "⟧")
        inside = trained
        style = ("bold green" if number % 2 else "bold green underline") if trained else "dim"
        text.append(harmless(token), style)
    if inside and not colours:
        text.append("⟧")
    return text
