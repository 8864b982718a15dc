"""What the documents name is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / ".github").glob("*.md")])
TREES = ("core/", "data/", "store/", "tests/", "tui/", ".github/", ".ci/")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_file_that_a_document_names_is_there(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    named = {name for name in re.findall(r"`([\w./-]+)`", text) if name.startswith(TREES)}
    linked = set(re.findall(r"\]\((?!https?:)([^)#]+)[^)]*\)", text))
    missing = {name for name in named if not (ROOT / name).exists()}
    missing |= {name for name in linked if not (document.parent / name).exists()}
    assert missing - {"tests/bench/results/"} == set()
