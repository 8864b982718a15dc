"""A chat as Markdown."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from data.markdown import Section, file_name, inert, markdown
from store.records import Conversation

WHEN = datetime(2026, 1, 2, 3, 4, 5)


def test_everything_said_stands_there_as_it_was_said() -> None:
    conversation = Conversation(title="Tea\n& 茶", created=WHEN.astimezone())
    sections = (
        Section("system", "Be brief."),
        Section("user", "# Not a title\n\n[b]x[/b]"),
        Section("assistant", "\n```py\n1\n```\n", "v3"),
        Section("assistant", "龙井", "v3", corrected=True),
        Section("assistant", "", None),
    )
    assert markdown(conversation, sections) == (
        "# Tea & 茶\n\n*2026-01-02 03:04*\n\n## System\n\nBe brief.\n\n"
        "## You\n\n# Not a title\n\n[b]x[/b]\n\n## Tutee (v3)\n\n```py\n1\n```\n\n"
        "## Tutee (v3, corrected)\n\n龙井\n\n## Tutee\n\n\n"
    )


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("What is love?", "What-is-love"),
        ("关于茶，问题", "关于茶问题"),
        ("../../etc/passwd", "etcpasswd"),
        ("...", "chat"),
        ("👍", "chat"),
        ("a/b\\c:d", "abcd"),
    ],
)
def test_a_file_name_is_one_on_any_system(title: str, name: str) -> None:
    assert file_name(title, WHEN) == f"2026-01-02-030405-{name}.md"


def test_a_long_title_makes_a_name_that_fits() -> None:
    assert len(file_name("茶" * 300, WHEN).encode()) < 255


PIECES = (
    *("![a](http://x/i.png)", "![a][r]", "[r]: http://x", "![[http://x]]", "<img src=x>", "</p>"),
    *("<!--", "-->", "<script>", "<?php", "<a@b.c>", "`", "``", "```", "~~~", "````py", "\\", "|"),
    *("> ", "- ", "1. ", "    ", "\t", "# ", "---", "|--|--|", "===", "\n", "\n\n", "\r", "\r\n"),
    *("a", " ", "a < b", "茶", "[b](u)", "*", "\u2028"),
)
"""What Markdown is made of, to be put together in every order."""


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_nothing_is_embedded_whatever_is_said(text: str) -> None:
    for parser in (MarkdownIt("commonmark"), MarkdownIt("commonmark").enable("table")):
        after = "\n\n## You\n\n![the next one](shows)"
        tokens = parser.parse(inert(text) + after)
        inside = [child for token in tokens for child in token.children or ()]
        kinds = [token.type for token in (*tokens, *inside)]
        assert kinds.count("image") == 1
        assert not {"html_block", "html_inline"} & {*kinds}
        assert inert(inert(text)) == inert(text)


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("![a](x)", "&#33;[a](x)"),
        ("see ![a][r]!", "see &#33;[a][r]!"),
        ("<img src=x>", "&lt;img src=x>"),
        ("`![a](x)` and ![b](y)", "`![a](x)` and &#33;[b](y)"),
        ("```html\n<img src=1>\n![a](x)\n```", None),
        ("    ![code](x)", None),
        ("if a < b and c<3: wow! [link](u)", None),
        ("| a ` | ![x](y) ` |\n|--|--|", "| a ` | &#33;[x](y) ` |\n|--|--|"),
        ("```\nopen", "```\nopen\n```"),
        ("", None),
    ],
)
def test_only_what_would_be_embedded_is_changed(said: str, kept: str | None) -> None:
    assert inert(said) == (said if kept is None else kept)


def test_the_title_embeds_nothing() -> None:
    conversation = Conversation(title="![a](http://x)", created=WHEN.astimezone())
    assert markdown(conversation, ()).startswith("# &#33;[a](http://x)\n")
