"""Cards in three forms: all that is on them is shown, and no text is taken for markup."""

import io
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from rich.console import Console

from core.adapters.registry import Adapters
from core.evaluation.report_card import ReportCard, build_report_card
from core.models.folder import ModelFolder
from tests.versions import HOSTILE, add_version, examined_version
from tui.cli.report_card import html, markdown, terminal
from tui.text_format import harmless

TEXT = harmless(HOSTILE)


@pytest.fixture
def found(tmp_path: Path) -> ReportCard:
    folder = ModelFolder(tmp_path / "base", "base-00000000", "Base", "revision-1")
    adapters = Adapters(tmp_path / "models", folder)
    return build_report_card(adapters, examined_version(adapters))


class Page(HTMLParser):
    """What a browser would see."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.marked: dict[str, list[str]] = {"del": [], "ins": []}
        self._text: list[str] = []
        self._open: list[str] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        self._text.append(data)
        for tag in self.marked.keys() & set(self._open):
            self.marked[tag].append(data)

    @property
    def text(self) -> str:
        return "".join(self._text)


def as_html(found: ReportCard) -> str:
    return html.render(found)


def as_markdown(found: ReportCard) -> str:
    return MarkdownIt("gfm-like", {"linkify": False}).render(markdown.render(found))


@pytest.mark.parametrize("render", [as_html, as_markdown])
def test_a_page_shows_everything_and_texts_as_they_are(
    found: ReportCard, render: Callable[[ReportCard], str]
) -> None:
    page = Page(render(found))
    for expected in (
        "v1 “yes <man>”",
        "safe to use",
        "2 new, 1 replayed",
        "2.500",
        "0.500",
        "3.000 → 1.000",
        "learning_rate",
        "What was taught, asked in the same words: learned 1 of 2",
        f"Is it? {TEXT}",
        f"Why? {TEXT}",
        "Probes: 1 of 2 replies changed",
        f"No, it is. {TEXT}",
        f"Yes, it is. {TEXT}",
        "(cut off)",
    ):
        assert expected in page.text
    assert page.text.count(TEXT) >= 3
    assert page.marked["del"][0].startswith("No")
    assert page.marked["ins"][0] == "Yes"
    assert page.text.index("Is it?") < page.text.index("Good?") < page.text.index("Why?")
    assert not page.tags & {"script", "a", "img", "iframe", "link", "red"}
    assert not any(name.startswith("on") or name in ("src", "href") for name in page.attributes)


@pytest.mark.parametrize("render", [as_html, as_markdown])
def test_names_and_settings_are_texts_too(
    found: ReportCard, render: Callable[[ReportCard], str]
) -> None:
    hostile = "![x](http://x) <img src=x> | `"
    page = Page(render(replace(found, facts=((hostile, hostile),), settings=(("rank", hostile),))))
    assert page.text.count(hostile) == 3
    assert "img" not in page.tags


def test_html_needs_no_other_file_and_lets_nothing_run(found: ReportCard) -> None:
    text = html.render(found)
    assert text.startswith("<!doctype html>")
    assert "default-src 'none'" in text
    assert "url(" not in text
    assert "@import" not in text
    assert "\x1b" not in text
    assert re.search(r'<polyline points="0.0,2.0 160.0,40.0 320.0,78.0"/>', text)


def test_markdown_keeps_to_its_tables(found: ReportCard) -> None:
    tables = [line for line in markdown.render(found).splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in tables if "Why?" in line}) == 1
    assert markdown.escaped("a\n  b | c") == "a<br>&nbsp;&nbsp;b &#124; c"
    page = Page(MarkdownIt("gfm-like").render(markdown.escaped("https://e.org www.e.org a@e.org")))
    assert "a" not in page.tags


def shown(found: ReportCard, width: int = 80, *, probes: bool = True, **options: object) -> str:
    written = io.StringIO()
    console = Console(file=written, width=width, **options)  # type: ignore[arg-type]
    terminal.show(found, console, probes=probes)
    return written.getvalue()


def test_the_terminal_shows_it_within_its_width(found: ReportCard) -> None:
    text = shown(found)
    assert re.search(r"2.500 → +0.500 +better", text)
    assert re.search(r"100.0% → +50.0%  within chance", text)
    assert "✗ Who?" in text
    assert "█▅▁" in text
    assert "[red]x[/red]" in text
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 80


def test_the_terminal_shows_the_probes_where_they_are_asked_for(found: ReportCard) -> None:
    assert "Why?" in shown(found)
    assert "Why?" not in shown(found, probes=False)
    assert "--probes shows the replies." in shown(found, probes=False)


def test_a_long_text_without_blanks_loses_nothing(found: ReportCard) -> None:
    text = "".join(chr(0x4E00 + n) for n in range(200))
    long = found.probes[0]._replace(before="", after=text)
    whole = replace(found, probes=(long,), held_out=(), taught=())
    assert text in "".join(shown(whole).split())


def test_changed_words_are_marked_in_the_terminal(found: ReportCard) -> None:
    text = shown(found, force_terminal=True, color_system="standard")
    assert re.search(r"\x1b\[[\d;]*4[\d;]*mYes", text)  # underlined
    assert "\x1b[2J" not in text


def test_a_version_that_was_not_examined_has_a_short_card(tmp_path: Path) -> None:
    folder = ModelFolder(tmp_path / "base", "base-00000000", "Base", "revision-1")
    adapters = Adapters(tmp_path / "models", folder)
    add_version(adapters)
    found = build_report_card(adapters, "v1")
    for text in (shown(found), html.render(found), markdown.render(found)):
        assert "not judged: it was not examined" in text
        assert "Probes" not in text
