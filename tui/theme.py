"""How Tutee looks, dark, light, or as known elsewhere: quiet greys, and four hues of one meaning.

Green is kept or liked, red is refused or disliked, amber runs or waits, blue has the focus. None of
them is all that says so, for terminals without colours. Quiet text is as faint as it can be read.
"""

from dataclasses import replace

from textual.color import Color
from textual.content import Content
from textual.theme import BUILTIN_THEMES, Theme

MUTED = "$quiet"
"""Text that is there when looked for. (`$text-muted` works in style sheets only.)"""
READABLE = 4.5
"""The contrast from which on a text counts as readable (WCAG 2, AA)."""


def contrast(one: Color, other: Color) -> float:
    """That of two colours, from 1 to 21, as WCAG 2 reckons it."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(color: Color) -> float:
    parts = (part / 255 for part in color.rgb)
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _faintest(foreground: str, *backgrounds: str) -> str:
    """The faintest shade of `foreground` that can be read on all of `backgrounds`."""
    text, behind = Color.parse(foreground), [Color.parse(color) for color in backgrounds]
    for percent in range(50, 100):
        shade = behind[0].blend(text, percent / 100)
        if min(contrast(shade, color) for color in behind) >= READABLE:
            return shade.hex
    return text.hex


def _quiet(
    foreground: str, background: str, line: str, faint: str, panel: str, marked: str
) -> dict[str, str]:
    """What the theme's own few colours make of the parts that Textual would colour.

    Args:
        foreground: Text.
        background: Of the screen.
        line: Around what is framed.
        faint: The same where it is not in focus.
        panel: Behind what lies above the screen.
        marked: Behind the line of a list that is marked.
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
"""How much of its first hue a theme known elsewhere puts behind what is marked."""


def _quietened(name: str) -> Theme:
    """A theme that comes with Textual, with its parts as quiet as ours."""
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
"""Those that many people know from their editor."""


def _of_the_terminal(name: str, primary: str) -> Theme:
    """A theme of the terminal's own sixteen colours; quiet text is like any other there."""
    theme = BUILTIN_THEMES[f"ansi-{name}"]
    variables = {**theme.variables, "quiet": "ansi_default", "block-cursor-text-style": "bold"}
    return replace(theme, name=f"tutee-terminal-{name}", primary=primary, variables=variables)


TERMINAL = _of_the_terminal("dark", "ansi_bright_blue")
TERMINAL_LIGHT = _of_the_terminal("light", "ansi_blue")

THEMES = (DARK, LIGHT, TERMINAL, TERMINAL_LIGHT, *map(_quietened, KNOWN))


def theme_for(name: str, *, light: bool, few: bool = False, none: bool = False) -> str:
    """What Textual calls the theme of that setting.

    Args:
        name: As the settings name it.
        light: The terminal has a light background.
        few: It has sixteen colours at most, so that ours would become other ones.
        none: No colours are wanted. Textual makes greys of them, and all of the terminal's own
            colours black.
    """
    ours, own = (LIGHT, TERMINAL_LIGHT) if light else (DARK, TERMINAL)
    if name == "auto":
        return own.name if few and not none else ours.name
    if name == "terminal":
        return ours.name if none else own.name
    return f"tutee-{name}"


def checkbox(checked: bool) -> Content:
    """A box that says the same without colours."""
    return (
        Content("[x]").stylize("bold $text-success") if checked else Content("[ ]").stylize(MUTED)
    )
