"""Tutee's own look: quiet greys, and four hues that each mean one thing.

Green is kept or liked, red is refused or disliked, amber runs or waits, blue has the focus.
"""

from textual.content import Content
from textual.theme import Theme

MUTED = "$foreground 55%"
"""Text that is there when looked for. (`$text-muted` works in style sheets only.)"""

TUTEE = Theme(
    name="tutee",
    primary="#6CA6F0",
    secondary="#8FA3BF",
    accent="#6CA6F0",
    success="#86C28B",
    warning="#E0B165",
    error="#E57F84",
    foreground="#D6D9DF",
    background="#14161A",
    surface="#1A1D22",
    panel="#23272E",
    dark=True,
    variables={
        "footer-background": "#14161A",
        "footer-key-foreground": "#AEB6C2",
        "footer-description-foreground": "#7F8794",
        "block-cursor-background": "#2A3442",
        "block-cursor-foreground": "#D6D9DF",
        "block-cursor-text-style": "bold",
        "border": "#3B424D",
        "border-blurred": "#2A2F37",
        "scrollbar": "#2E333B",
        "scrollbar-hover": "#454C57",
        "scrollbar-active": "#5A6370",
        "scrollbar-background": "#14161A",
        "scrollbar-background-hover": "#14161A",
        "scrollbar-background-active": "#14161A",
        "scrollbar-corner-color": "#14161A",
        "input-selection-background": "#6CA6F0 30%",
        "markdown-h1-color": "#D6D9DF",
        "markdown-h2-color": "#D6D9DF",
        "markdown-h3-color": "#D6D9DF",
        "markdown-h4-color": "#D6D9DF",
        "markdown-h5-color": "#D6D9DF",
        "markdown-h6-color": "#D6D9DF",
    },
)


def checkbox(checked: bool) -> Content:
    """A box that says the same without colours."""
    return (
        Content("[x]").stylize("bold $text-success") if checked else Content("[ ]").stylize(MUTED)
    )
