"""The themes: our own, dark and light, the terminal's colors, and some known from editors.

Grays, and four hues with one meaning each: green for kept or liked, red for refused or disliked,
amber for running or waiting, blue for the focus. Color is never the only sign, because some
terminals have none. Quiet text is as faint as the contrast for readable text allows.
"""

from dataclasses import replace

from textual.color import Color
from textual.content import Content
from textual.theme import BUILTIN_THEMES, Theme

MUTED = "$quiet"
"""Style of secondary text. (`$text-muted` works in style sheets only.)"""
READABLE = 4.5
"""Least contrast of readable text (WCAG 2, AA)."""


def contrast(one: Color, other: Color) -> float:
    """Return the contrast of two colors, from 1 to 21 (WCAG 2)."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(color: Color) -> float:
    parts = (part / 255 for part in color.rgb)
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _faintest(foreground: str, *backgrounds: str) -> str:
    """Return the faintest shade of `foreground` that is readable on all `backgrounds`."""
    text, behind = Color.parse(foreground), [Color.parse(color) for color in backgrounds]
    for percent in range(50, 100):
        shade = behind[0].blend(text, percent / 100)
        if min(contrast(shade, color) for color in behind) >= READABLE:
            return shade.hex
    return text.hex


def _quiet(
    foreground: str, background: str, line: str, faint: str, panel: str, marked: str
) -> dict[str, str]:
    """Return theme variables that replace Textual's colorful defaults.

    `line` is the color of borders, `faint` that of borders without the focus, and `marked` the
    background of the selected line of a list.
    """
    scrollbars = ("background", "background-hover", "background-active", "corner-color")
    return {
        "footer-background": background,
        "quiet": _faintest(foreground, background, panel, marked),
        "block-cursor-foreground": foreground,
        "block-cursor-background": marked,
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
        **_quiet("#D6D9DF", "#14161A", "#3B424D", "#2E333B", "#23272E", "#2A3442"),
        "footer-key-foreground": "#AEB6C2",
        "footer-description-foreground": "#7F8794",
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
        **_quiet("#24292F", "#FCFCFB", "#A9AFB7", "#D3D6DA", "#E6E7E4", "#D7E4F7"),
        "footer-key-foreground": "#434B55",
        "footer-description-foreground": "#5F6771",
        "input-selection-background": "#1F5FBF 25%",
    },
)


_MARKED = 0.2
"""Share of the primary hue in the background of the selected line."""


def _quietened(name: str) -> Theme:
    theme = BUILTIN_THEMES[name]
    foreground, background = theme.foreground or "", theme.background or ""
    line, panel = theme.secondary or "", theme.panel or ""
    marked = Color.parse(background).blend(Color.parse(theme.primary), _MARKED).hex
    quiet = _quiet(foreground, background, line, panel, panel, marked)
    variables = {**theme.variables, **quiet}
    variables["footer-key-foreground"] = foreground
    variables["footer-description-foreground"] = quiet["quiet"]
    return replace(theme, name=f"tutee-{name}", variables=variables)


KNOWN = ("nord", "gruvbox", "tokyo-night", "catppuccin-latte", "solarized-light")
"""Themes that many know from their editor."""


def _of_the_terminal(name: str, primary: str) -> Theme:
    """Return a theme of the terminal's own sixteen colors, without a quieter text."""
    theme = BUILTIN_THEMES[f"ansi-{name}"]
    variables = {**theme.variables, "quiet": "ansi_default", "block-cursor-text-style": "bold"}
    return replace(theme, name=f"tutee-terminal-{name}", primary=primary, variables=variables)


TERMINAL = _of_the_terminal("dark", "ansi_bright_blue")
TERMINAL_LIGHT = _of_the_terminal("light", "ansi_blue")

THEMES = (DARK, LIGHT, TERMINAL, TERMINAL_LIGHT, *map(_quietened, KNOWN))


def theme_for(name: str, *, light: bool, few: bool = False, none: bool = False) -> str:
    """Return the name by which the theme of a setting is registered.

    Args:
        name: The value of the setting.
        light: The terminal has a light background.
        few: It has sixteen colors at most, which would distort ours.
        none: No colors are wanted. Textual then shows grays, and all ANSI colors as black.
    """
    ours, own = (LIGHT, TERMINAL_LIGHT) if light else (DARK, TERMINAL)
    if name == "auto":
        return own.name if few and not none else ours.name
    if name == "terminal":
        return ours.name if none else own.name
    return f"tutee-{name}"


def checkbox(checked: bool) -> Content:
    """Draw a checkbox that is clear without colors."""
    return (
        Content("[x]").stylize("bold $text-success") if checked else Content("[ ]").stylize(MUTED)
    )
