"""What a person is told goes through the catalog: read from the source, so that none is missed."""

import ast
import re
from collections.abc import Iterator

import pytest

from tests import catalog

TELLING = (
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
"""What tells a person the texts that it is given."""


def untold(source: str) -> Iterator[int]:
    """The lines on which a person is told something as it stands in the source."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or ast.unparse(node.func) not in TELLING:
            continue
        if any(map(speaks, node.args)):
            yield node.lineno


def speaks(told: ast.expr) -> bool:
    """Whether it is a text with a sentence in it."""
    parts = told.values if isinstance(told, ast.JoinedStr) else [told]
    texts = [part.value for part in parts if isinstance(part, ast.Constant)]
    return any(isinstance(text, str) and re.search(r"[A-Za-z]{2,} ", text) for text in texts)


@pytest.mark.parametrize("folder", catalog.FOLDERS)
def test_what_is_told_goes_through_the_catalog(folder: str) -> None:
    found = {
        str(path.relative_to(catalog.ROOT)): lines
        for path in (catalog.ROOT / folder).rglob("*.py")
        if (lines := list(untold(path.read_text(encoding="utf-8"))))
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
def test_the_check_sees_a_text(source: str, lines: list[int]) -> None:
    assert list(untold(source)) == lines
