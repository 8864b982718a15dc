"""How Tutee looks, dark, light, or as known elsewhere: quiet greys, and four hues of one meaning.

Green is kept or liked, red is refused or disliked, amber runs or waits, blue has the focus.
"""

from dataclasses import replace

from textual.content import Content
from textual.theme import BUILTIN_THEMES, Theme

MUTED = "$foreground 55%"
"""Text that is there when looked for. (`$text-muted` works in style sheets only.)"""


def _quiet(foreground: str, background: str, line: str, faint: str) -> dict[str, str]:
    """What the theme's own few colours make of the parts that Textual would colour."""
    scrollbars = ("background", "background-hover", "background-active", "corner-color")
    return {
        "footer-background": background,
        "block-cursor-foreground": foreground,
        "block-cursor-text-style": "bold",
        "border": line,
        "border-blurred": faint,
        "scrollbar": faint,
        "scrollbar-hover": line,
        "scrollbar-active": line,
        **{f"scrollbar-{part}": background for part in scrollbars},
        **{f"markdown-h{level}-color": foreground for level in range(1, 7)},
    }


DARK = Theme(
    name="tutee-dark",
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
        **_quiet("#D6D9DF", "#14161A", "#3B424D", "#2E333B"),
        "footer-key-foreground": "#AEB6C2",
        "footer-description-foreground": "#7F8794",
        "block-cursor-background": "#2A3442",
        "input-selection-background": "#6CA6F0 30%",
    },
)

LIGHT = Theme(
    name="tutee-light",
    primary="#1F5FBF",
    secondary="#56657A",
    accent="#1F5FBF",
    success="#2B7A3A",
    warning="#8F5A00",
    error="#B3262E",
    foreground="#24292F",
    background="#FCFCFB",
    surface="#F3F3F1",
    panel="#E6E7E4",
    dark=False,
    variables={
        **_quiet("#24292F", "#FCFCFB", "#A9AFB7", "#D3D6DA"),
        "footer-key-foreground": "#434B55",
        "footer-description-foreground": "#6B737D",
        "block-cursor-background": "#D7E4F7",
        "input-selection-background": "#1F5FBF 25%",
    },
)


def _quietened(name: str) -> Theme:
    """A theme that comes with Textual, with its parts as quiet as ours."""
    theme = BUILTIN_THEMES[name]
    foreground, background = theme.foreground or "", theme.background or ""
    line, faint = theme.secondary or "", theme.panel or ""
    variables = {**theme.variables, **_quiet(foreground, background, line, faint)}
    variables["footer-key-foreground"] = foreground
    return replace(theme, name=f"tutee-{name}", variables=variables)


KNOWN = ("nord", "gruvbox", "tokyo-night", "catppuccin-latte", "solarized-light")
"""Those that many people know from their editor."""

THEMES = (DARK, LIGHT, *map(_quietened, KNOWN))


def theme_for(name: str, *, light: bool) -> str:
    """What Textual calls the theme of that setting.

    Args:
        name: As the settings name it.
        light: The terminal has a light background.
    """
    named = {
        "auto": LIGHT.name if light else DARK.name,
        "dark": DARK.name,
        "light": LIGHT.name,
        "terminal": "ansi-light" if light else "ansi-dark",
    }
    return named.get(name, f"tutee-{name}")


def checkbox(checked: bool) -> Content:
    """A box that says the same without colours."""
    return (
        Content("[x]").stylize("bold $text-success") if checked else Content("[ ]").stylize(MUTED)
    )
