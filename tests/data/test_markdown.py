"""A chat as Markdown."""

from datetime import datetime

import pytest

from data.markdown import Section, file_name, markdown
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
