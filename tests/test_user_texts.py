"""Every user-visible text goes through the catalog, as read from the source."""

import ast
import re
from collections.abc import Iterator

import polib
import pytest

from tests import catalog

SHOW_TEXT = (
    "TuteeError",
    "RowError",
    "Damaged",
    "ModelLoading",
    "PassSkipped",
    "as_tutee_error",
    "click.UsageError",
    "click.BadParameter",
    "click.confirm",
    "click.echo",
)
"""Callables that show their arguments to the user."""


def unmarked_lines(source: str) -> Iterator[int]:
    """Yield the lines that show an untranslated text to the user."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or ast.unparse(node.func) not in SHOW_TEXT:
            continue
        if any(map(has_words, node.args)):
            yield node.lineno


def has_words(argument: ast.expr) -> bool:
    """Return whether the argument contains a literal sentence."""
    parts = argument.values if isinstance(argument, ast.JoinedStr) else [argument]
    texts = [part.value for part in parts if isinstance(part, ast.Constant)]
    return any(isinstance(text, str) and re.search(r"[A-Za-z]{2,} ", text) for text in texts)


@pytest.mark.parametrize("folder", catalog.FOLDERS)
def test_user_texts_go_through_the_catalog(folder: str) -> None:
    found = {
        str(path.relative_to(catalog.ROOT)): lines
        for path in (catalog.ROOT / folder).rglob("*.py")
        if (lines := list(unmarked_lines(path.read_text(encoding="utf-8"))))
    }
    assert found == {}


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ('raise TuteeError("Nothing is there.")', [1]),
        ('raise TuteeError(_("Nothing is there."), "Look again.")', [1]),
        ('click.echo(f"{count} records kept")', [1]),
        ('click.echo(f"{name:<14} {_(value)}")', []),
        ('click.echo(_("Nothing is there."), err=True)', []),
    ],
)
def test_the_check_finds_unmarked_texts(source: str, lines: list[int]) -> None:
    assert list(unmarked_lines(source)) == lines


PHRASINGS = {
    "en": (
        r"(?<!, )\b[Pp]lease\b",
        r"[a-z]!",
        r"\b(?:in order to|simply|just)\b",
        r"\bthe person\b",
        r"\b(?:is|are) wanted\b",
        r"\b(?:hangs?|leaves) (?:on|it so)\b",
        r"\bwhat (?:came out|went in)\b",
        r"\bis at fault\b",
        r"\b(?:colour|behaviour|catalogue|favourite)\b",
        r"\bcarry loss\b",
        r"\.\.\.",
    ),
    "zh": (
        "您",
        "在此屏幕|任何地方|就这样，留下|拒绝它|旧的保留|通过关卡|探测损失",
        r"[一-鿿][,;?!](?=[\s一-鿿]|$)",
        r"\.\.\.",
        r"[一-鿿](?:[A-Z]{2,}|GPU|Esc|Enter|Ctrl)\b",
    ),
}
"""What a native writer would not write; `store/locale/STYLE.md` says what instead."""
MARKS = r"\{[^{}]*\}|`[^`]*`|\[/?b\]"
"""What is no prose: placeholders, code and markup."""


@pytest.mark.parametrize("language", PHRASINGS)
def test_texts_read_as_a_native_wrote_them(language: str) -> None:
    catalog_file = polib.pofile(str(catalog.LOCALE / "zh" / "LC_MESSAGES" / "tutee.po"))
    texts = [
        text
        for entry in catalog_file
        for text in (
            (entry.msgid, entry.msgid_plural)
            if language == "en"
            else (entry.msgstr, *entry.msgstr_plural.values())
        )
    ]
    forbidden = re.compile("|".join(PHRASINGS[language]))
    found = {text for text in texts if forbidden.search(re.sub(MARKS, " ", text))}
    assert found == set()
