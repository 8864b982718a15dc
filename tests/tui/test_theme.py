"""Every theme is readable on every kind of terminal, and color is never the only sign."""

import re
from typing import Any, get_args

import pytest
from rich.color import Color as Painted
from rich.segment import Segment
from textual.color import Color
from textual.content import Content
from textual.notifications import SeverityLevel
from textual.pilot import Pilot
from textual.theme import Theme
from textual.widgets._footer import FooterKey

from core.config import ThemeName
from tests.fakes import FakeChat, Home
from tests.tui.conftest import opened, painted, until
from tests.tui.screens.test_snapshots import REPLIES, taught
from tests.tui.screens.test_tuning import teach
from tui.app.tutee_app import TuteeApp
from tui.terminal.capabilities import has_few_colors
from tui.theme import THEMES, contrast, theme_for

OURS = ("dark", "light")
KNOWN = tuple(name for name in get_args(ThemeName) if name not in (*OURS, "auto", "terminal"))
BEHIND = ("background", "panel", "block-cursor-background")
AA, AA_LARGE = 4.5, 3.0
"""WCAG 2's, of text, and of large text and signs. Hues of themes that are known elsewhere are as
their authors chose them, some of them below the first; their texts are not."""


def test_contrast_is_reckoned_as_wcag_does() -> None:
    assert contrast(Color.parse("#000000"), Color.parse("#ffffff")) == pytest.approx(21)
    assert contrast(Color.parse("#777777"), Color.parse("#ffffff")) == pytest.approx(4.48, abs=0.01)


def unreadable(app: TuteeApp, where: str, least: float) -> list[str]:
    """List the texts with too little contrast, except for keys that are disabled now."""
    greyed = {
        text
        for key in app.screen.query(FooterKey)
        if key.has_class("-disabled")
        for text in (key.key_display, key.description)
    }
    segments = (segment for strip in app.screen._compositor.render_strips() for segment in strip)
    return [
        f"{where}: “{segment.text.strip()}” {reached:.2f}"
        for segment in segments
        if re.search(r"[\w%+?!…]", segment.text)
        and segment.text.strip() not in greyed
        and (reached := _contrast(segment)) < least
    ]


def _contrast(segment: Segment) -> float:
    style = segment.style
    assert style is not None
    assert style.color is not None
    assert style.bgcolor is not None
    return contrast(_color(style.color), _color(style.bgcolor))


def _color(painted: Painted) -> Color:
    return Color(*painted.get_truecolor())


async def through_the_screens(app: TuteeApp, pilot: Pilot[Any], least: float) -> list[str]:
    """List the texts with too little contrast on all screens."""
    found = unreadable(app, "chat", least)
    severities: tuple[SeverityLevel, ...] = ("information", "warning", "error")
    for severity in severities:
        app.notify("What happened", title="A title", severity=severity)
    await until(pilot, lambda: painted(app).count("A title") == 3)
    found += unreadable(app, "toasts", least)
    app.clear_notifications()
    await until(pilot, lambda: not app.screen.query("Toast"))
    await pilot.press("slash", "down")
    found += unreadable(app, "commands", least)
    await pilot.press("backspace")
    below = app.screen
    for key in ("f5", "f6", "f7", "f8", "f9", "ctrl+o"):
        await pilot.press(key)
        await until(pilot, lambda: app.screen is not below and app.screen.is_mounted, key)
        await pilot.press("down")
        found += unreadable(app, key, least)
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is below, key)
    return found


@pytest.mark.parametrize("theme", [*OURS, *KNOWN])
async def test_everything_can_be_read(home: Home, theme: ThemeName) -> None:
    home.chat = FakeChat(home.bridge.emit, REPLIES, adapters=home.adapters)
    screen = home.config.screen.model_copy(update={"theme": theme, "guide": True})
    home.config = home.config.model_copy(update={"screen": screen})
    teach(home, 5, pairs=2)
    async with opened(home, (120, 40)) as (app, pilot):
        await taught(app, pilot)
        await until(pilot, lambda: "corrected" in painted(app))
        least = AA if theme in OURS else AA_LARGE
        assert await through_the_screens(app, pilot, least) == []


@pytest.mark.parametrize("theme", [theme for theme in THEMES if not theme.ansi])
def test_quiet_text_can_be_read_wherever_text_can(theme: Theme) -> None:
    hex_of = theme.to_color_system().generate() | theme.variables
    colors = {name: Color.parse(hex_of[name]) for name in ("quiet", "foreground", *BEHIND)}
    for behind in BEHIND:
        reached = contrast(colors["quiet"], colors[behind])
        assert reached >= min(AA, contrast(colors["foreground"], colors[behind])), behind


@pytest.mark.parametrize(
    ("name", "colours", "called"),
    [
        ("auto", {}, "tutee-dark"),
        ("auto", {"light": True}, "tutee-light"),
        ("auto", {"few": True}, "tutee-terminal-dark"),
        ("auto", {"few": True, "light": True}, "tutee-terminal-light"),
        ("auto", {"few": True, "none": True}, "tutee-dark"),
        ("dark", {"few": True, "light": True}, "tutee-dark"),
        ("terminal", {}, "tutee-terminal-dark"),
        ("terminal", {"none": True, "light": True}, "tutee-light"),
        ("nord", {"few": True}, "tutee-nord"),
    ],
)
def test_the_theme_suits_the_terminal(name: str, colours: dict[str, bool], called: str) -> None:
    assert theme_for(name, **{"light": False} | colours) == called


@pytest.mark.parametrize(
    ("term", "colorterm", "few"),
    [
        ("xterm", "", True),
        ("linux", "", True),
        ("xterm-256color", "", False),
        ("xterm-kitty", "", False),
        ("foot", "truecolor", False),
        ("", "", True),
    ],
)
def test_how_many_colours_a_terminal_has(
    monkeypatch: pytest.MonkeyPatch, term: str, colorterm: str, few: bool
) -> None:
    monkeypatch.setenv("TERM", term)
    monkeypatch.setenv("COLORTERM", colorterm)
    assert has_few_colors() is few


@pytest.mark.parametrize("theme", ["auto", "terminal"])
async def test_without_colours_everything_is_grey_and_readable(
    home: Home, monkeypatch: pytest.MonkeyPatch, theme: ThemeName
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    home.config = home.config.model_copy(
        update={"screen": home.config.screen.model_copy(update={"theme": theme})}
    )
    teach(home, 5, pairs=2)
    async with opened(home) as (app, pilot):
        await pilot.press("f7")
        await until(pilot, lambda: app.screen.is_mounted and "👍" in painted(app))
        for strip in app.screen._compositor.render_strips():
            for segment in strip.apply_filter(app.get_line_filters()[-1], Color(0, 0, 0)):
                if segment.style and segment.style.color and segment.text.strip():
                    assert len(set(_color(segment.style.color).rgb)) == 1, segment
        assert unreadable(app, "records", AA) == []


async def test_trained_tokens_are_known_without_colours(home: Home) -> None:
    from tui.views.record_detail import MaskView
    from tui.widgets.record import RecordTokens

    tokens = RecordTokens(MaskView("Reply", (("asked", False), ("said", True), ("more", True))))
    assert isinstance(tokens.content, Content)
    bold = [str(span.style) for span in tokens.content.spans if "bold" in str(span.style)]
    assert len(bold) == 3  # the heading and the two that are trained
